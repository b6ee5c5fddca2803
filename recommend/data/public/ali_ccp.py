r"""Ali-CCP (Tianchi 408; Ma et al., SIGIR 2018, ESMM): 85 million impressions with clicks and conversions.

A folder with ``sample_skeleton_{train,test}.csv`` (sample, click, conversion, key of common features, number of
features, features) and ``common_features_{train,test}.csv`` (key, number, features), neither with a header. Features
are ``FIELD \x02 ID \x03 VALUE``, parted by ``\x01``. The common features of a part are held in memory; of every
feature only field and id are kept, since the fields named here are all categorical.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from recommend.data.public import source
from recommend.data.public.source import Column, Known

# Field number to column and meaning. A list holds what a field can have several of; a conversion counts after a click.
SINGLE = {
    "101": ("user_id", "who"),
    "121": ("profile_121", "profile category"),
    "122": ("profile_122", "profile group"),
    "124": ("gender", "code"),
    "125": ("age", "code"),
    "126": ("consumption_1", "level"),
    "127": ("consumption_2", "level"),
    "128": ("works", "code"),
    "129": ("geography", "code"),
    "205": ("item_id", "which item"),
    "206": ("category", "its category"),
    "207": ("seller_id", "its shop"),
    "216": ("brand", "its brand"),
    "301": ("scene", "where it was shown"),
}
SEVERAL = {
    "109_14": ("history_category", "categories of past behaviour"),
    "110_14": ("history_seller", "shops of past behaviour"),
    "127_14": ("history_brand", "brands of past behaviour"),
    "150_14": ("history_intention", "intentions of past behaviour"),
    "210": ("intention", "the item's intentions"),
    "508": ("cross_category", "109_14 with 206"),
    "509": ("cross_seller", "110_14 with 207"),
    "702": ("cross_brand", "127_14 with 216"),
    "853": ("cross_intention", "150_14 with 210"),
}
CONVERSION: Known = "label"
IMPRESSIONS = (
    Column("sample_id", pa.int64(), "unique"),
    *(Column(name, pa.int64(), f"field {number}: {meaning}; -1: none") for number, (name, meaning) in SINGLE.items()),
    *(
        Column(name, pa.list_(pa.int64()), f"field {number}: {meaning}; in the file's order")
        for number, (name, meaning) in SEVERAL.items()
    ),
    Column("click", pa.bool_(), "clicked", "label"),
    Column("order", pa.bool_(), "clicked and converted", CONVERSION),
)
PARTS = ("train", "test")
Features = dict[str, list[int]]


def read(folder: Path, part: str = "train", block_rows: int = 100_000) -> Iterator[pa.Table]:
    """``IMPRESSIONS`` of a part in blocks, in the file's order.

    Raises:
        DataError: a file is missing or broken, or a row names common features that are not there.
    """
    if part not in PARTS:
        raise source.DataError(f"the log has no part '{part}'; it has {' and '.join(PARTS)}.")
    path = Path(folder) / f"sample_skeleton_{part}.csv"
    source.there(path)
    common = _common(Path(folder) / f"common_features_{part}.csv")
    rows: list[tuple[int, bool, bool, Features]] = []
    for number, cells in _lines(path, 6):
        if cells[3] not in common:
            raise source.DataError(f"{path}, line {number}: there are no common features '{cells[3]}'.")
        try:
            click, order = int(cells[1]) > 0, int(cells[2]) > 0
            rows.append((int(cells[0]), click, click and order, {**common[cells[3]], **_features(cells[5])}))
        except ValueError as error:
            raise source.broken(f"{path}, line {number},", error) from error
        if len(rows) == block_rows:
            yield _table(rows, path)
            rows = []
    if rows:
        yield _table(rows, path)


def _common(path: Path) -> dict[str, Features]:
    found = {}
    for number, cells in _lines(path, 3):
        try:
            found[cells[0]] = _features(cells[2])
        except ValueError as error:
            raise source.broken(f"{path}, line {number},", error) from error
    return found


def _lines(path: Path, width: int) -> Iterator[tuple[int, list[str]]]:
    source.there(path)
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                cells = line.rstrip("\r\n").split(",")
                if len(cells) != width:
                    raise source.DataError(f"{path}, line {number}: {len(cells)} cells instead of {width}.")
                yield number, cells
    except UnicodeDecodeError as error:
        raise source.broken(path, error) from error


def _features(text: str) -> Features:
    found: Features = {}
    for feature in text.split("\x01") if text else []:
        field, separator, rest = feature.partition("\x02")
        if not separator:
            raise ValueError(f"'{feature}' is no feature")
        found.setdefault(field, []).append(int(rest.partition("\x03")[0]))
    for field in SINGLE.keys() & found.keys():
        if len(found[field]) > 1:
            raise ValueError(f"field {field} has {len(found[field])} values")
    return found


def _table(rows: Sequence[tuple[int, bool, bool, Features]], path: Path) -> pa.Table:
    data: dict[str, object] = {
        "sample_id": np.array([r[0] for r in rows], dtype=np.int64),
        "click": np.array([r[1] for r in rows]),
        "order": np.array([r[2] for r in rows]),
    }
    for field, (name, _) in SINGLE.items():
        data[name] = np.array([r[3].get(field, [source.NONE])[0] for r in rows], dtype=np.int64)
    for field, (name, _) in SEVERAL.items():
        data[name] = pa.array([r[3].get(field, []) for r in rows], pa.list_(pa.int64()))
    return source.typed(IMPRESSIONS, data, path)
