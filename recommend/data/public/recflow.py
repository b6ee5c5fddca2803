"""RecFlow (Kuaishou; ICLR 2025): what each stage of a video feed kept and dropped, 13 January to 18 February 2024.

A folder with ``all_stage/DATE.feather`` (items of every stage) and ``realshow/DATE.feather`` (what was shown). All
columns are integers; a row belongs to one request, and the stage columns are 0 or 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from recommend.data.public import source
from recommend.data.public.source import Column

STAGES = ("realshow", "rerank_pos", "rerank_neg", "rank_pos", "rank_neg", "coarse_neg", "prerank_neg")
FEEDBACK = ("effective_view", "long_view", "like", "follow", "forward", "comment")
PARTS = ("all_stage", "realshow")
ITEMS = (
    Column("request_id", pa.int64(), "one request of the feed: rows of a list share it"),
    Column("time_ms", pa.int64(), "of the request: the log's own stamp, brought to milliseconds"),
    Column("user_id", pa.int64(), "who"),
    *(Column(n, pa.int64(), "of the user, as a code") for n in ("device_id", "age", "gender", "province")),
    Column("item_id", pa.int64(), "the video"),
    Column("author_id", pa.int64(), "who made it"),
    Column("category", pa.int64(), "its category of the second level"),
    Column("category_level_one", pa.int64(), "and of the first"),
    Column("upload_type", pa.int64(), "code"),
    Column("upload_ms", pa.int64(), "when it was uploaded, as time_ms"),
    Column("duration_ms", pa.int64(), "its length"),
    *(Column(n, pa.bool_(), "what the stage did with it", "after") for n in STAGES),
    *(Column(n, pa.int64(), "place in that stage's order", "after") for n in ("rank_index", "rerank_index")),
    Column("playing_time", pa.int64(), "how long it was watched, the log's own unit", "label"),
    *(Column(n, pa.bool_(), "feedback", "label") for n in FEEDBACK),
)
RENAMED = {
    "time_ms": "request_timestamp",
    "item_id": "video_id",
    "category": "category_level_two",
    "upload_ms": "upload_timestamp",
    "duration_ms": "duration",
}
SECONDS_BELOW = 100_000_000_000  # a stamp below this is in seconds (as milliseconds it would lie before 1974)


def read(folder: Path, date: str, part: str = "all_stage") -> pa.Table:
    """``ITEMS`` of a day, by request in the order of time; within a request, the file's order."""
    path = Path(folder) / _part(part) / f"{date}.feather"
    names = [RENAMED.get(c.name, c.name) for c in ITEMS]
    table = source.read_feather(path, names)
    data: dict[str, object] = {}
    for column, name in zip(ITEMS, names, strict=True):
        values = source.filled(table[name])
        if column.name in ("time_ms", "upload_ms"):
            values = np.where((values >= 0) & (values < SECONDS_BELOW), values * 1000, values)
        data[column.name] = values > 0 if column.type == pa.bool_() else values
    return source.in_time(source.typed(ITEMS, data, path), "time_ms", "request_id")


def _part(part: str) -> str:
    if part not in PARTS:
        raise source.DataError(f"the log has no part '{part}'; it has {' and '.join(PARTS)}.")
    return part
