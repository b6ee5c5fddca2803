"""Statistics of paired seeds: t-intervals, equivalence, Holm's correction, power, and the shape of a curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL, POWER = 0.95, 0.8
Floats = NDArray[np.float64]


def t_interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % t-interval of paired differences; without ends for fewer than two."""
    d = np.asarray(differences, dtype=np.float64)
    if len(d) < 2:
        return (float(d.mean()) if len(d) else math.nan), -math.inf, math.inf
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(d) - 1) * stats.sem(d))
    return float(d.mean()), float(d.mean()) - half, float(d.mean()) + half


def p_value(
    differences: Sequence[float], of: float = 0.0, side: Literal["two-sided", "less", "greater"] = "two-sided"
) -> float:
    """The p-value of Student's t-test that the mean is ``of``; 1 for fewer than two, certain where all are equal."""
    d = np.asarray(differences, dtype=np.float64)
    if len(d) < 2:
        return 1.0
    if not d.std() > 0:
        away = {"two-sided": d[0] != of, "less": d[0] < of, "greater": d[0] > of}[side]
        return 0.0 if away else 1.0
    return float(stats.ttest_1samp(d, of, alternative=side).pvalue)


def tost(differences: Sequence[float], margin: float) -> float:
    """p of two one-sided tests (Schuirmann, 1987): below .05 the mean lies within the margin on either side of 0."""
    return max(p_value(differences, -margin, "greater"), p_value(differences, margin, "less"))


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for being several (Holm, 1979)."""
    out, highest = [1.0] * len(p), 0.0
    for rank, at in enumerate(np.argsort(p, kind="stable")):
        highest = max(highest, min(1.0, p[at] * (len(p) - rank)))
        out[at] = highest
    return out


def detectable(sd: float, seeds: int) -> float:
    """Smallest effect that so many paired seeds show in four of five trials, at 5 % (the usual sum of two t's)."""
    if seeds < 2:
        return math.inf
    return float((stats.t.ppf((1 + LEVEL) / 2, seeds - 1) + stats.t.ppf(POWER, seeds - 1)) * sd / math.sqrt(seeds))


def worlds_needed(
    differences: Sequence[float], margin: float, one_sided: bool = False, most: int = 1_000
) -> int | None:
    """Number of worlds that show in four of five trials, at 5 %, that a mean as it was measured lies within the margin.

    Args:
        one_sided: below the margin is enough.

    Returns:
        None where no number would (the measured mean itself lies outside), or more than ``most``.
    """
    d = np.asarray(differences, dtype=np.float64)
    if len(d) < 2:
        return None
    mean = float(d.mean())
    room = margin - (mean if one_sided else abs(mean))
    sd = float(d.std(ddof=1))

    def enough(n: int) -> bool:
        return float((stats.t.ppf(LEVEL, n - 1) + stats.t.ppf(POWER, n - 1)) * sd / math.sqrt(n)) <= room

    return next((n for n in range(2, most) if enough(n)), None) if room > 0 else None


def slope(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Gain a unit of the phenomenon: mean over the seeds of a straight line each, with its t-interval.

    Args:
        x, y: (seeds, doses) measured phenomenon and gain.
    """
    return t_interval([float(np.polyfit(a, b, 1)[0]) for a, b in zip(x, y, strict=True) if np.ptp(a) > 0])


def crossing(x: Sequence[float], low: Sequence[float]) -> float | None:
    """From where on the whole band lies above 0, towards the strongest: linear between two doses; None: nowhere.

    Args:
        x: (doses,) measured phenomenon, the strongest last.
        low: (doses,) lower end of the gain's interval.
    """
    if not low or not low[-1] > 0:
        return None
    at = len(low) - 1
    while at and low[at - 1] > 0:
        at -= 1
    if not at or not math.isfinite(low[at - 1]):
        return float(x[at])
    share = -low[at - 1] / (low[at] - low[at - 1])
    return float(x[at - 1] + share * (x[at] - x[at - 1]))
