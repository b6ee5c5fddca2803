"""A log of anybody's, its map, and what an import makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recommend.data.schema import table_files
from recommend.imports.maps import LogMap
from recommend.imports.run import import_log

EVENTS = LogMap.of(
    {
        "user": "who",
        "item": "sku",
        "time": {"column": "at", "unit": "s"},
        "behaviour": {"column": "did", "values": {"v": "click", "b": "order", "r": "refund"}},
        "target": {"category": "cat", "price": "price"},
        "longest": 5,
    }
)
NOW = 1_700_000_000_000


def events(rows: int = 400, users: int = 6, seed: int = 0) -> dict[str, list]:
    """A log in which moments coincide, texts are ids, and cells are empty."""
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 30, rows)
    return {
        "who": [f"u{u}" for u in rng.integers(0, users, rows)],
        "sku": [f"s-{i}" for i in item],
        "at": (1_600_000_000 + rng.integers(0, 4 * 1440, rows) * 60).tolist(),
        "did": rng.choice(["v", "v", "v", "b", "r"], rows).tolist(),
        "cat": [None if i == 3 else f"c{i % 4}" for i in item],
        "price": [None if i == 4 else float(i) for i in item],
    }


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def csv(path: Path, columns: dict[str, Any]) -> Path:
    rows = [",".join("" if v is None else str(v) for v in row) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")
    return path


def bring(path: Path, log_map: LogMap, out: Path, **more: Any) -> dict[str, Any]:
    """The report of an import at a moment after all events."""
    return import_log([path], log_map, out, **{"now_ms": NOW, **more})


def table(out: Path, name: str = "impression") -> pa.Table:
    """A table of an imported log."""
    return pa.concat_tables([pq.ParquetFile(f).read() for f in table_files(out, name)])
