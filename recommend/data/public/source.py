"""Where public logs lie and how their files become tables of declared columns."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from recommend.data.parquet import FAULTS, DataError
from recommend.data.schema import Column, Known

DAY_MS = 86_400_000
NONE = -1  # an id that is not there, as everywhere in the schema


def folder(name: str, root: Path | None = None) -> Path:
    """The folder of a log: ``root/name``, where root is ``IPL_DATA`` or else ``../shared/data`` beside the repository.

    Raises:
        DataError: it is not there.
    """
    found = Path(root or os.environ.get("IPL_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data") / name
    if not found.is_dir():
        raise DataError(f"there is no folder {found}; put the log there or name the folder of the logs in IPL_DATA.")
    return found


def present(name: str, root: Path | None = None) -> bool:
    """Whether a log is there."""
    try:
        folder(name, root)
    except DataError:
        return False
    return True


def read_parquet(path: Path, columns: Sequence[str]) -> pa.Table:
    """These columns of a Parquet file."""
    there(path)
    try:
        with pq.ParquetFile(path) as file:
            _all_there(path, columns, file.schema_arrow.names)
            return file.read(columns=list(columns), use_threads=False)
    except DataError:
        raise
    except FAULTS as error:
        raise broken(path, error) from error


def read_csv(path: Path, types: Mapping[str, pa.DataType], names: Sequence[str] | None = None) -> pa.Table:
    """The columns of ``types`` of a text file.

    Args:
        types: column to type; an empty cell or NULL becomes null.
        names: of the columns of a file without a header; None reads the header (spaces around its names are ignored).
    """
    there(path)
    try:
        header = list(names) if names is not None else _header(path)
        _all_there(path, types, header)
        reading = pcsv.ReadOptions(column_names=header, skip_rows=0 if names is not None else 1, use_threads=False)
        converting = pcsv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(types),
            null_values=["", "NULL", "null", "NaN", "nan"],
            strings_can_be_null=False,
        )
        return pcsv.read_csv(path, reading, convert_options=converting)
    except DataError:
        raise
    except FAULTS as error:
        raise broken(path, error) from error


def typed(columns: Sequence[Column], data: Mapping[str, Any], path: Path | str) -> pa.Table:
    """A table of exactly these columns; a value that does not fit its type is one sentence."""
    schema = pa.schema([pa.field(c.name, c.type, metadata={"meaning": c.meaning, "known": c.known}) for c in columns])
    try:
        return pa.table([_cast(data[f.name], f.type) for f in schema], schema=schema)
    except FAULTS as error:
        raise broken(path, error) from error


def numpy(table: pa.Table, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Columns as arrays; text as objects, lists are refused by numpy itself."""
    return {n: table[n].combine_chunks().to_numpy(zero_copy_only=False) for n in (names or table.column_names)}


def in_time(table: pa.Table, *keys: str) -> pa.Table:
    """Rows in ascending order of the keys; equal ones keep the file's order."""
    order = np.lexsort([np.asarray(table[key]) for key in reversed(keys)])
    return table.take(pa.array(order))


def codes(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, list[str]]:
    """Text to (rows,) int64 codes by alphabetical order, -1 for null, and the texts by code."""
    known = sorted(v for v in pc.unique(column).to_pylist() if v is not None)
    return _filled(pc.index_in(column, pa.array(known, column.type)), NONE).astype(np.int64), known


def hashed(column: pa.ChunkedArray | pa.Array, buckets: int) -> np.ndarray:
    """Text to (rows,) int64 buckets, the same on every machine and in every run; null counts as empty text."""
    encoded = pc.dictionary_encode(pc.fill_null(column, ""))
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    digests = [hashlib.blake2b(v.encode(), digest_size=8).digest() for v in encoded.dictionary.to_pylist()]
    of_text = np.array([int.from_bytes(d, "little") % buckets for d in digests], dtype=np.int64)
    return of_text[encoded.indices.to_numpy(zero_copy_only=False)]


def filled(column: pa.ChunkedArray | pa.Array, value: int = NONE) -> np.ndarray:
    """(rows,) int64 with nulls replaced."""
    return _filled(column, value).astype(np.int64)


def there(path: Path) -> None:
    """Raises:
    DataError: the file is not there.
    """
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}; put the log there or name the folder of the logs in IPL_DATA.")


def broken(path: Path | str, error: Exception) -> DataError:
    """One sentence for a file that cannot be read."""
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return DataError(f"{path} is not of the expected form ({reason}); copy it again.")


def _filled(column: pa.ChunkedArray | pa.Array, value: int) -> np.ndarray:
    return np.asarray(pc.fill_null(column, value))


def _cast(values: Any, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return array.cast(kind)


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [name.strip().strip('"') for name in file.readline().split(",")]


def _all_there(path: Path, wanted: Sequence[str] | Mapping[str, Any], found: Sequence[str]) -> None:
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise DataError(f"{path} lacks the columns {', '.join(missing)}.")


__all__ = ["DAY_MS", "NONE", "Column", "DataError", "Known"]
