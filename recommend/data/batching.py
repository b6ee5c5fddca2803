"""Batches of columns in memory that keep together what belongs together: whole lists, groups, two kinds of rows.

A page that is cut in two is two other lists to a listwise loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from recommend.data.parquet import Position
from recommend.features.ragged import Batch, Column, concat_batches, rows_of, select_batch, slice_batch


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


@dataclass(frozen=True)
class CutStream:
    """Batches of columns in memory, cut at given rows: what belongs together stays together.

    Attributes:
        cuts: first row of each batch, and the number of rows.
    """

    columns: Batch
    cuts: tuple[int, ...]
    start: Position = field(default_factory=Position)

    def rows(self) -> int:
        """Rows of a pass."""
        return self.cuts[-1] - self.cuts[0]

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]:
        """Batches, each with the position after it."""
        for number in range(self.start.group, len(self.cuts) - 1):
            batch = slice_batch(self.columns, self.cuts[number], self.cuts[number + 1])
            yield batch, Position(number + 1, 0, self.start.epoch)


def interleave(first: Batch, second: Batch, batch_rows: int, lengths: np.ndarray) -> CutStream:
    """Batches of ``batch_rows`` rows of ``first``, each followed by its share of ``second``, both in their order.

    Args:
        lengths: of consecutive groups of ``second`` that must not be parted; each batch gets about equally many groups.
    """
    rows = rows_of(first)
    begins = np.arange(0, rows, batch_rows)
    ends = np.append(begins[1:], rows)
    place = np.concatenate([[0], np.cumsum(lengths)])
    shared = place[np.linspace(0, len(lengths), len(begins) + 1).round().astype(int)]
    order, cuts = [], [0]
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        order += [np.arange(begin, end), rows + np.arange(shared[number], shared[number + 1])]
        cuts.append(cuts[-1] + end - begin + shared[number + 1] - shared[number])
    both = concat_batches([first, {name: second[name] for name in first}])
    return CutStream(select_batch(both, torch.from_numpy(np.concatenate(order))), tuple(int(c) for c in cuts))
