"""Batches of columns that are already in memory: small worlds, public logs, tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from recommend.data.parquet import Position
from recommend.data.ragged import Batch, Column, rows_of, select_batch, slice_batch


@dataclass(frozen=True)
class MemoryStream:
    """The same batches and positions as a ``ParquetStream`` gives, of one big batch.

    Attributes:
        columns: all rows, in the order of time.
        shuffle: a seed: another order every epoch, for data without time; None keeps the order.
        shard, shards: shard s of n takes batches s, s + n, ...
    """

    columns: Batch
    batch_rows: int = 1024
    shuffle: int | None = None
    shard: int = 0
    shards: int = 1
    start: Position = field(default_factory=Position)

    def rows(self) -> int:
        """Rows of this shard."""
        total, size = rows_of(self.columns), self.batch_rows
        return sum(min(size, total - at) for at in range(self.shard * size, total, size * self.shards))

    def __iter__(self) -> Iterator[dict[str, Column]]:
        for batch, _ in self.with_positions():
            yield batch

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]:
        """Batches, each with the position after it."""
        total, size, epoch = rows_of(self.columns), self.batch_rows, self.start.epoch
        order = None
        if self.shuffle is not None:
            order = torch.randperm(total, generator=torch.Generator().manual_seed(self.shuffle * 1009 + epoch))
        begins = range(self.shard * size, total, size * self.shards)
        for number in range(self.start.group, len(begins)):
            at = begins[number]
            stop = min(at + size, total)
            rows = self.columns
            batch = slice_batch(rows, at, stop) if order is None else select_batch(rows, order[at:stop])
            yield batch, Position(number + 1, 0, epoch)
