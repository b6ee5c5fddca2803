"""Histories before an event, and items that might have stood in its place: for logs that hold events alone.

A negative has its positive's user, moment and history, and the target of another event. **How negatives are drawn
decides what can be learned**:

- ``popular``: the target of a random event, so that a popular thing is a negative as often as a positive, and its
  popularity says nothing. What is left to learn is the match with the history.
- ``uniform``: a random thing, each as likely as another; popularity then says a great deal (DIN's own preparation).

Both draw within the event's ``block``. With the day as block (Taobao), a negative is as new as a positive; without
blocks, things that only came up late would be known by being new. The one excluded thing is the positive itself: to
exclude the user's other things would tell the model that what stands in the history is never wrong.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Rule = Literal["popular", "uniform"]
TRIES = 20  # draws until a negative differs from its positive; a block of one thing keeps what it has


class Past:
    """Where each row's history lies in a list of past events.

    Args:
        user, time: (events,) of what enters histories, by user and time.
    """

    def __init__(self, user: np.ndarray, time: np.ndarray) -> None:
        self.who, self.moments = np.unique(user), np.unique(time)
        self.starts = np.append(np.searchsorted(user, self.who), len(user))
        self.step = len(self.moments) + 1  # (user, rank of the moment) as one sorted number, whatever ids and times are
        self.key = np.searchsorted(self.who, user) * self.step + np.searchsorted(self.moments, time)

    def before(self, user: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) where the history of a row ends (exclusive), and its length: what lies strictly before its moment."""
        if not len(self.who):
            return np.zeros(len(user), dtype=np.int64), np.zeros(len(user), dtype=np.int64)
        place = np.minimum(np.searchsorted(self.who, user), len(self.who) - 1)
        end = np.searchsorted(self.key, place * self.step + np.searchsorted(self.moments, time), "left")
        has_events = self.who[place] == user
        return np.where(has_events, end, 0), np.where(has_events, end - self.starts[place], 0)


def draw_negatives(
    item: np.ndarray,
    block: np.ndarray | None,
    targets: np.ndarray,
    positive: np.ndarray,
    count: int,
    rule: Rule,
    rng: np.random.Generator,
) -> np.ndarray:
    """Negatives of events: (positives, count) places of the events whose items they are.

    Args:
        item: (events,) ids.
        block: (events,) within which negatives are drawn; None: all events.
        targets: (events,) bool, which events may be drawn.
        positive: (positives,) places of the events that need negatives.
    """
    block = np.zeros(len(item), dtype=np.int64) if block is None else np.asarray(block)
    pool = np.flatnonzero(targets)
    if rule == "uniform":
        _, first = np.unique(np.stack([block[pool], item[pool]]), axis=1, return_index=True)
        pool = pool[np.sort(first)]
    pool = pool[np.argsort(block[pool], kind="stable")]
    begin = np.searchsorted(block[pool], block[positive], "left")[:, None]
    size = np.searchsorted(block[pool], block[positive], "right")[:, None] - begin
    drawn = pool[begin + (rng.random((len(positive), count)) * size).astype(np.int64)]
    for _ in range(TRIES):
        same = item[drawn] == item[positive][:, None]
        if not same.any():
            break
        again = pool[begin + (rng.random(drawn.shape) * size).astype(np.int64)]
        drawn = np.where(same, again, drawn)
    return drawn
