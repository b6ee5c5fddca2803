"""Losses on pairs of one list or of one user."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def ranknet(scores: Tensor, labels: Tensor, groups: Tensor, weight: Tensor | None = None) -> Tensor:
    """``-log sigmoid(s_i - s_j)`` over all pairs of a group with ``label_i > label_j`` (Burges et al., 2005).

    Args:
        scores, labels, groups: (n,); groups are any ids, rows of a group need not be adjacent.
        weight: (n, n) weight of the pairs (COPR weighs by the value at stake); 1 by default.

    Returns:
        Mean over the pairs; 0 (with a gradient of 0) when there is none. Memory is n^2: give lists, not whole logs.
    """
    pairs = (groups[:, None] == groups[None, :]) & (labels[:, None] > labels[None, :])
    losses = functional.softplus(-(scores[:, None] - scores[None, :]))
    weights = pairs.to(scores.dtype) if weight is None else pairs * weight
    return (losses * weights).sum() / weights.sum().clamp(min=torch.finfo(scores.dtype).tiny)
