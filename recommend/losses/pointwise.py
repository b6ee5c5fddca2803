"""Losses on single rows. All take logits and return a mean over rows unless said otherwise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bce(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy; with weights (n,), the weighted mean (0 where all weights are 0)."""
    losses = functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
    if weight is None:
        return losses.mean()
    return (losses * weight).sum() / weight.sum().clamp(min=torch.finfo(logits.dtype).tiny)


def bce_of_product(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of ``sigmoid(first) * sigmoid(second)`` (ESMM's pCTCVR), computed from logits without overflow.

    ``log(ab) = log a + log b``; ``log(1 - ab) = log((1 - a) + a (1 - b))`` as a log-sum-exp.
    """
    yes = functional.logsigmoid(first) + functional.logsigmoid(second)
    no = torch.logaddexp(functional.logsigmoid(-first), functional.logsigmoid(first) + functional.logsigmoid(-second))
    labels = labels.to(yes.dtype)
    return -(labels * yes + (1 - labels) * no).mean()


def distil(logits: Tensor, teacher: Tensor) -> Tensor:
    """Pointwise distillation: cross-entropy to the teacher's probabilities; minimal where both agree."""
    return functional.binary_cross_entropy_with_logits(logits, teacher.detach())
