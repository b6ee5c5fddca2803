"""Made-up candidate lists of a ranking stage. Shared by the tests."""

from __future__ import annotations

import numpy as np

from recommend.experiments.setups.preranking import Candidates


def listed_teacher(seed: int = 0, requests: int = 30, n: int = 57) -> Candidates:
    """Requests with a ranking model's scores and bids; clicks follow the scores."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 18, requests * n)
    return Candidates(
        columns={},
        request=np.repeat(np.arange(requests) * 3, n),
        user=np.zeros(requests * n, dtype=np.int64),
        score=score,
        bid=rng.lognormal(0, 0.5, requests * n),
        truth=score / 2,
        shown=np.zeros(len(score), dtype=bool),
        uniform=np.zeros(len(score), dtype=bool),
    )
