"""Calibration of the evidence tower's details and signs of wear: ``eyes_calibration.json``.

Logit of right = a + b * logit of the tower + an offset of the phrase, drawn towards 0 where the phrase is rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

OFFSET = 1.5  # how far a phrase's own offset may go: one-hot inputs of this size under the ridge penalty
GRID = (0.0, 0.005, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
_MIN = 1e-3


def logit(p: np.ndarray) -> np.ndarray:
    """Log odds."""
    clipped = np.clip(p, _MIN, 1 - _MIN)
    return np.asarray(np.log(clipped / (1 - clipped)))


class Fitted:
    """The curve of one head: raw, right and settled [n, phrases] -> probability; what is not settled is left out."""

    def __init__(self, raw: np.ndarray, right: np.ndarray, settled: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression

        self.count, is_settled = raw.shape[1], settled.ravel() > 0
        self.model = LogisticRegression(C=1.0, max_iter=500).fit(
            self._inputs(raw)[is_settled], right.ravel()[is_settled]
        )

    def _inputs(self, raw: np.ndarray) -> Any:
        from scipy.sparse import csr_array, hstack

        which = np.tile(np.eye(self.count) * OFFSET, (len(raw), 1))
        return hstack([csr_array(logit(raw).reshape(-1, 1)), csr_array(which)]).tocsr()

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """Probabilities of the same shape."""
        return np.asarray(self.model.predict_proba(self._inputs(raw))[:, 1].reshape(raw.shape))

    def curves(self, phrases: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Phrase -> its curve as points, as ``eyes_calibration.json`` holds it."""
        grid = self(np.tile(np.array(GRID)[:, None], (1, len(phrases))))
        return {phrase: {"raw": GRID, "right": grid[:, i].round(4).tolist()} for i, phrase in enumerate(phrases)}
