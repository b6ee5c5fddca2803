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


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean of ``-log sigmoid(positive - negative)`` (Rendle et al., 2009)."""
    return functional.softplus(negative - positive).mean()


def in_batch_softmax(users: Tensor, items: Tensor, positives: Tensor, log_q: Tensor | None = None) -> Tensor:
    """Softmax over the batch's items for the rows that are positive (two-tower retrieval).

    Args:
        users, items: (n, w) vectors of the same rows.
        positives: (n,) bool, the rows whose item is an answer.
        log_q: (n,) log of the items' sampling probability, subtracted so that popular items are not punished.
    """
    logits = users @ items.T
    if log_q is not None:
        logits = logits - log_q[None, :]
    if not bool(positives.any()):
        return logits.sum() * 0
    answers = torch.arange(len(users), device=users.device)[positives]
    return functional.cross_entropy(logits[positives], answers)
