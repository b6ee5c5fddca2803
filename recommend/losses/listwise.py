"""Losses on lists and on their pairs; lists are flat rows with their lengths, those of fewer than two do not count."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from recommend.data.ragged import Ragged

LOW = -1e30


def log_softmax(scores: Tensor, lengths: Tensor) -> Tensor:
    """(total,) log-softmax within each list."""
    padded, mask = Ragged(scores, lengths).padded(fill=LOW)
    return padded.log_softmax(1)[mask]


def listnet(scores: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    """Cross-entropy between a target distribution and the softmax of the scores (Cao et al., 2007).

    Args:
        target: (total,) non-negative; normalised within each list. Lists with nothing but zeros do not count.
    """
    rows = Ragged(scores, lengths).rows
    total = target.new_zeros(len(lengths)).index_add(0, rows, target)
    counted = (lengths > 1) & (total > 0)
    losses = -(target / total.clamp(min=1e-12)[rows]) * log_softmax(scores, lengths)
    return mean_over_lists(losses, rows, counted)


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


def mean_over_lists(losses: Tensor, rows: Tensor, counted: Tensor) -> Tensor:
    """Mean over the counted lists of the sums of (total,) losses, each of the list ``rows``."""
    per_list = losses.new_zeros(len(counted)).index_add(0, rows, losses)
    return (per_list * counted).sum() / counted.sum().clamp(min=1)
