"""AUC and GAUC by one sort."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties counting half; NaN without both classes."""
    labels = np.asarray(labels)
    value, _ = auc_by_group(labels, scores, np.zeros(len(labels), dtype=np.int64))
    return float(value[0]) if len(value) else float("nan")


def gauc(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> float:
    """AUC of each group, weighted by its rows; groups of a single class do not count. NaN when none counts."""
    value, rows = auc_by_group(labels, scores, groups)
    known = ~np.isnan(value)
    return float((value[known] * rows[known]).sum() / rows[known].sum()) if known.any() else float("nan")


def auc_by_group(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """AUC (NaN for a single class) and rows of each group, groups ascending.

    One lexical sort instead of a loop over users: the rank sum of the positives gives Mann-Whitney's U.
    """
    y, s, g = np.asarray(labels).astype(bool), np.asarray(scores, dtype=np.float64), np.asarray(groups)
    if not len(y):
        return np.empty(0), np.empty(0, dtype=np.int64)
    order = np.lexsort((s, g))
    y, s, g = y[order], s[order], g[order]
    new_group = np.r_[True, g[1:] != g[:-1]]
    new_tie = new_group | np.r_[True, s[1:] != s[:-1]]
    group_start = np.flatnonzero(new_group)
    tie_start = np.flatnonzero(new_tie)
    rows = np.diff(np.r_[group_start, len(y)])
    tie_size = np.diff(np.r_[tie_start, len(y)])
    place = tie_start + (tie_size + 1) / 2  # mean 1-based place of a block of ties in the whole sort
    rank = np.repeat(place, tie_size) - np.repeat(group_start, rows)
    positives = np.add.reduceat(y.astype(np.float64), group_start)
    rank_sum = np.add.reduceat(np.where(y, rank, 0.0), group_start)
    pairs = positives * (rows - positives)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(pairs > 0, (rank_sum - positives * (positives + 1) / 2) / pairs, np.nan)
    return value, rows
