"""AUC and GAUC by one sort, of labels or of their true probabilities; the regret of choosing the first k.

A pair of rows counts with the probability that the one is a positive and the other a negative: sum_ij p_i (1 - p_j)
[s_i > s_j] over sum_ij p_i (1 - p_j), i and j of one group; ties count half. Labels are probabilities of 0 and 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties counting half; NaN without both classes.

    Args:
        labels: (n,) labels, or their true probabilities.
        scores: (n,).
    """
    value, _ = auc_by_group(labels, scores, np.zeros(len(np.asarray(labels)), dtype=np.int64))
    return float(value[0]) if len(value) else float("nan")


def gauc(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> float:
    """AUC of each group, weighted by its rows; groups of a single class do not count. NaN when none counts."""
    value, rows = auc_by_group(labels, scores, groups)
    defined = ~np.isnan(value)
    return float((value[defined] * rows[defined]).sum() / rows[defined].sum()) if defined.any() else float("nan")


def auc_by_group(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """AUC (NaN for a single class or row) and rows of each group, groups ascending; one sort, no loop over users."""
    p, s, g = np.asarray(labels, dtype=np.float64), np.asarray(scores), np.asarray(groups)
    if not len(p):
        return np.empty(0), np.empty(0, dtype=np.int64)
    order = np.lexsort((s, g))
    p, s, g = p[order], s[order], g[order]
    start, tie = _starts(g, s)
    rows = np.diff(np.r_[start, len(p)])
    of_group = np.searchsorted(start, tie, side="right") - 1
    # Of a row with itself there is no pair: its own p (1 - p) is taken out of its tie and of its group.
    positive, negative, itself = (np.add.reduceat(v, tie) for v in (p, 1 - p, p * (1 - p)))
    before = np.cumsum(negative) - negative
    before -= before[np.searchsorted(tie, start)][of_group]
    won = np.bincount(of_group, positive * before + (positive * negative - itself) / 2)
    pairs = np.bincount(of_group, positive) * np.bincount(of_group, negative) - np.bincount(of_group, itself)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((rows > 1) & (pairs > 0), won / pairs, np.nan), rows


def normalised_regret(truth: ArrayLike, scores: ArrayLike, groups: ArrayLike, k: int = 1) -> float:
    """The loss of choosing the first k by score against the oracle, as a share of the loss of a random choice.

    Args:
        truth: true probabilities or values of the rows (known only where the world is simulated).

    Returns:
        0 for the oracle's choice, 1 for a random one; equal scores count as a random choice among them. NaN where
        every choice is equally good.
    """
    value, s, g = np.asarray(truth, dtype=np.float64), np.asarray(scores, dtype=np.float64), np.asarray(groups)
    if not len(value):
        return float("nan")
    order = np.lexsort((-s, g))
    by_score, s, g = value[order], s[order], g[order]
    starts, ties = _starts(g, s)
    tie = np.searchsorted(ties, np.arange(len(s)), side="right") - 1
    mean_value = np.bincount(tie, weights=by_score) / np.bincount(tie)
    size = np.diff(np.r_[starts, len(s)])
    first = np.arange(len(s)) - np.repeat(starts, size) < k
    # Sorted by list as well, the best rows stand in the same places.
    best = value[np.lexsort((-value, np.asarray(groups)))]
    chosen, oracle, every = (np.add.reduceat(v, starts) for v in (first * mean_value[tie], first * best, by_score))
    random = every / size * np.minimum(size, k)
    lost = float((oracle - random).sum())
    return float((oracle - chosen).sum()) / lost if lost > 1e-12 else float("nan")


def _starts(groups: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First places of sorted groups, and of the equal scores within them."""
    new_group = np.r_[True, groups[1:] != groups[:-1]]
    return np.flatnonzero(new_group), np.flatnonzero(new_group | np.r_[True, scores[1:] != scores[:-1]])
