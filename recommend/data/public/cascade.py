"""CASCADE (Alimama; WWW 2026, arXiv 2601.19965): 41 million clicks with their payments and refunds, 1 to 25 May 2025.

A folder of ``*.txt`` files, parted by tabs, without a header: click time (unix seconds), pay times and refund times
(lists in brackets, empty where nothing followed; the first one counts, as in the authors' code), then 22 categorical
features, a list of which counts by its first value. Days are those of UTC+8.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recommend.data.public import source
from recommend.data.public.source import Column

START_S = 1_746_028_800  # 2025-05-01 00:00 UTC+8
FEATURES = tuple(f"feature_{i:02d}" for i in range(22))
CLICKS = (
    Column("time_ms", pa.int64(), "of the click: milliseconds since 2025-05-01 00:00 UTC+8"),
    Column("day", pa.int32(), "time_ms // 86,400,000"),
    *(Column(name, pa.string(), "categorical; its meaning is not published") for name in FEATURES),
    Column("order_ms", pa.int64(), "of the payment, or -1", "label"),
    Column("refund_ms", pa.int64(), "of the refund, or -1", "label"),
)
FILE = ("click_time", "pay_time", "refund_time", *FEATURES)


def read(folder: Path) -> Iterator[pa.Table]:
    """``CLICKS`` in blocks, file by file in the order of their names; ``source.hashed`` makes ids of the features."""
    files = sorted(Path(folder).glob("*.txt"))
    if not files:
        raise source.DataError(f"there are no .txt files of CASCADE in {folder}; name the folder that holds them.")
    kinds = {"click_time": pa.int64()} | dict.fromkeys(FILE[1:], pa.string())
    for path in files:
        for block in source.stream_csv(path, kinds, names=FILE, delimiter="\t"):
            yield _clicks(block, path)


def _clicks(block: pa.Table, path: Path) -> pa.Table:
    try:
        pay, refund = (_since_start(pc.cast(_first(block[n]), pa.int64())) for n in ("pay_time", "refund_time"))
    except source.FAULTS as error:
        raise source.broken(path, error) from error
    time = (np.asarray(block["click_time"]).astype(np.int64) - START_S) * 1000
    data = {name: _first(block[name]) for name in FEATURES}
    data |= {"time_ms": time, "day": time // source.DAY_MS, "order_ms": pay, "refund_ms": refund}
    return source.typed(CLICKS, data, path)


def _first(column: pa.ChunkedArray) -> pa.Array:
    """The first value of ``[a, b]`` as text, null for ``[]``; what is no list stays as it is, without its quotes."""
    text = pc.fill_null(column, "").combine_chunks()
    inner = pc.replace_substring_regex(text, r"^\[\s*([^,\]]*).*$", r"\1")
    bare = pc.utf8_trim(pc.utf8_trim_whitespace(inner), characters="'\"")
    return pc.if_else(pc.equal(bare, ""), pa.scalar(None, pa.string()), bare)


def _since_start(seconds: pa.Array) -> np.ndarray:
    values = source.filled(seconds)
    return np.where(values > 0, (values - START_S) * 1000, source.NONE)
