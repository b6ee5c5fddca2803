"""AUC and GAUC in expectation over the labels, where their true probabilities are known; ``ranks`` takes either."""

from recommend.metrics.ranks import auc as expected_auc
from recommend.metrics.ranks import gauc as expected_gauc

__all__ = ["expected_auc", "expected_gauc"]
