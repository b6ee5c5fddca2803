"""A log as KEEP sees it: the super-domain of all channels, one channel of it day by day, and knowledge by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from recommend.config import TrainConfig
from recommend.data.content_join import Contents
from recommend.data.knowledge import KnowledgeStore, Snapshot, Table, Version
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import CHANNELS, table_files
from recommend.data.world.config import DAY_MS
from recommend.data.world.oracle import open_oracle
from recommend.data.world.write import LOG
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, Column, Ragged, concat_batches, select_batch, slice_batch
from recommend.models.base import Ranker
from recommend.models.keep import CATEGORY, Extractor
from recommend.training.optim import optimizers
from recommend.training.scoring import predictions
from recommend.training.trainer import WithLoss

TASKS = ("click", "cart", "order")
RAW = ("impression_id", "time_ms", "day", "channel", "user_id", "item_id", "category", "click")
CHUNK = 16_384  # keys that a tower works on at once


@dataclass(frozen=True)
class SuperDomain:
    """All impressions of a log.

    Attributes:
        encoders: fitted on the days before ``first``, the first day of the sub-domain's days.
        columns: encoded, in the order of time, with the ripe labels of ``TASKS``.
        raw: ``RAW`` of the same rows.
        events: of each task, the impressions that had the event and when (ms).
        clicks: items clicked, in the order of user, then time: ``user_id``, ``item_id``, ``time_ms``.
        items: columns of the item table, row = item_id.
        truth: (rows,) true click probability for one who does not know the rest of the page.
    """

    encoders: Encoders
    columns: dict[str, Column]
    raw: dict[str, np.ndarray]
    events: dict[str, tuple[np.ndarray, np.ndarray]]
    clicks: dict[str, np.ndarray]
    items: dict[str, np.ndarray]
    truth: np.ndarray

    @staticmethod
    def read(world: Path, features: FeatureMap, first: int, min_count: int = 10) -> SuperDomain:
        """Read a world's log; the vocabularies hold ids that were shown ``min_count`` times before day ``first``."""
        log = world / LOG
        files = table_files(log, "impression")
        columns = list(dict.fromkeys([*features.columns, *TASKS, *RAW]))
        data = concat_batches(list(ParquetStream(files, columns, batch_rows=65_536)))
        raw = {name: _numpy(data[name]) for name in RAW}
        earlier = slice_batch(data, 0, int((raw["day"] < first).sum()))  # the rows are in the order of time
        encoders = Encoders.fit(features, [earlier], min_count)
        encoded = encoders(Contents.read(log, features)(data))
        names = {*(f.column for f in features.features), *TASKS, features.group}
        clicks = _table(log, "click", ["user_id", "item_id", "post_id", "time_ms", "impression_id"])
        of_items = clicks["post_id"] < 0
        order = np.lexsort((clicks["time_ms"][of_items], clicks["user_id"][of_items]))
        events = {"click": (clicks["impression_id"], clicks["time_ms"])}
        for task in TASKS[1:]:
            found = _table(log, task, ["impression_id", "time_ms"])
            events[task] = (found["impression_id"], found["time_ms"])
        return SuperDomain(
            encoders=encoders,
            columns={name: encoded[name] for name in names},
            raw=raw,
            events=events,
            clicks={n: clicks[n][of_items][order] for n in ("user_id", "item_id", "time_ms")},
            items=_items(log),
            truth=open_oracle(world)["p_click_without_page"][raw["impression_id"]],
        )

    def where(self, first: int, last: int, channel: str | None = None) -> np.ndarray:
        """Rows of the days ``first``..``last`` (both included), of one channel or of all."""
        there = (self.raw["day"] >= first) & (self.raw["day"] <= last)
        return np.flatnonzero(there if channel is None else there & (self.raw["channel"] == CHANNELS.index(channel)))

    def rows(self, index: np.ndarray) -> dict[str, Column]:
        """Encoded rows with ripe labels."""
        return select_batch(self.columns, torch.from_numpy(index))

    def window(self, first: int, last: int) -> dict[str, Column]:
        """All channels' rows of a window, with the labels as they were known when its last day ended."""
        index = self.where(first, last)
        labels = {task: torch.from_numpy(self.known(task, index, (last + 1) * DAY_MS)) for task in TASKS}
        return {**self.rows(index), **labels}

    def known(self, task: str, index: np.ndarray, until_ms: int) -> np.ndarray:
        """(n,) whether the event of an impression had happened before a moment."""
        impressions, time = self.events[task]
        return np.isin(self.raw["impression_id"][index], impressions[time < until_ms])

    def behaviour(self, users: np.ndarray, until_ms: int) -> dict[str, Column]:
        """The users' encoded id and history columns as a request at ``until_ms`` would find them."""
        past = {name: values[self.clicks["time_ms"] < until_ms] for name, values in self.clicks.items()}
        longest = max(f.max_length for f in self.features.role("history"))
        flat, lengths = newest(past["user_id"], users, longest)
        item = past["item_id"][flat]
        out: dict[str, Column] = {self.features.group: self._encoded(self.features.group, users)}
        for feature in self.features.role("history"):
            values = self._of_items(feature.match, item)
            out[feature.column] = Ragged(values, torch.from_numpy(lengths))
        return out

    def listing(self, items: np.ndarray) -> dict[str, Column]:
        """The items' encoded columns, as their listing says: they are known from then on."""
        return {f.column: self._of_items(f.column, items) for f in self.features.role("target") if f.kind != "number"}

    @property
    def features(self) -> FeatureMap:
        return self.encoders.features

    def _encoded(self, column: str, ids: np.ndarray) -> Tensor:
        feature = next(f for f in self.features.features if f.column == column)
        return self.encoders.row(feature.vocabulary, torch.from_numpy(ids.astype(np.int64)))

    def _of_items(self, column: str, items: np.ndarray) -> Tensor:
        values = items if column == "item_id" else self.items[column][items]
        return torch.from_numpy(values) if column == "content" else self._encoded(column, values)


def newest(owner: np.ndarray, users: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the users' last ``longest`` events in a list ordered by user and time, and how many each user has."""
    begin, end = (np.searchsorted(owner, users, side) for side in ("left", "right"))
    begin = np.maximum(begin, end - longest)
    lengths = end - begin
    return np.repeat(begin - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum()), lengths


def extract(extractor: Extractor, domain: SuperDomain, until_ms: int) -> dict[str, Table]:
    """Knowledge of every user seen, item listed and pair of user and category shown before a moment.

    Storage grows with users, items and active pairs; no table has a row for each user and item.
    """
    shown = domain.raw["time_ms"] < until_ms
    users = np.unique(domain.raw["user_id"][shown])
    pairs = np.unique(np.column_stack([domain.raw[name][shown] for name in ("user_id", CATEGORY)]), axis=0)
    items = np.flatnonzero(domain.items["listed_ms"] < until_ms)
    of_user = domain.behaviour(users, until_ms)
    of_pair = select_batch(of_user, torch.from_numpy(np.searchsorted(users, pairs[:, 0])))
    of_pair[CATEGORY] = domain._encoded(CATEGORY, pairs[:, 1])
    return {
        "user": (users, vectors(extractor.user_vector, of_user)),
        "item": (items, vectors(extractor.item_vector, domain.listing(items))),
        "pair": (pairs, vectors(extractor.pair_vector, of_pair)),
    }


def publish(store: KnowledgeStore, extractor: Extractor, domain: SuperDomain, until_ms: int) -> Version:
    """A new version of all knowledge that an extractor has, of events before a moment.

    Raises:
        DataError: later events have trained the extractor.
    """
    _no_later(extractor, until_ms)
    return store.publish(extract(extractor, domain, until_ms), until_ms)


def list_items(store: KnowledgeStore, extractor: Extractor, domain: SuperDomain, first_ms: int, last_ms: int) -> None:
    """Add the items listed between two moments: their tower reads the listing alone, so nothing need happen first.

    Raises:
        DataError: events that are later than the current version's have trained the extractor.
    """
    with store.snapshot() as snapshot:
        _no_later(extractor, snapshot.version.until_ms)
    listed = domain.items["listed_ms"]
    items = np.flatnonzero((listed >= first_ms) & (listed < last_ms))
    store.extend("item", items, vectors(extractor.item_vector, domain.listing(items)))


@torch.no_grad()
def vectors(tower: Callable[[Batch], Tensor], batch: Batch) -> np.ndarray:
    """(keys, width) vectors of a tower."""
    parts = [tower(part) for part in MemoryStream(batch, CHUNK)]
    return torch.cat(parts).numpy()


def looked_up(snapshot: Snapshot, raw: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Knowledge columns of rows, from one version; refused for rows of before its time."""
    keys = {
        "user": raw["user_id"],
        "item": raw["item_id"],
        "pair": np.column_stack([raw["user_id"], raw[CATEGORY]]),
    }
    return {
        f"knowledge_{kind}": torch.from_numpy(snapshot.lookup(kind, k, raw["time_ms"]).copy())
        for kind, k in keys.items()
    }


def day_by_day(
    model: Ranker, days: Iterator[tuple[dict[str, Column], dict[str, Column]]], config: TrainConfig
) -> np.ndarray:
    """Predict each day's click before learning it; returns the predictions of all days.

    Args:
        days: what is asked and what is learned on each day; the optimiser's moments live on from day to day. A day is
            drawn when the days before it are learned and before it is asked itself.
    """
    torch.set_num_threads(config.threads or 1)
    torch.manual_seed(config.seed)
    steps, loss_of, found = optimizers(model, config.learning_rate), WithLoss(model), []
    for asked, learned in days:
        found.append(predictions(model, MemoryStream(asked, 4_096))["p_click"])
        model.train()
        for batch in MemoryStream(learned, config.batch_rows):
            for optimizer in steps:
                optimizer.zero_grad(set_to_none=True)
            loss_of(batch).backward()
            for optimizer in steps:
                optimizer.step()
    return np.concatenate(found)


def _no_later(extractor: Extractor, until_ms: int) -> None:
    if extractor.until_ms > until_ms:
        raise DataError(
            f"the extractor has learned events until {extractor.until_ms} ms and cannot publish knowledge of events "
            f"until {until_ms} ms."
        )


def _table(log: Path, table: str, columns: list[str]) -> dict[str, np.ndarray]:
    found = concat_batches(list(ParquetStream(table_files(log, table), columns, batch_rows=65_536)))
    return {name: _numpy(found[name]) for name in columns}


def _items(log: Path) -> dict[str, np.ndarray]:
    names = ["category", "condition", "price_bucket", "seller_id", "single", "listed_ms"]
    found: dict[str, Any] = _table(log, "item", names)
    content = [pq.read_table(file, columns=["content"])["content"] for file in table_files(log, "item")]
    flat = np.concatenate([part.combine_chunks().values.to_numpy() for part in content])
    return {**found, "content": flat.reshape(len(found["category"]), -1)}


def _numpy(column: Column) -> np.ndarray:
    assert isinstance(column, Tensor)
    return column.numpy()
