"""Batches of columns in memory that keep together what belongs together: whole lists, groups, two kinds of rows.

A page that is cut in two is two other lists to a listwise loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from recommend.data.parquet import Position
from recommend.data.ragged import Batch, Column, concat_batches, rows_of, select_batch, slice_batch, tensor_of


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


@dataclass(frozen=True)
class ListStream:
    """Batches of one big batch in memory, cut only between lists.

    Attributes:
        columns: all rows; those of a list stand together.
        lists: column with the list's id.
        batch_rows: as many whole lists as fit; a longer list is a batch of its own.
    """

    columns: Batch
    lists: str = "request_id"
    batch_rows: int = 256
    start: Position = field(default_factory=Position)

    def rows(self) -> int:
        """Rows of a pass."""
        return rows_of(self.columns)

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]:
        """Batches, each with the position after it."""
        cuts, end = [0], 0
        for length in torch.unique_consecutive(tensor_of(self.columns[self.lists]), return_counts=True)[1].tolist():
            if end > cuts[-1] and end + length - cuts[-1] > self.batch_rows:
                cuts.append(end)
            end += length
        return CutStream(self.columns, (*cuts, end) if end else (0,), self.start).with_positions()


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
