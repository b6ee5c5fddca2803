"""AmazonElectronics_x1, the split of BARS' leaderboards (DIN's own preparation): ready samples with histories.

A folder with ``train.csv`` and ``test.csv`` (header ``label,user_id,item_id,cate_id,item_history,cate_history``;
histories are ids parted by ``^``, oldest first): 2,608,764 and 384,806 rows, one negative a positive. The last item of
each user is the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recommend.data.public import source
from recommend.data.public.source import Column
from recommend.data.schema import IDS

PARTS = ("train", "test")
SAMPLES = (
    Column("user_id", pa.int64(), "who"),
    Column("item_id", pa.int64(), "the item that is reviewed next, or another"),
    Column("category", pa.int64(), "its category"),
    Column("history_item", IDS, "items reviewed before, oldest first"),
    Column("history_category", IDS, "their categories"),
    Column("click", pa.bool_(), "it is the next one", "label"),
)
FILE = {
    "label": pa.int64(),
    "user_id": pa.int64(),
    "item_id": pa.int64(),
    "cate_id": pa.int64(),
    "item_history": pa.string(),
    "cate_history": pa.string(),
}


def read(folder: Path, part: str = "train") -> Iterator[pa.Table]:
    """``SAMPLES`` in blocks, in the file's order; each block's lists can go into ``tensor_column`` at once."""
    if part not in PARTS:
        raise source.DataError(f"the log has no part '{part}'; it has {' and '.join(PARTS)}.")
    path = Path(folder) / f"{part}.csv"
    for block in source.stream_csv(path, FILE):
        items, categories = (_ids(block[name], path) for name in ("item_history", "cate_history"))
        if not pc.equal(pc.list_value_length(items), pc.list_value_length(categories)).to_numpy(False).all():
            raise source.DataError(f"{path} holds an item history that is not as long as its category history.")
        data = {
            "user_id": block["user_id"],
            "item_id": block["item_id"],
            "category": block["cate_id"],
            "history_item": items,
            "history_category": categories,
            "click": np.asarray(block["label"]) > 0,
        }
        yield source.typed(SAMPLES, data, path)


def _ids(column: pa.ChunkedArray, path: Path) -> pa.Array:
    """``"7^9"`` to ``[7, 9]``; an empty text is an empty list."""
    text = pc.fill_null(column, "").combine_chunks()
    empty = np.asarray(pc.equal(text, ""))
    split = pc.split_pattern(text, "^")
    lengths = np.where(empty, 0, np.asarray(pc.list_value_length(split)))
    try:
        ids = pc.cast(split.filter(pa.array(~empty)).flatten(), pa.int64())
        return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], lengths.cumsum()]), pa.int32()), ids)
    except source.FAULTS as error:
        raise source.broken(path, error) from error
