"""What the checks on logs of users' events share: test users drawn anew, and what somebody does after a view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from recommend.data.imports.tables import DAY_MS

NEVER = 100 * DAY_MS  # longer than the logs


def users_anew(user: np.ndarray, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows of as many users as there are, drawn with replacement, ``draws`` times."""
    _, place = np.unique(user, return_inverse=True)
    rows_of = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    for _ in range(draws):
        yield np.concatenate([rows_of[i] for i in rng.integers(0, len(rows_of), len(rows_of))])


def until_next(
    events: Mapping[str, np.ndarray], which: np.ndarray, user: np.ndarray, item: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """(views,) milliseconds until this user does what ``which`` marks to this item, from ``at`` on; or ``NEVER``."""
    pairs = np.stack([np.r_[events["user_id"][which], user], np.r_[events["item_id"][which], item]], 1)
    _, pair = np.unique(pairs, axis=0, return_inverse=True)
    done = int(which.sum())
    step = 2 * NEVER  # so that pair and moment make one sorted key
    key = np.append(np.sort(pair[:done] * step + events["time_ms"][which]), np.iinfo(np.int64).max)
    asked = pair[done:] * step + at
    return np.minimum(key[np.searchsorted(key, asked)] - asked, NEVER)
