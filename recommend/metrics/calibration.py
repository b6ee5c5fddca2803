"""Distances of predicted probabilities from outcomes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

EPS = 1e-7


def logloss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean negative log-likelihood, probabilities clipped to [1e-7, 1 - 1e-7]; NaN for no rows."""
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64).clip(EPS, 1 - EPS)
    return float(-(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()) if len(y) else float("nan")


def divergence(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean Kullback-Leibler divergence of predictions from true probabilities, nats: logloss beyond the least one."""
    t, p = (np.asarray(x, dtype=np.float64).clip(EPS, 1 - EPS) for x in (truth, probabilities))
    return float((t * np.log(t / p) + (1 - t) * np.log((1 - t) / (1 - p))).mean()) if len(t) else float("nan")


def pcoc(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Predicted over observed rate: 1 is calibrated, above 1 promises too much; NaN without a positive."""
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    return float(p.sum() / y.sum()) if len(y) and y.sum() > 0 else float("nan")


def edges_of(scores: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Inner edges of bins that hold equally many of the scores."""
    # 'higher' keeps every edge at a real score, so rounding cannot part equal ones.
    return np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1], method="higher"))


def ece(labels: ArrayLike, probabilities: ArrayLike, bins: int = 20) -> float:
    """Expected calibration error: mean |predicted - observed rate| over bins, weighted by rows.

    Bins hold equally many rows (rare events crowd near 0, where bins of equal width would be one bin); equal ones
    never part.
    """
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if not len(y):
        return float("nan")
    place = np.searchsorted(edges_of(p, bins), p, side="right")
    return float(np.abs(np.bincount(place, weights=p - y)).sum() / len(y))
