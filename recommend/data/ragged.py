"""Ragged columns: all values in one tensor, and how many belong to each row.

The layout is that of TorchRec's jagged tensors (``values`` + ``lengths``), so a history costs what it holds; nothing is
padded, and nothing needs a mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """``lengths[i]`` consecutive entries of ``values`` belong to row i.

    Attributes:
        values: (total, ...) of any dtype.
        lengths: (rows,) int64, summing to total.
    """

    values: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property  # a stream slices one long column once a batch
    def offsets(self) -> Tensor:
        """(rows + 1,) where each row starts; the last entry is the total."""
        return torch.nn.functional.pad(self.lengths.cumsum(0), (1, 0))

    @property
    def rows(self) -> Tensor:
        """(total,) the row to which each value belongs."""
        if torch.compiler.is_exporting():  # by sums, which every program format has: how many rows have ended before
            ends = self.offsets[1:]
            marks = ends.new_zeros(self.values.shape[0] + 1).index_add(0, ends, torch.ones_like(ends))
            return marks.cumsum(0)[:-1]
        at = torch.arange(self.lengths.shape[0], device=self.lengths.device)
        return torch.repeat_interleave(at, self.lengths, output_size=self.values.shape[0])

    def with_values(self, values: Tensor) -> Ragged:
        """The same lengths over other values, for example their embeddings."""
        return Ragged(values, self.lengths)

    def map(self, function: Callable[[Tensor], Tensor]) -> Ragged:
        """The values changed one by one, for example to their embeddings."""
        return Ragged(function(self.values), self.lengths)

    def beside(self, others: Sequence[Ragged]) -> Ragged:
        """The values (total, w) of parallel columns side by side."""
        return Ragged(torch.cat([self.values, *(other.values for other in others)], 1), self.lengths)

    def select(self, index: Tensor) -> Ragged:
        """The rows of an index, in its order (repetition allowed)."""
        lengths = self.lengths[index]
        starts = self.offsets[:-1][index]
        within = torch.arange(int(lengths.sum()), device=lengths.device) - torch.repeat_interleave(
            lengths.cumsum(0) - lengths, lengths
        )
        return Ragged(self.values[torch.repeat_interleave(starts, lengths) + within], lengths)

    def slice(self, start: int, stop: int) -> Ragged:
        """Rows start..stop without copying the values."""
        offsets = self.offsets
        return Ragged(self.values[int(offsets[start]) : int(offsets[stop])], self.lengths[start:stop])

    def last(self, count: int) -> Ragged:
        """At most the last ``count`` values of each row: histories are ordered oldest first.

        An exported program cuts nothing: whoever calls it sends no more.
        """
        if torch.compiler.is_exporting() or not len(self.values) or int(self.lengths.max()) <= count:
            return self
        within = torch.arange(len(self.values), device=self.lengths.device) - self.offsets[:-1].repeat_interleave(
            self.lengths
        )
        keep = within >= (self.lengths - count).repeat_interleave(self.lengths)
        return Ragged(self.values[keep], self.lengths.clamp(max=count))

    def keep(self, mask: Tensor) -> Ragged:
        """The values where ``mask`` (total,) is true; rows may become empty."""
        lengths = torch.zeros_like(self.lengths).index_add(0, self.rows, mask.to(self.lengths.dtype))
        return Ragged(self.values[mask], lengths)

    def padded(self, size: int | None = None, fill: float = 0) -> tuple[Tensor, Tensor]:
        """(rows, size, ...) values and (rows, size) bool mask of the real ones; for layers that need a rectangle."""
        size = size or max(int(self.lengths.max()) if len(self) else 0, 1)
        mask = torch.arange(size, device=self.lengths.device)[None, :] < self.lengths[:, None]
        out = self.values.new_full((self.lengths.shape[0], size, *self.values.shape[1:]), fill)
        rows = self.rows
        within = torch.arange(self.values.shape[0], device=rows.device) - self.offsets[:-1].index_select(0, rows)
        return out.index_put((rows, within), self.values), mask

    def to(self, device: torch.device | str) -> Ragged:
        """On another device."""
        return Ragged(self.values.to(device), self.lengths.to(device))

    @staticmethod
    def of(rows: Sequence[Sequence[float]], dtype: torch.dtype = torch.int64) -> Ragged:
        """From lists, for tests and small inputs."""
        flat = [value for row in rows for value in row]
        return Ragged(torch.tensor(flat, dtype=dtype), torch.tensor([len(row) for row in rows], dtype=torch.int64))

    @staticmethod
    def concat(parts: Sequence[Ragged]) -> Ragged:
        """Rows of all parts, one below the other."""
        return Ragged(torch.cat([p.values for p in parts]), torch.cat([p.lengths for p in parts]))


class Repeated(Ragged):
    """The same values in each of ``count`` rows: one visitor's history beside many candidates, kept once.

    Args:
        one: (length, ...) values of a row.
        count: rows.
    """

    one: Tensor
    count: int

    def __init__(self, one: Tensor, count: int) -> None:
        object.__setattr__(self, "one", one)
        object.__setattr__(self, "count", count)

    def __len__(self) -> int:
        return self.count

    @property
    def values(self) -> Tensor:
        """(count * length, ...) for whoever reads them row by row."""
        return self.one.repeat(self.count, *([1] * (self.one.dim() - 1)))

    @property
    def lengths(self) -> Tensor:
        return torch.full((self.count,), self.one.shape[0], dtype=torch.int64, device=self.one.device)

    def map(self, function: Callable[[Tensor], Tensor]) -> Repeated:
        return Repeated(function(self.one), self.count)

    def beside(self, others: Sequence[Ragged]) -> Ragged:
        same = [other.one for other in others if isinstance(other, Repeated)]
        return (
            Repeated(torch.cat([self.one, *same], 1), self.count)
            if len(same) == len(others)
            else super().beside(others)
        )

    def last(self, count: int) -> Repeated:
        return Repeated(self.one[-count:], self.count)

    def to(self, device: torch.device | str) -> Repeated:
        return Repeated(self.one.to(device), self.count)


Column = Tensor | Ragged
Batch = Mapping[str, Column]


def rows_of(batch: Batch) -> int:
    """Number of samples in a batch."""
    return len(next(iter(batch.values()))) if batch else 0


def on_device(batch: Batch, device: torch.device | str) -> Batch:
    """Every column on a device; those that are there stay."""
    return batch if str(device) == "cpu" else {name: column.to(device) for name, column in batch.items()}


def slice_batch(batch: Batch, start: int, stop: int) -> dict[str, Column]:
    """Rows start..stop of every column."""
    return {k: v.slice(start, stop) if isinstance(v, Ragged) else v[start:stop] for k, v in batch.items()}


def select_batch(batch: Batch, index: Tensor) -> dict[str, Column]:
    """The rows of an index of every column."""
    return {k: v.select(index) if isinstance(v, Ragged) else v[index] for k, v in batch.items()}


def tensor_of(column: Column) -> Tensor:
    """A column of one value (or one vector) a row."""
    assert isinstance(column, Tensor)
    return column


def ragged_of(column: Column) -> Ragged:
    """A column of a list a row."""
    assert isinstance(column, Ragged)
    return column


def array_of(column: Column) -> np.ndarray:
    """``tensor_of`` for NumPy; the memory is shared."""
    return tensor_of(column).numpy()


def concat_batches(parts: Sequence[Batch]) -> dict[str, Column]:
    """All rows of several batches with the same columns."""
    if len(parts) == 1:
        return dict(parts[0])
    joined: dict[str, Column] = {}
    for name, first in parts[0].items():
        values = [part[name] for part in parts]
        if isinstance(first, Ragged):
            joined[name] = Ragged.concat([value for value in values if isinstance(value, Ragged)])
        else:
            joined[name] = torch.cat([tensor_of(value) for value in values])
    return joined
