"""Test users drawn anew, with replacement: how far the sample of users moves a measure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def users_anew(user: np.ndarray, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows of as many users as there are, ``draws`` times."""
    _, place = np.unique(user, return_inverse=True)
    rows_of = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    for _ in range(draws):
        yield np.concatenate([rows_of[i] for i in rng.integers(0, len(rows_of), len(rows_of))])
