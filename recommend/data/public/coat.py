"""Coat (Schnabel et al., ICML 2016): coats rated by choice, and coats rated at random by the same people.

Folder ``coat_mnar_mar``: 290 people, 300 coats, 6,960 ratings of self-selected coats (training) and 4,640 of random
ones (test): a model that learned the selection instead of the taste is found out.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recommend.data.public import source
from recommend.data.public.source import Column

NAME = "coat_mnar_mar"
RATINGS = (
    Column("user_id", pa.int64(), "who; row of USERS"),
    Column("item_id", pa.int64(), "which coat; row of ITEMS"),
    Column("uniform", pa.bool_(), "the coat was drawn at random (test), not chosen (training)"),
    Column("rating", pa.int32(), "1..5", "label"),
)
USERS = (
    Column("user_id", pa.int64(), "0.."),
    Column("gender", pa.string(), "as stated"),
    Column("age", pa.string(), "a range, years"),
    Column("location", pa.string(), "rural, suburban or urban"),
    Column("fashioninterest", pa.string(), "how much they say they care"),
)
ITEMS = (
    Column("item_id", pa.int64(), "0.."),
    Column("gender", pa.string(), "for whom"),
    Column("jackettype", pa.string(), "kind"),
    Column("color", pa.string(), "colour"),
    Column("onfrontpage", pa.string(), "yes or no"),
)


def read(root: Path | None = None) -> pa.Table:
    """``RATINGS``, the training rows first."""
    path = source.folder(NAME, root) / "ratings.parquet"
    table = source.read_parquet(path, ("split", "user", "item", "rating"))
    data = {
        "user_id": table["user"],
        "item_id": table["item"],
        "uniform": np.asarray(pc.equal(table["split"], "test")),
        "rating": table["rating"],
    }
    return source.in_time(source.typed(RATINGS, data, path), "uniform", "user_id", "item_id")


def read_users(root: Path | None = None) -> pa.Table:
    """``USERS``."""
    return _described(source.folder(NAME, root), "user", USERS)


def read_items(root: Path | None = None) -> pa.Table:
    """``ITEMS``."""
    return _described(source.folder(NAME, root), "item", ITEMS)


def _described(folder: Path, what: str, columns: tuple[Column, ...]) -> pa.Table:
    """One-hot columns of ``group:value`` names back to one text a group; null where no column is set."""
    values, names = folder / f"{what}_features.csv", folder / f"{what}_features_map.txt"
    source.there(values)
    source.there(names)
    try:
        pairs = [line.split(":", 1) for line in names.read_text(encoding="utf-8").splitlines() if line.strip()]
        with values.open(encoding="utf-8", newline="") as file:
            hot = np.array([[int(cell) for cell in row] for row in csv.reader(file) if row])
        if hot.ndim != 2 or hot.shape[1] != len(pairs) or any(len(p) != 2 for p in pairs):
            raise ValueError(f"{hot.shape} values for {len(pairs)} names")
    except (OSError, ValueError) as error:
        raise source.broken(values, error) from error
    data: dict[str, object] = {columns[0].name: np.arange(len(hot))}
    for column in columns[1:]:
        places = [i for i, (group, _) in enumerate(pairs) if group == column.name]
        if not places:
            raise source.DataError(f"{names} names no '{column.name}'.")
        of_group = hot[:, places]
        value = [pairs[place][1] for place in places]
        text = [value[int(row.argmax())] if row.any() else None for row in of_group]
        data[column.name] = pa.array(text, pa.string())
    return source.typed(columns, data, values)
