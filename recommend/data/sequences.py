"""Logs of events to samples of (user, history, target, label), in the order of time.

Logs of events hold only what people did. A sample is an event whose user did something before; its negatives have the
same user, moment and history, and the target of another event. **How negatives are drawn decides what can be learned**:

- ``popular``: the target of a random event, so that a popular thing is a negative as often as a positive, and its
  popularity says nothing. What is left to learn is the match with the history.
- ``uniform``: a random thing, each as likely as another; popularity then says a great deal (DIN's own preparation).

Both draw within the event's ``block``. With the day as block (Taobao), a negative is as new as a positive; without
blocks, things that only came up late would be known by being new. The one excluded thing is the positive itself: to
exclude the user's other things would tell the model that what stands in the history is never wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from recommend.features.feature_map import Feature, FeatureMap
from recommend.features.ragged import Column, Ragged, select_batch

Rule = Literal["popular", "uniform"]
TRIES = 20  # draws until a negative differs from its positive; a block of one thing keeps what it has


def samples(
    user: np.ndarray,
    item: np.ndarray,
    time: np.ndarray,
    category: np.ndarray | None = None,
    *,
    seed: int,
    negatives: int = 1,
    rule: Rule = "popular",
    block: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    past: np.ndarray | None = None,
    longest: int = 50,
    shortest: int = 1,
) -> dict[str, Column]:
    """Columns for ``MemoryStream``, ``Encoders`` and ``feature_map``: positives with their negatives below, by time.

    Args:
        user, item, time: (events,) ids and moments; a moment need only order a user's events (a step will do).
        category: (events,) of the item.
        seed: of the draws.
        negatives: rows drawn for each positive.
        block: (events,) within which negatives are drawn; None: all events.
        targets: (events,) bool, which events become samples (purchases, say); None: all.
        past: (events,) bool, which events enter histories (views, say); None: all.
        longest: newest events that a history keeps.
        shortest: events with a shorter history become no samples (they still enter later histories).

    Returns:
        ``user_id``, ``item_id``, ``category`` (when given), ``history_item``, ``history_category`` (ragged, oldest
        first, of strictly earlier moments), ``time``, ``list_id`` (a positive and its negatives share it), ``last``
        (the positive is its user's last target) and the label ``click``.
    """
    events = len(user)
    targets = np.ones(events, dtype=bool) if targets is None else np.asarray(targets)
    past = np.ones(events, dtype=bool) if past is None else np.asarray(past)
    order = np.lexsort([np.arange(events), time, user])
    kept = order[past[order]]  # events that stand in histories, by user and time
    begin, length = Past(user[kept], time[kept]).before(user[order], time[order])
    length = np.minimum(length, longest)
    chosen = targets[order] & (length >= shortest)
    last = _last(user[order], chosen)
    positive, begin, length, last = order[chosen], (begin - length)[chosen], length[chosen], last[chosen]
    by_time = np.lexsort([positive, time[positive]])
    positive, begin, length, last = (a[by_time] for a in (positive, begin, length, last))

    drawn = draw_negatives(item, block, targets, positive, negatives, rule, np.random.default_rng(seed))
    shown = np.concatenate([positive[:, None], drawn], 1).ravel()  # whose item the row shows
    row = np.repeat(np.arange(len(positive)), negatives + 1)
    place = begin[row]
    lengths = torch.from_numpy(length[row].astype(np.int64))
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(length[row]) - length[row], length[row])
    at = kept[np.repeat(place, length[row]) + within] if len(kept) else kept[:0]
    columns: dict[str, Column] = {
        "user_id": torch.from_numpy(user[positive][row].astype(np.int64)),
        "item_id": torch.from_numpy(item[shown].astype(np.int64)),
        "history_item": Ragged(torch.from_numpy(item[at].astype(np.int64)), lengths),
        "time": torch.from_numpy(time[positive][row].astype(np.int64)),
        "list_id": torch.from_numpy(row.astype(np.int64)),
        "last": torch.from_numpy(last[row]),
        "click": torch.from_numpy(np.tile(np.arange(negatives + 1) == 0, len(positive))),
    }
    if category is not None:
        columns["category"] = torch.from_numpy(category[shown].astype(np.int64))
        columns["history_category"] = Ragged(torch.from_numpy(category[at].astype(np.int64)), lengths)
    return columns


def feature_map(category: bool = True, longest: int = 50, user: bool = True) -> FeatureMap:
    """What ``samples`` gives, for the models.

    Args:
        user: whether the user's id is a feature (GAUC groups by it in any case).
    """
    features = [Feature(column="user_id", role="context")] if user else []
    features.append(Feature(column="item_id", role="target"))
    features += [Feature(column="category", role="target")] if category else []
    features.append(Feature(column="history_item", role="history", match="item_id", max_length=longest))
    if category:
        features.append(Feature(column="history_category", role="history", match="category", max_length=longest))
    return FeatureMap(features=tuple(features))


def split_by_time(columns: Mapping[str, Column], share: float) -> tuple[dict[str, Column], dict[str, Column]]:
    """The earlier ``share`` of the rows, and those of strictly later moments."""
    time = _plain(columns, "time")
    border = np.sort(time)[min(int(len(time) * share), len(time) - 1)] if len(time) else 0
    return _parts(columns, time < border)


def split_last(columns: Mapping[str, Column]) -> tuple[dict[str, Column], dict[str, Column]]:
    """All but each user's last positive (with its negatives), and those: for logs whose order has no clock."""
    return _parts(columns, ~_plain(columns, "last"))


def _parts(columns: Mapping[str, Column], first: np.ndarray) -> tuple[dict[str, Column], dict[str, Column]]:
    one, two = (torch.from_numpy(np.flatnonzero(chosen)) for chosen in (first, ~first))
    return select_batch(columns, one), select_batch(columns, two)


def _plain(columns: Mapping[str, Column], name: str) -> np.ndarray:
    column = columns[name]
    assert isinstance(column, torch.Tensor)
    return column.numpy()


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
        known = self.who[place] == user
        return np.where(known, end, 0), np.where(known, end - self.starts[place], 0)


def _last(user: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Of events by user and time: whether it is the last chosen one of its user."""
    last = np.zeros(len(user), dtype=bool)
    place = np.flatnonzero(chosen)
    of = user[place]
    last[place[np.r_[of[1:] != of[:-1], True]] if len(place) else place] = True
    return last


def draw_negatives(
    item: np.ndarray,
    block: np.ndarray | None,
    targets: np.ndarray,
    positive: np.ndarray,
    count: int,
    rule: Rule,
    rng: np.random.Generator,
) -> np.ndarray:
    """(positives, count) events whose items are the negatives; arguments as of ``samples``, ``positive`` by place."""
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
