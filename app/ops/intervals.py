"""Intervals (95 %) of what was counted: shares, quantiles, and figures over rows that are alike within a visitor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommend.metrics.calibration import pcoc
from recommend.metrics.ranks import auc

LEVEL = 0.95
NOUGHT = 1e-12  # an error below it is one of rounding


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; None: it cannot be said."""

    value: float | None
    low: float | None
    high: float | None


def _stats() -> Any:
    """scipy.stats, one of the slowest imports: a server does without it until somebody asks for figures."""
    from scipy import stats

    return stats


NOTHING = Interval(None, None, None)


class Counted(Interval):
    """What is counted whole and not estimated."""


def exact(value: float) -> Counted:
    """A count, which is both of its ends."""
    return Counted(value, value, value)


def wilson(hits: int, of: int) -> Interval:
    """A share of independent things (Wilson 1927); nothing where nothing was observed."""
    if not of:
        return NOTHING
    ends = _stats().binomtest(int(hits), int(of)).proportion_ci(LEVEL, method="wilson")
    return Interval(hits / of, float(ends.low), float(ends.high))


def share(hits: int, of: int) -> str:
    """A share with its interval, for people."""
    interval = wilson(hits, of)
    if interval.value is None or interval.low is None or interval.high is None:
        return "-"
    return f"{100 * interval.value:.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def quantile(values: np.ndarray, q: float) -> Interval:
    """A quantile, its interval by order statistics (binomial); an end that lies beyond the values is None."""
    n = len(values)
    if not n:
        return NOTHING
    ordered = np.sort(values)
    low, high = (int(_stats().binom.ppf(side, n, q)) for side in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    ends = [float(ordered[place]) if 0 <= place < n else None for place in (low - 1, high)]
    return Interval(float(np.quantile(ordered, q)), *ends)


def pcoc_interval(labels: np.ndarray, predicted: np.ndarray, cluster: np.ndarray) -> Interval:
    """Predicted over observed clicks; the interval of its logarithm by the delta method over clusters (visitors).

    Without any click there is only a lower end (see ``_without_clicks``).
    """
    if len(labels) and not labels.any():
        return Interval(None, _without_clicks(predicted, cluster), None)
    ratio = pcoc(labels, predicted)
    if not np.isfinite(ratio) or ratio <= 0:
        return NOTHING
    reach = _reach(predicted / predicted.sum() - labels / labels.sum(), cluster)
    if reach is None:
        return Interval(ratio, None, None)
    return Interval(ratio, float(ratio * np.exp(-reach)), float(ratio * np.exp(reach)))


def auc_interval(labels: np.ndarray, scores: np.ndarray, cluster: np.ndarray) -> Interval:
    """AUC; the interval by the structural components over clusters (visitors), as Obuchowski 1997 does."""
    labels = labels.astype(bool)
    value = auc(labels, scores)
    if not np.isfinite(value):
        return NOTHING
    reach = _reach(_components(labels, scores, value), cluster)
    if reach is None:
        return Interval(value, None, None)
    return Interval(value, max(value - reach, 0.0), min(value + reach, 1.0))


def rate_interval(labels: np.ndarray, cluster: np.ndarray) -> Interval:
    """A click rate over rows that are alike within a cluster (visitor)."""
    if not len(labels):
        return NOTHING
    value = float(labels.mean())
    reach = _reach((labels - value) / len(labels), cluster)
    if reach is None:  # all clusters are alike: as many independent things say no more than this
        n = len(np.unique(cluster))
        interval = wilson(round(value * n), n)
        return Interval(value, min(value, interval.low or 0.0), max(value, interval.high or 0.0))
    return Interval(value, max(value - reach, 0.0), min(value + reach, 1.0))


def _without_clicks(predicted: np.ndarray, cluster: np.ndarray) -> float:
    """Lower end of predicted over observed where no cluster clicked.

    Clusters that were to click at least once, over the most that can be when none did (Clopper and Pearson 1934): rows
    of a cluster count as one, and with rare clicks it is the Poisson limit.
    """
    _, place = np.unique(cluster, return_inverse=True)
    never = np.exp(np.bincount(place, weights=np.log1p(-np.minimum(predicted, 1 - 1e-9))))
    most = _stats().binomtest(0, len(never)).proportion_ci(LEVEL, method="exact").high
    return float((1 - never).mean() / most)


def _components(labels: np.ndarray, scores: np.ndarray, value: float) -> np.ndarray:
    """(n,) how much each row moves the AUC: its share of pairs in the right order, less the mean, over its class."""
    positives, negatives = np.sort(scores[labels]), np.sort(scores[~labels])
    out = np.empty(len(scores))
    below = (
        np.searchsorted(negatives, scores[labels], "left") + np.searchsorted(negatives, scores[labels], "right")
    ) / 2
    above = (
        np.searchsorted(positives, scores[~labels], "left") + np.searchsorted(positives, scores[~labels], "right")
    ) / 2
    out[labels] = (below / len(negatives) - value) / len(positives)
    out[~labels] = (1 - above / len(positives) - value) / len(negatives)
    return out


def _reach(influence: np.ndarray, cluster: np.ndarray) -> float | None:
    """Half an interval from each row's influence; rows of a cluster count as one.

    None below two clusters, and where all clusters are alike: how much others would differ is then not known.
    """
    _, place = np.unique(cluster, return_inverse=True)
    sums = np.bincount(place, weights=influence)
    n = len(sums)
    if n < 2:
        return None
    error = np.sqrt(n / (n - 1) * float((sums**2).sum()))
    if error < NOUGHT:
        return None
    return float(_stats().t.ppf((1 + LEVEL) / 2, n - 1) * error)
