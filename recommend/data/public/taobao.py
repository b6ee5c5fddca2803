"""Taobao UserBehavior (Tianchi 649; Zhu et al., KDD 2018): views, carts, favourites and purchases, 9 days of 2017.

Folder ``taobao_userbehavior_sample`` with ``userbehavior.parquet`` (a sample of 815 users), or any folder with the full
``UserBehavior.csv`` (no header: user, item, category, behaviour, unix seconds). There are no impressions: what was
shown and not clicked is unknown, so that negatives have to be drawn (``sequences.py``). Rows outside of the log's days
are faults of the log and left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recommend.data.public import source
from recommend.data.public.source import Column

NAME = "taobao_userbehavior_sample"
BEHAVIOURS = ("pv", "cart", "fav", "buy")
START_S = 1_511_452_800  # 2017-11-24, midnight in UTC+8: day 0, which the full log hardly covers
DAYS = 10
EVENTS = (
    Column("user_id", pa.int64(), "who"),
    Column("item_id", pa.int64(), "which item"),
    Column("category", pa.int64(), "its leaf category"),
    Column("behaviour", pa.int32(), "code of BEHAVIOURS: view, cart, favourite, purchase"),
    Column("time_ms", pa.int64(), "milliseconds since 2017-11-24 00:00 UTC+8"),
    Column("day", pa.int32(), "time_ms // 86,400,000"),
)
FILE = ("user_id", "item_id", "category_id", "behavior", "ts")


def read(root: Path | None = None) -> pa.Table:
    """``EVENTS`` in the order of time.

    Args:
        root: the folder of the logs, or a folder that holds ``UserBehavior.csv`` itself.
    """
    full = Path(root) / "UserBehavior.csv" if root is not None else None
    if full is not None and full.is_file():
        path = full
        kinds = dict(zip(FILE, [pa.int64(), pa.int64(), pa.int64(), pa.string(), pa.int64()], strict=True))
        table = source.read_csv(path, kinds, names=FILE)
    else:
        path = source.folder(NAME, root) / "userbehavior.parquet"
        table = source.read_parquet(path, FILE)
    code = source.filled(pc.index_in(table["behavior"].cast(pa.string()), pa.array(BEHAVIOURS)))
    if (code < 0).any():
        raise source.DataError(f"{path} holds a behaviour that is none of {', '.join(BEHAVIOURS)}.")
    time = (np.asarray(table["ts"]).astype(np.int64) - START_S) * 1000
    data = {
        "user_id": table["user_id"],
        "item_id": table["item_id"],
        "category": table["category_id"],
        "behaviour": code,
        "time_ms": time,
        "day": time // source.DAY_MS,
    }
    inside = (time >= 0) & (time < DAYS * source.DAY_MS)
    return source.in_time(source.typed(EVENTS, data, path).filter(pa.array(inside)), "time_ms")
