"""Losses that bring a student near a teacher's probabilities, on single rows or within lists.

Rows are flat, with the lengths of the lists, as in ``listwise.py``. A loss is *calibration-compatible* (CLID, arXiv
2312.08727) when a student that gives the teacher's own probabilities is among its minima: then it can be added to the
cross-entropy without pulling the student away from what the cross-entropy wants.

| loss | its minima | contains the teacher |
|---|---|---|
| ``pointwise`` | the teacher's probabilities p | yes, nothing else |
| ``clid``, ``clid_by_mass``, ``clid_by_rows`` | c p, for every c > 0 that keeps c p below 1 | yes; the scale is free |
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from recommend.config import ConfigError, nearest
from recommend.data.ragged import Ragged
from recommend.losses import listwise
from recommend.losses.pointwise import distil

Distillation = Callable[[Tensor, Tensor, Tensor], Tensor]


def lists_of(ids: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) order that brings rows of one list together, and (lists,) their lengths; the ids may come in any order."""
    order = ids.argsort(stable=True)
    _, lengths = torch.unique_consecutive(ids[order], return_counts=True)
    return order, lengths


def pointwise(logits: Tensor, teacher: Tensor, lengths: Tensor) -> Tensor:
    """Cross-entropy of each row to the teacher's probability (n,); mean over rows. The lists play no part."""
    return distil(logits, teacher)


def clid(logits: Tensor, teacher: Tensor, lengths: Tensor) -> Tensor:
    """CLID's loss (eq. 15): cross-entropy between the lists' normalised *probabilities*; mean over lists.

    With ``P(i) = p_i / sum_j p_j`` of teacher and student, ``-sum_i P_t(i) log P_s(i)``. The logarithm of the student's
    ``P_s`` is the log-softmax of ``log sigmoid(s)``, which does not underflow. Its gradient by a student's logit is
    ``(1 - p_j) (P_s(j) - P_t(j))``.

    Args:
        logits: (n,) of the student.
        teacher: (n,) probabilities.
        lengths: (lists,) rows of each list; lists of fewer than two rows do not count.
    """
    return listwise.listnet(functional.logsigmoid(logits), teacher.detach(), lengths)


def clid_by_mass(logits: Tensor, teacher: Tensor, lengths: Tensor) -> Tensor:
    """CLID with each list weighted by its teacher's mass ``sum_j p_j``, that is, with the target left unnormalised.

    Not in the paper. A student that knows less than the teacher learns from many lists with equal features. The mean of
    ``p_i / sum_j p_j`` over them is not proportional to the mean of p_i, but the mean of p_i itself is.
    """
    rows = Ragged(logits, lengths).rows
    log_share = listwise.log_softmax(functional.logsigmoid(logits), lengths)
    return listwise.mean_over_lists(-teacher.detach() * log_share, rows, lengths > 1)


def clid_by_rows(logits: Tensor, teacher: Tensor, lengths: Tensor) -> Tensor:
    """``clid_by_mass`` as a mean over rows: beside a cross-entropy, which is one, long lists do not weigh tenfold.

    Not in the paper. Its gradient by a student's logit is that of ``pointwise``, but that the student's probabilities
    count as shares of their list: ``(1 - p_j) (M P_s(j) - p_t,j)`` over the number of rows, M the teacher's mass.
    """
    return clid_by_mass(logits, teacher, lengths) * (lengths > 1).sum() / max(len(logits), 1)


DISTILLATIONS: dict[str, Distillation] = {
    "pointwise": pointwise,
    "clid": clid,
    "clid_by_mass": clid_by_mass,
    "clid_by_rows": clid_by_rows,
}


def distillation(name: str) -> Distillation:
    """The loss of a name; called with the student's logits, the teacher's probabilities and the lists' lengths."""
    if name not in DISTILLATIONS:
        raise ConfigError(f"there is no distillation '{name}'; {nearest(name, list(DISTILLATIONS))}")
    return DISTILLATIONS[name]
