"""Measures in expectation over the labels, where their true probabilities are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def expected_auc(p: ArrayLike, scores: ArrayLike) -> float:
    """AUC that scores have on average over labels drawn from their true probabilities; ties count half.

    Pairs of a positive and a negative, each weighted by its probability: sum_ij p_i (1 - p_j) [s_i > s_j], over
    sum_i p_i sum_j (1 - p_j).

    Args:
        p: (n,) true probabilities.
        scores: (n,).
    """
    return expected_gauc(p, scores, np.zeros(len(np.asarray(p)), dtype=np.int64))


def expected_gauc(p: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> float:
    """The same within groups, weighted by their rows; groups of one row do not count."""
    p, s, g = np.asarray(p, dtype=np.float64), np.asarray(scores), np.asarray(groups)
    order = np.lexsort((s, g))
    p, s, g = p[order], s[order], g[order]
    start = np.flatnonzero(np.r_[True, g[1:] != g[:-1]])
    rows = np.diff(np.r_[start, len(p)])
    tie = np.flatnonzero(np.r_[True, (g[1:] != g[:-1]) | (s[1:] != s[:-1])])
    size, of_group = np.diff(np.r_[tie, len(p)]), np.searchsorted(start, tie, side="right") - 1
    negative, positive = np.add.reduceat(1 - p, tie), np.add.reduceat(p, tie)
    before = np.cumsum(negative) - negative
    before -= before[np.searchsorted(tie, start)][of_group]
    # Of a row with itself there is no pair: within a tie its own p (1 - p) is taken out.
    itself = np.add.reduceat(p * (1 - p), tie)
    won = np.bincount(of_group, positive * before + (positive * negative - itself) / 2)
    pairs = np.bincount(of_group, positive) * np.bincount(of_group, negative) - np.bincount(of_group, itself)
    counts = (rows > 1) & (pairs > 0)
    if not counts.any() or not size.size:
        return float("nan")
    return float((won[counts] / pairs[counts] * rows[counts]).sum() / rows[counts].sum())
