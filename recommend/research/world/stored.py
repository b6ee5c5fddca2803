"""Histories written beside a world's rows, so that training reads it as any log; ``read.py`` joins them instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recommend.data.ragged import Ragged
from recommend.data.schema import CHANNELS, table_files
from recommend.research.world.read import Histories
from recommend.research.world.write import LOG, MANIFEST, put, write_manifest

OF_POSTS = CHANNELS.index("video")
COLUMNS = {"item": ("history_item", "history_category", "history_single"), "post": ("history_post",)}


def store_histories(root: Path) -> dict[str, Any]:
    """Add the last clicks on things, and on posts where the view has any, to each row of the table of impressions.

    Returns:
        The manifest.
    """
    log = Path(root) / LOG
    of = {"item": Histories(log, [c for c in range(len(CHANNELS)) if c != OF_POSTS])}
    if table_files(log, "click"):  # the view of clicks has things alone
        of["post"] = Histories(log, [OF_POSTS])
    for file in table_files(log, "impression"):
        rows = pq.read_table(file)
        user, time = rows["user_id"].to_numpy(), rows["time_ms"].to_numpy()
        for kind, histories in of.items():
            for name, column in histories.join(user, time, COLUMNS[kind]).items():
                assert isinstance(column, Ragged)
                offsets = pa.array(column.offsets.numpy(), pa.int32())
                rows = rows.append_column(
                    name, pa.ListArray.from_arrays(offsets, pa.array(column.values.numpy(), pa.int32()))
                )
        put(Path(root), "impression", int(file.parent.name.removeprefix("day=")), rows)
    manifest = json.loads((Path(root) / MANIFEST).read_text(encoding="utf-8"))
    config = manifest.pop("config")
    del manifest["files"], manifest["world_version"]
    return write_manifest(Path(root), {**manifest, "histories": of["item"].longest}, config)
