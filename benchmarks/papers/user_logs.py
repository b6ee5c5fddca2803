"""Samples of logs of users' events, test users drawn anew, and what somebody does after a view."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from benchmarks.common import signed
from recommend.data.ragged import Column, Ragged
from recommend.data.schema import DAY_MS
from recommend.data.sequences import Past, Rule, draw_negatives
from recommend.features.feature_map import Feature, FeatureMap
from recommend.research.studies.statistics import t_interval

NEVER = 100 * DAY_MS  # longer than the logs


def users_anew(user: np.ndarray, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows of as many users as there are, drawn with replacement, ``draws`` times."""
    _, place = np.unique(user, return_inverse=True)
    rows_of = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    for _ in range(draws):
        yield np.concatenate([rows_of[i] for i in rng.integers(0, len(rows_of), len(rows_of))])


def differences_over_users(
    measure: Callable[..., float],
    label: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    user: np.ndarray,
    draws: int = 100,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """(draws,) differences in a measure of two arms' (rows,) predictions when the users are drawn anew."""
    drawn = users_anew(user, draws, rng or np.random.default_rng(0))
    return np.array([measure(label[r], one[r]) - measure(label[r], two[r]) for r in drawn])


def ends(differences: np.ndarray) -> tuple[float, float]:
    """95 % interval of differences that were drawn."""
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def gap_row(one: str, two: str, by_seed: Sequence[float], over_users: np.ndarray) -> tuple[str, ...]:
    """A table's line: the difference of two arms, its intervals over seeds and over users."""
    mean, over_seeds = signed(*t_interval(list(by_seed)))
    return f"{one} - {two}", mean, over_seeds, signed(0, *ends(over_users))[1]


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
        first, of strictly earlier moments), ``time``, ``list_id`` (a positive and its negatives share it) and the
        label ``click``.
    """
    events = len(user)
    targets = np.ones(events, dtype=bool) if targets is None else np.asarray(targets)
    past = np.ones(events, dtype=bool) if past is None else np.asarray(past)
    order = np.lexsort([np.arange(events), time, user])
    in_history = order[past[order]]  # events that stand in histories, by user and time
    begin, length = Past(user[in_history], time[in_history]).before(user[order], time[order])
    length = np.minimum(length, longest)
    chosen = targets[order] & (length >= shortest)
    positive, begin, length = order[chosen], (begin - length)[chosen], length[chosen]
    by_time = np.lexsort([positive, time[positive]])
    positive, begin, length = (a[by_time] for a in (positive, begin, length))

    drawn = draw_negatives(item, block, targets, positive, negatives, rule, np.random.default_rng(seed))
    displayed = np.concatenate([positive[:, None], drawn], 1).ravel()  # whose item the row shows
    row = np.repeat(np.arange(len(positive)), negatives + 1)
    place = begin[row]
    lengths = torch.from_numpy(length[row].astype(np.int64))
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(length[row]) - length[row], length[row])
    at = in_history[np.repeat(place, length[row]) + within] if len(in_history) else in_history[:0]
    columns: dict[str, Column] = {
        "user_id": torch.from_numpy(user[positive][row].astype(np.int64)),
        "item_id": torch.from_numpy(item[displayed].astype(np.int64)),
        "history_item": Ragged(torch.from_numpy(item[at].astype(np.int64)), lengths),
        "time": torch.from_numpy(time[positive][row].astype(np.int64)),
        "list_id": torch.from_numpy(row.astype(np.int64)),
        "click": torch.from_numpy(np.tile(np.arange(negatives + 1) == 0, len(positive))),
    }
    if category is not None:
        columns["category"] = torch.from_numpy(category[displayed].astype(np.int64))
        columns["history_category"] = Ragged(torch.from_numpy(category[at].astype(np.int64)), lengths)
    return columns


def feature_map(category: bool = True, longest: int = 50, user: bool = True) -> FeatureMap:
    """The features of ``samples``, for the models.

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
