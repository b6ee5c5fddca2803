"""A world's rows for training: days in order of time, histories joined from the clicks when read.

Nothing here opens the truth; training runs within ``no_oracle()``, where opening it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from recommend.data.parquet import DataError, Position, tensor_column
from recommend.data.ragged import Batch, Column, Ragged, rows_of, select_batch, slice_batch
from recommend.data.schema import day_file, table_files
from recommend.features.feature_map import Feature, FeatureMap

HISTORY = {"history_item": "item_id", "history_category": "category", "history_brand": "brand",
           "history_single": "single", "history_post": "post_id"}  # fmt: skip
_SPAN = np.int64(1) << 40  # more milliseconds than any world has


def world_map(labels: tuple[str, ...] = ("click",), ids: bool = True, cross: bool = False) -> FeatureMap:
    """The inputs of base models in a world: all of it known at the request.

    Args:
        ids: with the things' own ids, in target and history.
        cross: with city x brand as an id of its own, which no tower of two can read.
    """
    context = ("user_id", "age_group", "city", "hour", "channel", "promotion_kind")
    target = [*(["item_id"] if ids else []), "brand", "condition", "price_bucket", "single"]
    features = [Feature(column=c, role="context") for c in context]
    features += [Feature(column=c, role="target") for c in [*target, "category"]]
    features += [
        Feature(column=c, role="target", kind="number")
        for c in ("item_age_h", *(() if labels == ("order",) else ("position",)))
    ]
    if cross:
        features.append(Feature(column="city_brand", role="target", cross=("city", "brand")))
    for column, match in HISTORY.items():
        if match in ("category", *target):
            features.append(Feature(column=column, role="history", match=match, max_length=20))
    return FeatureMap(features=tuple(features), labels=labels)


class Histories:
    """The clicks of a log, by user and time.

    Args:
        root: the folder with the tables.
        channels: codes of the channels whose clicks count (KEEP's own channel); None: all.
    """

    def __init__(self, root: Path, channels: Sequence[int] | None = None, longest: int = 20) -> None:
        self.longest = longest
        table = "click" if table_files(root, "click") else "impression"  # rows of the view of clicks are clicks
        files = table_files(root, table)
        names = ["user_id", "time_ms", "channel", *(n for n in HISTORY.values() if n != "post_id" or table == "click")]
        parts = [pq.read_table(f, columns=names) for f in files]
        data = {n: np.concatenate([p[n].to_numpy() for p in parts]) for n in names}
        selected = np.isin(data["channel"], channels) if channels is not None else np.ones(len(data["channel"]), bool)
        key = data["user_id"][selected].astype(np.int64) * _SPAN + data["time_ms"][selected]
        order = np.argsort(key, kind="stable")
        self._key = key[order]
        self._columns = {h: torch.from_numpy(data[n][selected][order].astype(np.int64))
                         for h, n in HISTORY.items() if n in data}  # fmt: skip

    def join(self, user: np.ndarray, time: np.ndarray, names: Sequence[str]) -> dict[str, Column]:
        """Ragged histories of rows (n,): the last clicks before each, oldest first."""
        user = user.astype(np.int64)
        stop = np.searchsorted(self._key, user * _SPAN + time, side="left")
        start = np.maximum(np.searchsorted(self._key, user * _SPAN), stop - self.longest)
        length = stop - start
        total = np.cumsum(length)
        place = np.arange(total[-1] if len(total) else 0) - np.repeat(total - length - start, length)
        at, lengths = torch.from_numpy(place), torch.from_numpy(length)
        return {name: Ragged(self._columns[name][at], lengths) for name in names}


@dataclass(frozen=True)
class WorldStream:
    """Batches of days of a world, as ``training.trainer.train`` takes them; a position's group is a day.

    Attributes:
        root: the folder with the tables.
        days: first and last, both included.
        columns: to read; those of ``HISTORY`` are joined.
        histories: where they come from; None where no column needs them.
        where: keeps rows of a day's columns (a mask), such as those of one channel.
    """

    root: Path
    days: tuple[int, int]
    columns: Sequence[str]
    histories: Histories | None = None
    batch_rows: int = 1024
    where: Callable[[Batch], torch.Tensor] | None = None
    table: str = "impression"
    start: Position = field(default_factory=Position)

    def rows(self) -> int:
        """Rows of the days; with ``where`` at most."""
        files = table_files(self.root, self.table, *self.days)
        return sum(pq.ParquetFile(f).metadata.num_rows for f in files)

    def __iter__(self) -> Iterator[dict[str, Column]]:
        for batch, _ in self.with_positions():
            yield batch

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]:
        """Batches, each with the position of the row after it; the last batch of a day may be smaller."""
        first, last = self.days
        for day in range(max(first, first + self.start.group), last + 1):
            data = self.day(day)
            size, row = rows_of(data), self.start.row if day == first + self.start.group else 0
            while row < size:
                stop = min(row + self.batch_rows, size)
                done = stop == size
                after = Position(day - first + done, 0 if done else stop, self.start.epoch)
                yield slice_batch(data, row, stop), after
                row = stop

    def day(self, day: int) -> dict[str, Column]:
        """All rows of a day, joined."""
        path = day_file(self.root, self.table, day)
        if not path.exists():
            raise DataError(f"there is no data file {path}.")
        plain = [c for c in self.columns if c not in HISTORY]
        read = list(dict.fromkeys([*plain, "user_id", "time_ms"]))
        table = pq.ParquetFile(path).read(columns=read, use_threads=False)
        data: dict[str, Column] = {name: tensor_column(table[name], name, path) for name in read}
        if self.histories is not None:
            user, time = table["user_id"].to_numpy(), table["time_ms"].to_numpy()
            data |= self.histories.join(user, time, [c for c in self.columns if c in HISTORY])
        if self.where is not None:
            data = select_batch(data, self.where(data).nonzero().squeeze(1))
        return {name: data[name] for name in self.columns}
