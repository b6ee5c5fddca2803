"""Adapters of a lower rank."""

from __future__ import annotations

import pytest
import torch

from finetune.embedded.adapter_rank import truncated


def test_the_lower_rank_is_the_best_approximation():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(8, 40, generator=generator), torch.randn(30, 8, generator=generator)
    lower_a, lower_b, kept = truncated(a, b, 5)
    u, s, v = torch.linalg.svd(b @ a, full_matrices=False)
    assert torch.allclose(lower_b @ lower_a, u[:, :5] * s[:5] @ v[:5], atol=1e-3)
    assert kept == pytest.approx(float((s[:5] ** 2).sum() / (s**2).sum()), rel=1e-4)


def test_an_update_of_that_rank_stays():
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(3, 20, generator=generator), torch.randn(10, 3, generator=generator)
    lower_a, lower_b, kept = truncated(torch.cat([a, a]), torch.cat([b, b], 1), 3)
    assert torch.allclose(lower_b @ lower_a, 2 * b @ a, atol=1e-3)
    assert kept == pytest.approx(1.0)
