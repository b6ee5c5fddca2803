"""Batches of columns that are already in memory: small worlds, public logs, rows that a model makes.

Where rows belong together (the page of a list, a kind beside another) batches are cut between them: a page that is cut
in two is two other lists to a listwise loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from recommend.data.parquet import Position
from recommend.data.ragged import Batch, Column, concat_batches, rows_of, select_batch, slice_batch, tensor_of


@dataclass(frozen=True)
class MemoryStream:
    """The same batches and positions as a ``ParquetStream`` gives, of one big batch.

    Attributes:
        columns: all rows, in the order of time.
        shuffle: a seed: another order every epoch, for data without time; None keeps the order.
        shard, shards: shard s of n takes batches s, s + n, ...
        cuts: first row of each batch, and the number of rows; None: one every ``batch_rows``.
    """

    columns: Batch
    batch_rows: int = 1024
    shuffle: int | None = None
    shard: int = 0
    shards: int = 1
    start: Position = field(default_factory=Position)
    cuts: tuple[int, ...] | None = None

    def rows(self) -> int:
        """Rows of this shard."""
        return sum(stop - at for at, stop in self._bounds())

    def __iter__(self) -> Iterator[dict[str, Column]]:
        for batch, _ in self.with_positions():
            yield batch

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]:
        """Batches, each with the position after it."""
        total, epoch, order = rows_of(self.columns), self.start.epoch, None
        if self.shuffle is not None:
            order = torch.randperm(total, generator=torch.Generator().manual_seed(self.shuffle * 1009 + epoch))
        bounds = self._bounds()
        for number in range(self.start.group, len(bounds)):
            at, stop = bounds[number]
            rows = self.columns
            batch = slice_batch(rows, at, stop) if order is None else select_batch(rows, order[at:stop])
            yield batch, Position(number + 1, 0, epoch)

    def _bounds(self) -> list[tuple[int, int]]:
        """First row and end of this shard's batches."""
        total = rows_of(self.columns)
        cuts = (*range(0, total, self.batch_rows), total) if self.cuts is None else self.cuts
        return list(pairwise(cuts))[self.shard :: self.shards]


def list_stream(columns: Batch, lists: str = "request_id", batch_rows: int = 256) -> MemoryStream:
    """Batches of as many whole lists as fit into ``batch_rows``; a longer list is a batch of its own.

    Args:
        columns: all rows; those of a list stand together.
        lists: column with the list's id.
    """
    cuts, end = [0], 0
    for length in torch.unique_consecutive(tensor_of(columns[lists]), return_counts=True)[1].tolist():
        if end > cuts[-1] and end + length - cuts[-1] > batch_rows:
            cuts.append(end)
        end += length
    return MemoryStream(columns, cuts=(*cuts, end) if end else (0,))


def interleave(first: Batch, second: Batch, batch_rows: int, lengths: np.ndarray) -> MemoryStream:
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
    mixed = select_batch(both, torch.from_numpy(np.concatenate(order)))
    return MemoryStream(mixed, cuts=tuple(int(c) for c in cuts))
