"""Measures of ranked lists. Rows are flat; ``groups`` says which list a row belongs to.

Ties: NDCG takes the mean over all orders of equal scores (as scikit-learn does); hit rate and MAP put the worse rows
first, so that a constant score earns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class _Sorted:
    """Rows sorted by list, then by descending score; ``place`` is 0-based within the list."""

    gains: NDArray[np.float64]
    scores: NDArray[np.float64]
    starts: NDArray[np.int64]
    place: NDArray[np.int64]

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.add.reduceat(values, self.starts)


def _sort(gains: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> _Sorted | None:
    y, s, g = np.asarray(gains, dtype=np.float64), np.asarray(scores, dtype=np.float64), np.asarray(groups)
    if not len(y):
        return None
    order = np.lexsort((y, -s, g))
    y, s, g = y[order], s[order], g[order]
    new = np.r_[True, g[1:] != g[:-1]]
    starts = np.flatnonzero(new)
    place = np.arange(len(y)) - np.repeat(starts, np.diff(np.r_[starts, len(y)]))
    return _Sorted(y, s, starts, place)


def normalised_regret(truth: ArrayLike, scores: ArrayLike, groups: ArrayLike, k: int = 1) -> float:
    """What choosing the first k by score loses against the oracle, as a share of what choosing at random loses.

    Args:
        truth: true probabilities or values of the rows (known only where the world is simulated).

    Returns:
        0 for the oracle's choice, 1 for a random one; equal scores count as a random choice among them. NaN where
        every choice is equally good.
    """
    rows, best = _sort(truth, scores, groups), _sort(truth, truth, groups)
    if rows is None or best is None:
        return float("nan")
    new_tie = np.r_[True, rows.scores[1:] != rows.scores[:-1]]
    new_tie[rows.starts] = True
    tie = np.cumsum(new_tie) - 1
    mean_value = np.bincount(tie, weights=rows.gains) / np.bincount(tie)
    first = (rows.place < k).astype(np.float64)
    size = np.diff(np.r_[rows.starts, len(rows.gains)])
    chosen = rows.sums(first * mean_value[tie])
    oracle = rows.sums(first * best.gains)
    random = rows.sums(rows.gains) / size * np.minimum(size, k)
    lost = float((oracle - random).sum())
    return float((oracle - chosen).sum()) / lost if lost > 1e-12 else float("nan")
