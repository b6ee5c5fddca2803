"""Measures of ranked lists. Rows are flat; ``groups`` says which list a row belongs to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


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
    new = np.r_[True, g[1:] != g[:-1]]
    tie = np.cumsum(new | np.r_[True, s[1:] != s[:-1]]) - 1
    mean_value = np.bincount(tie, weights=by_score) / np.bincount(tie)
    starts = np.flatnonzero(new)
    size = np.diff(np.r_[starts, len(s)])
    first = np.arange(len(s)) - np.repeat(starts, size) < k
    # Sorted by list as well, the best rows stand in the same places.
    best = value[np.lexsort((-value, np.asarray(groups)))]
    chosen, oracle, every = (np.add.reduceat(v, starts) for v in (first * mean_value[tie], first * best, by_score))
    random = every / size * np.minimum(size, k)
    lost = float((oracle - random).sum())
    return float((oracle - chosen).sum()) / lost if lost > 1e-12 else float("nan")
