"""Intervals (95 %) of what was counted: shares, and figures over rows that are alike within a visitor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommend.metrics.calibration import pcoc
from recommend.metrics.ranks import auc

LEVEL = 0.95
GROUPS = 40  # of visitors, left out one after the other
NOUGHT = 1e-12  # half an interval below it is one of rounding


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; None: it cannot be said."""

    value: float | None
    low: float | None
    high: float | None


class Counted(Interval):
    """What is counted whole and not estimated."""


NOTHING = Interval(None, None, None)


def stats() -> Any:
    """scipy.stats, one of the slowest imports: a server does without it until somebody asks for figures."""
    from scipy import stats

    return stats


def exact(value: float) -> Counted:
    """A count, which is both of its ends."""
    return Counted(value, value, value)


def wilson(hits: int, of: int) -> Interval:
    """A share of independent cases (Wilson 1927); nothing where nothing was observed."""
    if not of:
        return NOTHING
    ends = stats().binomtest(int(hits), int(of)).proportion_ci(LEVEL, method="wilson")
    return Interval(hits / of, float(ends.low), float(ends.high))


def rate_interval(labels: np.ndarray, visitor: np.ndarray) -> Interval:
    """A click rate over the rows of visitors."""
    if not len(labels):
        return NOTHING
    result = _by_visitor(lambda rows: float(labels[rows].mean()), visitor)
    if result.low is None:  # all visitors are alike: as many independent cases say no more than this
        n = len(np.unique(visitor))
        ends = wilson(round(float(labels.mean()) * n), n)
        return Interval(result.value, ends.low, ends.high)
    return _bounded(result)


def auc_interval(labels: np.ndarray, scores: np.ndarray, visitor: np.ndarray) -> Interval:
    """AUC over the rows of visitors."""
    order = np.argsort(scores, kind="stable")  # what is sorted already is sorted again in no time
    labels, scores, visitor = labels[order], scores[order], visitor[order]
    return _bounded(_by_visitor(lambda rows: auc(labels[rows], scores[rows]), visitor))


def pcoc_interval(labels: np.ndarray, predicted: np.ndarray, visitor: np.ndarray) -> Interval:
    """Predicted over observed clicks, on the scale of its logarithm; without any click only a lower end."""
    if len(labels) and not labels.any():
        return Interval(None, _without_clicks(predicted, visitor), None)
    with np.errstate(divide="ignore"):
        result = _by_visitor(lambda rows: float(np.log(pcoc(labels[rows], predicted[rows]))), visitor)
    return Interval(*(None if x is None else float(np.exp(x)) for x in (result.value, result.low, result.high)))


def _by_visitor(figure: Callable[[np.ndarray], float], visitor: np.ndarray) -> Interval:
    """A figure of rows (their places); its interval by leaving out groups of visitors, whose rows are alike.

    No ends below two visitors, and where all are alike: how much others would differ is then not known.
    """
    from recommend.metrics.jackknife import jackknife

    every, place = np.unique(visitor, return_inverse=True)
    group, value = place % GROUPS, figure(np.arange(len(visitor)))
    if not np.isfinite(value):
        return NOTHING
    if len(every) < 2:
        return Interval(value, None, None)
    without = [figure(np.flatnonzero(group != g)) for g in range(min(GROUPS, len(every)))]
    result = jackknife(value, without)
    if not result.high - result.low > NOUGHT:  # also where a group holds every click
        return Interval(value, None, None)
    return Interval(value, result.low, result.high)


def _bounded(share: Interval) -> Interval:
    low, high = share.low, share.high
    return Interval(share.value, low if low is None else max(low, 0.0), high if high is None else min(high, 1.0))


def _without_clicks(predicted: np.ndarray, visitor: np.ndarray) -> float:
    """Lower end of predicted over observed where nobody clicked: visitors that were to click at least once, over the
    most that can be when none did (Clopper and Pearson 1934)."""
    _, place = np.unique(visitor, return_inverse=True)
    never = np.exp(np.bincount(place, weights=np.log1p(-np.minimum(predicted, 1 - 1e-9))))
    most = stats().binomtest(0, len(never)).proportion_ci(LEVEL, method="exact").high
    return float((1 - never).mean() / most)
