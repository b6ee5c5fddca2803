"""Parquet files to batches of tensors: sharded by rank, resumable, one row group in memory at a time.

Row groups are the unit of reading and of sharding: of the log's row groups, counted over all files in order, shard s of
n reads numbers s, s + n, s + 2n, ... A position names the next row, so that a stream made from it goes on right there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from recommend.data.ragged import Column, Ragged, concat_batches, rows_of, slice_batch, tensor_of
from recommend.data.schema import table_files
from recommend.errors import RecommendError, first_line

# What Arrow raises on damaged bytes: names that are no text and sizes that are no sizes among it.
FAULTS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


READ_ROWS = 65_536


class DataError(RecommendError, ValueError):
    """A data file is missing, damaged or not of the expected form."""


@dataclass(frozen=True)
class Position:
    """The next row to read: ``group`` counts the shard's row groups, ``row`` the rows within it, ``epoch`` passes."""

    group: int = 0
    row: int = 0
    epoch: int = 0


@dataclass(frozen=True)
class ParquetStream:
    """Batches of a list of Parquet files, in their order.

    Attributes:
        files: read in this order, which is the order of time for the files of ``schema.table_files``.
        columns: the columns to read; others are never decoded.
        batch_rows: rows of a batch; only the last one may be smaller.
        shard, shards: this reader's share; see ``share``.
        start: where to begin (a checkpoint's position).
    """

    files: Sequence[Path]
    columns: Sequence[str]
    batch_rows: int = 1024
    shard: int = 0
    shards: int = 1
    start: Position = field(default_factory=Position)

    def share(self, rank: int, ranks: int) -> ParquetStream:
        """The part of one process; all parts together are the whole, and none overlap."""
        return replace(self, shard=rank, shards=ranks)

    def groups(self) -> list[tuple[Path, int]]:
        """This shard's row groups: file and number within the file. Reads footers only."""
        if not self.files:
            raise DataError("there are no data files to read.")
        every = [(Path(f), i) for f in self.files for i in range(_footer(Path(f), self.columns).num_row_groups)]
        return every[self.shard :: self.shards]

    def rows(self) -> int:
        """Rows of this shard, from the footers."""
        counts: dict[Path, pq.FileMetaData] = {}
        total = 0
        for path, group in self.groups():
            counts.setdefault(path, _footer(path, self.columns))
            total += counts[path].row_group(group).num_rows
        return total

    def __iter__(self) -> Iterator[dict[str, Column]]:
        for batch, _ in self.with_positions():
            yield batch

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]:
        """Batches, each with the position of the row after it."""
        carry: list[dict[str, Column]] = []
        missing = self.batch_rows
        epoch = self.start.epoch
        groups = self.groups()
        for number in range(self.start.group, len(groups)):
            data = read_group(*groups[number], self.columns)
            size, row = rows_of(data), self.start.row if number == self.start.group else 0
            while row < size:
                stop = min(row + missing, size)
                carry.append(slice_batch(data, row, stop))
                missing -= stop - row
                row = stop
                if missing == 0:
                    yield concat_batches(carry), Position(number, row, epoch)
                    carry, missing = [], self.batch_rows
        if carry:
            yield concat_batches(carry), Position(len(groups), 0, epoch)


def read_table(
    root: Path, table: str, columns: Sequence[str], first_day: int = 0, last_day: int | None = None
) -> dict[str, Column]:
    """Columns of a log's table of some days, all rows at once, in the order of time; empty where there are none."""
    files = table_files(root, table, first_day, last_day)
    parts = list(ParquetStream(files, columns, READ_ROWS)) if files else []
    return concat_batches(parts) if parts else {name: torch.empty(0, dtype=torch.int64) for name in columns}


def read_moments(
    root: Path, table: str, ids: torch.Tensor, none: int, first_day: int = 0, last_day: int | None = None
) -> torch.Tensor:
    """(impressions,) when the table's event of each happened, ms; ``none`` where there is no such event."""
    events = read_table(root, table, ["impression_id", "time_ms"], first_day, last_day)
    event_ids, time = tensor_of(events["impression_id"]), tensor_of(events["time_ms"])
    sorted_ids, place = ids.sort()
    nearest = torch.searchsorted(sorted_ids, event_ids).clamp(max=len(sorted_ids) - 1)
    matches = sorted_ids[nearest] == event_ids
    at = torch.full((len(ids),), none)
    at[place[nearest[matches]]] = time[matches]
    return at


def write_parts(path: Path, parts: Iterable[pa.Table], rows_of_group: int | None = None) -> int:
    """Write a file that appears under its name when it is whole, and nothing without a part; the number of its rows."""
    draft, writer, rows = path.with_name(f".{path.name}.partial"), None, 0
    try:
        for part in parts:
            if writer is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                writer = pq.ParquetWriter(draft, part.schema, write_page_checksum=True)
            writer.write_table(part, row_group_size=rows_of_group)
            rows += part.num_rows
        if writer is not None:
            writer.close()
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return rows


def read_group(path: Path, group: int, columns: Sequence[str]) -> dict[str, Column]:
    """One row group as tensors: numbers (rows,), strings refused, lists as ``Ragged``."""
    footer = _footer(path, columns)
    try:
        with pq.ParquetFile(path, metadata=footer, page_checksum_verification=True) as file:
            table = file.read_row_group(group, columns=list(columns), use_threads=False)
    except FAULTS as error:
        raise _damaged(path, error) from error
    return {name: tensor_column(table[name], name, path) for name in columns}


def tensor_column(chunks: pa.ChunkedArray, name: str, path: Path | str = "the table") -> Column:
    """An Arrow column as a tensor or, for lists, as values and lengths."""
    array = chunks.combine_chunks() if isinstance(chunks, pa.ChunkedArray) else chunks
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if array.null_count:
        raise DataError(f"{path}: column '{name}' has {array.null_count} empty values; fill them before training.")
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = torch.from_numpy(array.offsets.to_numpy().astype(np.int64))
        values = _tensor(array.values, name, path)[int(offsets[0]) : int(offsets[-1])]
        return Ragged(values, offsets.diff())
    return _tensor(array, name, path)


def _tensor(array: pa.Array, name: str, path: Path | str) -> torch.Tensor:
    kind = array.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError(f"{path}: column '{name}' holds {kind}; encode it as numbers first.")
    if array.null_count:
        raise DataError(f"{path}: lists of column '{name}' hold empty values; fill them before training.")
    values = array.to_numpy(zero_copy_only=False)
    if values.dtype.kind in "iu":
        values = values.astype(np.int64, copy=False)
    elif values.dtype.kind == "f":
        values = values.astype(np.float32, copy=False)
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def _footer(path: Path, columns: Sequence[str]) -> pq.FileMetaData:
    try:
        file = path.stat()
        footer, names = _read_footer(path, file.st_ino, file.st_mtime_ns, file.st_size)
    except FileNotFoundError as error:
        raise DataError(f"there is no data file {path}.") from error
    except FAULTS as error:
        raise _damaged(path, error) from error
    missing = sorted(set(columns) - names)
    if missing:
        raise DataError(f"{path} lacks the columns {', '.join(missing)}.")
    return footer


@lru_cache(maxsize=1024)
def _read_footer(path: Path, *version: int) -> tuple[pq.FileMetaData, frozenset[str]]:
    """A file's footer and columns: a training asks for each some ten times. ``version`` changes with the file."""
    with pq.ParquetFile(path) as file:
        return file.metadata, frozenset(file.schema_arrow.names)


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is damaged or no Parquet file ({first_line(error)}); write or copy it again.")
