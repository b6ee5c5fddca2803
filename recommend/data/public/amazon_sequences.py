"""Amazon reviews of 2014, 5-core (McAuley et al.), as prepared for S3-Rec (CIKM 2020): who bought what, in order.

Folder ``amazon_sequences``: ``Beauty`` (198,502 events of 22,363 users) and ``Sports_and_Outdoors`` (296,337 of
35,598). There is an order but no clock, only positives, and users are not shared between the two.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from recommend.data.public import source
from recommend.data.public.source import Column

NAME = "amazon_sequences"
DOMAINS = ("Beauty", "Sports_and_Outdoors")
EVENTS = (
    Column("user_id", pa.int64(), "who"),
    Column("item_id", pa.int64(), "which item"),
    Column("step", pa.int32(), "0-based place in the user's own order"),
    Column("category", pa.int64(), "the item's last listed attribute, which by the lists' look is its leaf category"),
)
ATTRIBUTES = (
    Column("item_id", pa.int64(), "which item"),
    Column("attribute", pa.int64(), "a category or brand; in the file's order"),
)


def read(domain: str = "Beauty", root: Path | None = None) -> pa.Table:
    """``EVENTS`` of a domain, by user and step."""
    path = _file(domain, "", root)
    table = source.read_parquet(path, ("user", "pos", "item"))
    attributes = source.numpy(read_attributes(domain, root))
    last = dict(zip(attributes["item_id"].tolist(), attributes["attribute"].tolist(), strict=True))
    item = np.asarray(table["item"]).astype(np.int64)
    data = {
        "user_id": table["user"],
        "item_id": item,
        "step": table["pos"],
        "category": np.array([last.get(i, source.NONE) for i in item.tolist()], dtype=np.int64),
    }
    return source.in_time(source.typed(EVENTS, data, path), "user_id", "step")


def read_attributes(domain: str = "Beauty", root: Path | None = None) -> pa.Table:
    """``ATTRIBUTES`` of a domain: several rows an item."""
    path = _file(domain, "_attrs", root)
    table = source.read_parquet(path, ("item", "attribute"))
    return source.typed(ATTRIBUTES, {"item_id": table["item"], "attribute": table["attribute"]}, path)


def _file(domain: str, suffix: str, root: Path | None) -> Path:
    if domain not in DOMAINS:
        raise source.DataError(f"the log has no domain '{domain}'; it has {' and '.join(DOMAINS)}.")
    return source.folder(NAME, root) / f"{domain}{suffix}.parquet"
