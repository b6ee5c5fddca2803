"""The measures that every result states."""

from __future__ import annotations

from numpy.typing import ArrayLike

from recommend.metrics.calibration import ece, logloss, pcoc
from recommend.metrics.ranks import auc, gauc


def measures(labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike) -> dict[str, float]:
    """AUC, GAUC (by ``groups``), logloss, PCOC and ECE of predicted probabilities."""
    return {
        "auc": auc(labels, probabilities),
        "gauc": gauc(labels, probabilities, groups),
        "logloss": logloss(labels, probabilities),
        "pcoc": pcoc(labels, probabilities),
        "ece": ece(labels, probabilities),
    }


def share_of_way(value: float, floor: float, ceiling: float) -> float:
    """Where a value lies between the simplest method (0) and the oracle (1); NaN when the two do not differ."""
    return (value - floor) / (ceiling - floor) if ceiling != floor else float("nan")
