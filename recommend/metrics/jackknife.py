"""Intervals by leaving out groups of users or days: for numbers that have no formula of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.95
FEW = 10  # groups, below which an interval is a rough one


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        groups: on how many groups the interval rests; below ``FEW`` it is wide, and rough.
    """

    value: float
    low: float
    high: float
    groups: int = 0


def jackknife(value: float, without: ArrayLike) -> Estimate:
    """The delete-a-group jackknife (Kott, 2001): a t-interval of groups - 1 degrees of freedom.

    Args:
        without: (groups,) the number where one group is left out, for each of them; groups of about equal size.

    Raises:
        ValueError: there are fewer than two.
    """
    w = np.asarray(without, dtype=np.float64)
    groups = len(w)
    if groups < 2:
        raise ValueError("an interval needs two groups or more.")
    error = float(np.sqrt((groups - 1) / groups * ((w - w.mean()) ** 2).sum()))
    half = float(stats.t.ppf((1 + LEVEL) / 2, groups - 1)) * error
    return Estimate(float(value), float(value) - half, float(value) + half, groups)
