"""Losses that bring a student near a teacher."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def distil(logits: Tensor, teacher: Tensor) -> Tensor:
    """Pointwise distillation: cross-entropy to the teacher's probabilities; minimal where both agree."""
    return functional.binary_cross_entropy_with_logits(logits, teacher.detach())


def info_nce(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    """Rows of two (n, w) views are pairs; all other rows are negatives (van den Oord et al., 2018), both directions."""
    a, b = functional.normalize(first, dim=1), functional.normalize(second, dim=1)
    logits = a @ b.T / temperature
    answers = torch.arange(len(a), device=a.device)
    return (functional.cross_entropy(logits, answers) + functional.cross_entropy(logits.T, answers)) / 2
