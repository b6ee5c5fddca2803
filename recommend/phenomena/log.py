"""A log's tables for measuring, and estimates with intervals from groups of users."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from recommend.data.parquet import DataError
from recommend.data.schema import TABLES, table_files
from recommend.metrics.jackknife import Estimate, jackknife

GROUPS = 40  # of users, for the jackknife
GROUP = f"CAST(hash(user_id) % {GROUPS} AS INTEGER) AS g"
Floats = NDArray[np.float64]


class Missing(DataError):
    """The log lacks what a phenomenon is measured by; the message completes "cannot be told from this log: "."""


class Absent(Missing):
    """The log lacks the phenomenon itself: were it there, the log would hold it."""


class Log:
    """The tables of a log as views of one DuckDB connection.

    Of drawn negatives one a positive is looked at, so that how many were drawn moves no number.

    Args:
        root: the folder with the tables.
    """

    def __init__(self, root: Path) -> None:
        self.con = duckdb.connect()
        self.columns: dict[str, list[str]] = {}
        times = _times(root)
        for table in TABLES:
            if files := table_files(root, table):
                names = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
                which = f" WHERE impression_id % {times} < 2" if table == "impression" and times > 2 else ""
                self.con.execute(f'CREATE VIEW "{table}" AS SELECT * FROM read_parquet([{names}]){which}')
                self.columns[table] = [str(row[0]) for row in self.con.execute(f'DESCRIBE "{table}"').fetchall()]
        if "impression" not in self.columns:
            raise DataError(f"there is no log in {root}; './ipl recommend import' makes one.")

    def need(self, table: str, *columns: str) -> None:
        """Raises:
        Missing: the log does not have them.
        """
        if table not in self.columns:
            raise Missing(f"no table of {table}s")
        if absent := [c for c in columns if c not in self.columns[table]]:
            raise Missing(f"no column '{absent[0]}'")

    def arrays(self, query: str) -> dict[str, NDArray[Any]]:
        """Columns of a query's result."""
        table = self.con.sql(query).to_arrow_table()
        return {name: np.asarray(table[name]) for name in table.column_names}

    def sums(self, query: str) -> Floats:
        """(groups, columns) sums of a query that gives ``g`` and numbers, one row a group."""
        columns = self.arrays(query)
        group = columns.pop("g")
        out = np.zeros((GROUPS, len(columns)))
        out[group] = np.stack([np.nan_to_num(v.astype(np.float64)) for v in columns.values()], 1)
        return out


def _times(root: Path) -> int:
    """Rows of an imported log for each positive, drawn ones among them; 1 where none are."""
    path = Path(root) / "report.json"
    if not path.is_file():
        return 1
    report = json.loads(path.read_text(encoding="utf-8"))
    rows, drawn = int(report.get("rows", 1)), int(report.get("drawn", 0))
    return rows // max(1, rows - drawn)


def estimate(sums: Floats, statistic: Callable[[Floats], float], too_few: str) -> Estimate:
    """A statistic of sums over all users, with the interval that leaving out each group of users gives.

    Args:
        sums: (groups, ...) which the statistic takes added up.
        too_few: said where the statistic is no number.

    Raises:
        Missing: it is none.
    """
    sums = sums[np.any(sums != 0, axis=tuple(range(1, sums.ndim)))]  # few users: groups that are empty tell nothing
    if len(sums) < 2:
        raise Missing(too_few if not len(sums) else "one user only")
    total = sums.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = statistic(total)
        without = np.array([statistic(total - part) for part in sums])
    if not np.isfinite(value) or not np.isfinite(without).all():
        raise Missing(too_few)
    return jackknife(value, without)


def cells(columns: dict[str, NDArray[Any]], key: str, names: Sequence[str], most: int) -> Floats:
    """(groups, keys, names) sums of a query by ``g`` and a key, of the ``most`` frequent keys by the first name."""
    keys, place = np.unique(columns[key], return_inverse=True)
    values = {name: columns[name].astype(np.float64) for name in names}
    often = np.argsort(-np.bincount(place, weights=values[names[0]]), kind="stable")[:most]
    at = np.full(len(keys), -1)
    at[often] = np.arange(len(often))
    out = np.zeros((GROUPS, len(often), len(names)))
    frequent = at[place] >= 0
    for number, name in enumerate(names):
        np.add.at(out[..., number], (columns["g"][frequent], at[place][frequent]), values[name][frequent])
    return out
