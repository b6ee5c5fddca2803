"""Amazon electronics and cell phones with the same 3,325 users, as prepared for Bi-TGCF (CIKM 2020).

Folder ``amazon_cross_domain``. Only positives, no clock; one event of each user and domain is held back for the test.
Whether the file's order is that of time is not documented, so nothing here relies on it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recommend.data.public import source
from recommend.data.public.source import Column

NAME = "amazon_cross_domain"
DOMAINS = ("electronics", "cell_phones")
EVENTS = (
    Column("user_id", pa.int64(), "who; the same id is the same person in both domains"),
    Column("item_id", pa.int64(), "which item; ids of the two domains are unrelated"),
    Column("held_back", pa.bool_(), "the user's test event"),
)


def read(domain: str = "electronics", root: Path | None = None) -> pa.Table:
    """``EVENTS`` of a domain, in the file's order."""
    if domain not in DOMAINS:
        raise source.DataError(f"the log has no domain '{domain}'; it has {' and '.join(DOMAINS)}.")
    path = source.folder(NAME, root) / f"{domain}.parquet"
    table = source.read_parquet(path, ("user", "item", "split"))
    data = {
        "user_id": table["user"],
        "item_id": table["item"],
        "held_back": np.asarray(pc.equal(table["split"], "test")),
    }
    return source.typed(EVENTS, data, path)
