"""Impressions and clicks of ids before a row: the features of kind ``count``, offline and online.

A row counts from the hour after its own on, its click from the hour after the click's (the row's, where the log has no
table of clicks): within an hour nothing of it is known, so that no row's label is in its own features, nor in those of
its page. In a log without a clock a step takes the place of the hour.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recommend.data.parquet import read_moments, read_table
from recommend.data.ragged import Batch, Column, tensor_of
from recommend.data.schema import DAY_MS, ENTITIES, HOUR_MS, columns_of, table_files
from recommend.features.encoders import mixed
from recommend.features.feature_map import TIME, Feature, FeatureMap

PRIOR = 10.0  # rows at the mean rate with which every rate begins
ENTITY, ITEM, ROW = "entity", ENTITIES.index("item"), "impression_id"
LAST = 2**62  # after everything


@dataclass(frozen=True)
class Table:
    """The rows of each key by hour.

    Attributes:
        keys: (keys,) ascending.
        shown, clicked: each row as ``place of its key * (hours + 1) + rank of its hour``, ascending; those with a click
            at the hour from which on that is known.
        starts: (2, keys + 1) where each key begins in the two.
    """

    keys: Tensor
    impressions: Tensor
    clicked: Tensor
    starts: tuple[Tensor, Tensor]
    hours: Tensor

    @staticmethod
    def of(keys: Tensor, hour: Tensor, labelled_at: Tensor, click: Tensor, hours: Tensor) -> Table:
        """From rows: key, hour, and the hour from which on the click is known."""
        unique, place = torch.unique(keys, return_inverse=True)
        step = len(hours) + 1
        impressions = (place * step + torch.searchsorted(hours, hour)).sort().values
        clicked = (place * step + torch.searchsorted(hours, labelled_at))[click].sort().values
        firsts = torch.arange(len(unique) + 1) * step
        starts = (torch.searchsorted(impressions, firsts), torch.searchsorted(clicked, firsts))
        return Table(unique, impressions, clicked, starts, hours)

    def before(self, keys: Tensor, hour: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) rows and clicks of keys before an hour each."""
        if not len(self.keys):
            return (torch.zeros(len(keys)),) * 2
        place = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        matches = self.keys[place] == keys
        limit = place * (len(self.hours) + 1) + torch.searchsorted(self.hours, hour)
        impressions, clicked = (
            (torch.searchsorted(of, limit) - starts[place]) * matches
            for of, starts in zip((self.impressions, self.clicked), self.starts, strict=True)
        )
        return impressions.float(), clicked.float()


@dataclass(frozen=True)
class Counts:
    """Adds the counts of a feature map to raw columns of a log.

    Attributes:
        tables: by feature, and under "" that of all rows.
        hour_ms: milliseconds of an hour; 1 where steps are no times.
    """

    features: tuple[Feature, ...]
    tables: Mapping[str, Table]
    hour_ms: int = HOUR_MS

    @staticmethod
    def read(log: Path, features: FeatureMap, without: tuple[str, int] | None = None) -> Counts:
        """The rows of things of all days of a log, with their clicks; who asks gets those before an hour.

        Args:
            without: a column, and its value in rows that are not counted.
        """
        counted = tuple(f for f in features.features if f.kind == "count")
        if not counted:
            return Counts((), {})
        there = columns_of(log)
        label = "click" if "click" in there else features.labels[0]
        late = f"{label}_day" if f"{label}_day" in there else ""
        more = [name for name in (late, ENTITY, ROW) if name in there]
        left_out = [without[0]] if without else []
        columns = dict.fromkeys([TIME, label, *more, *left_out, *(c for f in counted for c in f.inputs)])
        rows = {n: tensor_of(c) for n, c in read_table(log, "impression", list(columns)).items()}
        if ENTITY in rows:  # posts are counted by nobody
            rows = {n: c[rows[ENTITY] == ITEM] for n, c in rows.items()}
        if without:
            rows = {n: c[rows[without[0]] != without[1]] for n, c in rows.items()}
        hour_ms = HOUR_MS if "hour" in there else 1
        hour, click = rows[TIME] // hour_ms, rows[label].bool()
        label_hour = torch.maximum(hour, _clicked_ms(log, rows, label) // hour_ms)
        if late and hour_ms > 1:  # a label that comes true later than its row is known when its day is over
            label_hour = torch.maximum(hour, (rows[late] + 1) * (DAY_MS // hour_ms))
        hours = torch.unique(torch.cat([hour, label_hour]))

        def table(keys: Tensor) -> Table:
            return Table.of(keys, hour, label_hour, click, hours)

        tables = {f.column: table(mixed([rows[c] for c in f.inputs])) for f in counted}
        return Counts(counted, tables | {"": table(torch.zeros_like(hour))}, hour_ms)

    def __call__(self, batch: Batch) -> dict[str, Column]:
        """The batch with a (rows, 2) column for each feature; rows without a time ask after everything."""
        if not self.features:
            return dict(batch)
        first = tensor_of(batch[self.features[0].inputs[0]])
        time = tensor_of(batch[TIME]) if TIME in batch else torch.full_like(first, LAST)
        hour = time // self.hour_ms
        mean = rate(*self.tables[""].before(torch.zeros_like(hour), hour))
        derived: dict[str, Column] = {}
        for f in self.features:
            ids = [tensor_of(batch[c]) for c in f.inputs]
            impressions, clicked = self.tables[f.column].before(mixed(ids), hour)
            valid = torch.stack(ids).ge(0).all(0)  # -1 is no thing
            derived[f.column] = numbers(impressions * valid, clicked * valid, mean)
        return {**batch, **derived}


class LiveCounts:
    """The same counts of a feed, kept as pages are seen and things clicked. Any thread may call it.

    Args:
        features: kinds of counts, as in ``Counts``.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        self._lock = threading.Lock()
        nothing = (np.empty(0, np.int64), np.zeros((0, 2), np.int64))
        # Keys, ascending, and their rows and clicks; replaced and never changed, so that whoever reads needs no lock.
        self._of = dict.fromkeys(("", *(f.column for f in self.features)), nothing)
        self._waiting: defaultdict[int, list[tuple[int, dict[str, np.ndarray]]]] = defaultdict(list)

    def add(self, ids: Mapping[str, np.ndarray], time_ms: int, clicked: bool = False) -> None:
        """Rows that were shown, or clicked, at a moment: (n,) ids by column. They may come in any order of time."""
        with self._lock:
            row = (int(clicked), {n: np.asarray(v).copy() for n, v in ids.items()})
            self._waiting[time_ms // HOUR_MS].append(row)

    def __call__(self, ids: Mapping[str, Tensor], time_ms: int) -> dict[str, Column]:
        """(n, 2) columns of candidates' (n,) ids by column, at a moment."""
        if not self.features:
            return {}
        with self._lock:
            self._count_before(time_ms // HOUR_MS)
        keys = {f.column: _keys(ids, f) for f in self.features}
        counts = [_found(self._of[name], of) for name, of in keys.items()]
        mean = rate(*torch.from_numpy(_found(self._of[""], np.zeros(1, np.int64))[0].astype(np.float32)).split(1))
        impressions, clicked = torch.from_numpy(np.concatenate(counts).astype(np.float32)).unbind(1)
        columns = numbers(impressions, clicked, mean).chunk(max(1, len(keys)))
        return dict(zip(keys, columns, strict=False))

    def _count_before(self, hour: int) -> None:
        ready = [row for past in [h for h in self._waiting if h < hour] for row in self._waiting.pop(past)]
        for which in (0, 1):
            rows = [ids for of, ids in ready if of == which]
            if rows:
                self._count(which, {n: np.concatenate([ids[n] for ids in rows]) for n in rows[0]})

    def _count(self, which: int, ids: Mapping[str, np.ndarray]) -> None:
        of = {n: torch.from_numpy(v).to(torch.int64) for n, v in ids.items()}
        many = len(next(iter(of.values())))
        new = {
            f.column: _keys(of, f)[torch.stack([of[c] for c in f.inputs]).ge(0).all(0).numpy()] for f in self.features
        }
        for name, keys in {"": np.zeros(many, np.int64), **new}.items():
            old, counts = self._of[name]
            unique, place = np.unique(np.concatenate([old, keys]), return_inverse=True)
            summed = np.zeros((len(unique), 2), np.int64)
            summed[place[: len(old)]] = counts
            summed[:, which] += np.bincount(place[len(old) :], minlength=len(unique))
            self._of[name] = unique, summed


def _found(table: tuple[np.ndarray, np.ndarray], keys: np.ndarray) -> np.ndarray:
    """(n, 2) counts of keys; 0 of those that were never counted."""
    known, counts = table
    if not len(known):
        return np.zeros((len(keys), 2), np.int64)
    place = np.searchsorted(known, keys).clip(max=len(known) - 1)
    return np.where((known[place] == keys)[:, None], counts[place], 0)


def _clicked_ms(log: Path, rows: Batch, label: str) -> Tensor:
    """(rows,) when each was clicked, by the log's table of clicks; 0 where it was not, or there is no such table."""
    timed = label == "click" and ROW in rows and bool(table_files(log, label))
    if not timed or not {ROW, TIME} <= set(columns_of(log, label)):
        return torch.zeros_like(tensor_of(rows[TIME]))
    return read_moments(log, label, tensor_of(rows[ROW]), 0)


def _keys(ids: Mapping[str, Tensor], feature: Feature) -> np.ndarray:
    keys: np.ndarray = mixed([ids[c] for c in feature.inputs]).numpy()
    return keys


def rate(impressions: Tensor, clicked: Tensor) -> Tensor:
    """(n,) share of the rows that were clicked; a half before the first one."""
    return (clicked + 0.5) / (torch.maximum(impressions, clicked) + 1.0)


def numbers(impressions: Tensor, clicked: Tensor, mean: Tensor) -> Tensor:
    """(n, 2) of about unit scale: a quarter of log(1 + rows), and the log-odds of the smoothed rate over the mean's."""
    # A click may be counted before its impression, at an hour's turn.
    smoothed = (clicked + PRIOR * mean) / (torch.maximum(impressions, clicked) + PRIOR)
    return torch.stack([impressions.log1p() / 4, smoothed.logit() - mean.expand_as(smoothed).logit()], 1)
