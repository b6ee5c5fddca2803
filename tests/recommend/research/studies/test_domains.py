"""Models of several domains: each row is scored by its own, and STAR starts as one network for all."""

from __future__ import annotations

import pytest
import torch

from recommend.config import ModelConfig
from recommend.research.studies.domains import STAR, DomainPLE, Domains
from tests.recommend import tiny

SMALL = ModelConfig(embedding=4, attention=(4,), mlp=(8, 4), activation="relu")


@pytest.mark.parametrize("kind", [Domains, DomainPLE, STAR])
def test_a_row_is_scored_by_its_own_domain(kind: type) -> None:
    sizes, rows = tiny.encoded(50)
    model = kind(tiny.FEATURES, sizes, SMALL)
    for p in model.parameters():  # wherever they start
        torch.nn.init.normal_(p, std=0.3)
    first, second = (model({**rows, "system": torch.full((50,), s)})["click"] for s in (0, 1))
    both = model({**rows, "system": torch.arange(50) % 2})["click"]
    assert not torch.allclose(first, second)
    assert torch.equal(both[::2], first[::2])
    assert torch.equal(both[1::2], second[1::2])
    assert torch.equal(model(rows)["click"], first)


def test_star_starts_as_one_network_and_its_domains_part() -> None:
    sizes, rows = tiny.encoded(50)
    model = STAR(tiny.FEATURES, sizes, SMALL)
    start = model.logits(model.inputs(rows))["click"]
    rows = {**rows, "system": torch.ones(50, dtype=torch.int64)}
    assert torch.allclose(model(rows)["click"], start, atol=1e-6)
    model(rows)["click"].sum().backward()
    first, second = ([p.grad for p in top.parameters()] for top in model.domain_top)
    assert all(g is None or not g.any() for g in first)  # rows of the other domain do not move it
    assert all(g is not None for g in second)
