"""Batches that hold whole lists: a page that is cut in two is two other lists to a listwise loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from recommend.data.parquet import Position
from recommend.features.ragged import Batch, Column, rows_of, select_batch, slice_batch


@dataclass(frozen=True)
class ListStream:
    """Batches of one big batch in memory, cut only between lists.

    Attributes:
        columns: all rows; those of a list stand together.
        lists: column with the list's id.
        batch_rows: as many whole lists as fit; a longer list is a batch of its own.
        shuffle: a seed: lists in another order every epoch, for data without time; None keeps the order.
        shard, shards: shard s of n takes batches s, s + n, ...
    """

    columns: Batch
    lists: str = "request_id"
    batch_rows: int = 256
    shuffle: int | None = None
    shard: int = 0
    shards: int = 1
    start: Position = field(default_factory=Position)

    def rows(self) -> int:
        """Rows of this shard (of the first pass, when shuffled)."""
        lengths = self._lengths()
        cuts = _cuts(lengths if self.shuffle is None else lengths[self._order(len(lengths), 0)], self.batch_rows)
        return sum(stop - at for at, stop in cuts[self.shard :: self.shards])

    def __iter__(self) -> Iterator[dict[str, Column]]:
        for batch, _ in self.with_positions():
            yield batch

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]:
        """Batches, each with the position after it."""
        lengths, epoch, index = self._lengths(), self.start.epoch, None
        if self.shuffle is not None:
            order = self._order(len(lengths), epoch)
            starts = (lengths.cumsum(0) - lengths)[order]
            lengths = lengths[order]
            index = torch.arange(int(lengths.sum())) + (starts - (lengths.cumsum(0) - lengths)).repeat_interleave(
                lengths
            )
        cuts = _cuts(lengths, self.batch_rows)[self.shard :: self.shards]
        for number in range(self.start.group, len(cuts)):
            at, stop = cuts[number]
            rows = self.columns
            batch = slice_batch(rows, at, stop) if index is None else select_batch(rows, index[at:stop])
            yield batch, Position(number + 1, 0, epoch)

    def _order(self, lists: int, epoch: int) -> Tensor:
        assert self.shuffle is not None
        return torch.randperm(lists, generator=torch.Generator().manual_seed(self.shuffle * 1009 + epoch))

    def _lengths(self) -> Tensor:
        if not rows_of(self.columns):
            return torch.empty(0, dtype=torch.int64)
        ids = self.columns[self.lists]
        assert isinstance(ids, Tensor)
        return torch.unique_consecutive(ids, return_counts=True)[1]


def _cuts(lengths: Tensor, size: int) -> list[tuple[int, int]]:
    """First and last + 1 row of each batch."""
    cuts, at, end = [], 0, 0
    for length in lengths.tolist():
        if end > at and end + length - at > size:
            cuts.append((at, end))
            at = end
        end += length
    return [*cuts, (at, end)] if end > at else cuts
