"""Losses that bring a student near a teacher."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def distil(logits: Tensor, teacher: Tensor) -> Tensor:
    """Pointwise distillation: cross-entropy to the teacher's probabilities; minimal where both agree."""
    return functional.binary_cross_entropy_with_logits(logits, teacher.detach())
