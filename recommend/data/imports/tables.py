"""A log's files to two clean tables in DuckDB: ``events`` (what happened) and ``shown`` (what becomes a row).

Every step makes one table in one transaction, in a database file beside the result, so that an import that was cut off
goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

from recommend.config import nearest
from recommend.data.imports.maps import CODED, LogMap, Moment, Source
from recommend.data.parquet import DataError

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "BOOLEAN")
NUMBERS = ("FLOAT", "DOUBLE", "DECIMAL")
FAULTS = {  # in the order in which a row is asked
    "no user": "user_id IS NULL",
    "no item": "item_id IS NULL",
    "no readable time": "t IS NULL",
    "a behaviour that the map does not name": "behaviour IS NULL",
    "in the future": "t > {now}",
    "outside of the days of the map": "t < {first} OR t > {last}",
    "left out by the map": "NOT coalesce(asked, false)",
}


@dataclass(frozen=True)
class Work:
    """The database of one import.

    Attributes:
        now_ms: what lies behind it is in the future.
    """

    folder: Path
    files: tuple[Path, ...]
    map: LogMap
    now_ms: int

    @cached_property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The database; once it is open, nothing but the log's files and the import's folder can be read."""
        con = duckdb.connect(str(self.folder / "work.duckdb"))
        items = self.items_file
        paths = [str(f) for f in (*self.files, *([items] if items else []))]
        con.execute(f"SET temp_directory={_text(str(self.folder))}")
        con.execute(f"SET allowed_paths=[{', '.join(map(_text, paths))}]")
        con.execute(f"SET allowed_directories=[{_text(str(self.folder))}]")
        con.execute("SET enable_external_access=false")
        con.execute("SET lock_configuration=true")
        return con

    @property
    def items_file(self) -> Path | None:
        """The second file, of items."""
        if self.map.items is None:
            return None
        found = self.files[0].parent / self.map.items.file
        if not found.is_file():
            raise DataError(f"there is no file {found}, which the map names for the items.")
        return found

    def table(self, query: str) -> pa.Table:
        """What a query gives."""
        return self.con.sql(query).to_arrow_table()

    def value(self, query: str) -> int:
        """The one number that a query gives."""
        return int(self.con.execute(query).fetchall()[0][0] or 0)

    def has(self, table: str) -> bool:
        """Whether a step was done."""
        return bool(self.value(f"SELECT count(*) FROM duckdb_tables() WHERE table_name = '{table}'"))

    def kinds(self, table: str) -> dict[str, str]:
        """Column to type."""
        rows = self.con.execute(f"DESCRIBE {table}").fetchall()
        return {str(row[0]): str(row[1]) for row in rows}

    # The steps

    def read(self) -> None:
        """``raw``: the rows of the files with the map's columns, in the files' order, and ``unread`` beside."""
        if self.has("raw") or self.has("events"):
            return
        source = self._source()
        given = self._checked(source)
        m = self.map
        chosen = {
            "user_id": expression(m.user),
            "item_id": expression(m.item),
            "t": moment(m.time, given),
            "behaviour": expression(m.behaviour) if m.behaviour else _text(m.positive[0]),
            "asked": f"({m.where})" if m.where else "true",
            **({"given_day": expression(m.day)} if m.day else {}),
            **{name: f"coalesce(TRY_CAST({expression(s)} AS DOUBLE) > 0, false)" for name, s in m.labels.items()},
            **{name: expression(s) for name, s in m.columns.items()},
        }
        listed = ", ".join(f"{e} AS {_name(n)}" for n, e in chosen.items())
        self.con.execute("BEGIN")
        self.con.execute(f"CREATE TABLE raw AS SELECT row_number() OVER () - 1 AS n, {listed} FROM {source}")
        rejects = "SELECT count(DISTINCT (file_id, line)) FROM reject_errors" if self._csv else "SELECT 0"
        self.con.execute(f"CREATE TABLE unread AS {rejects}")
        self.con.execute("COMMIT")

    def clean(self) -> None:
        """``events``: usable rows by time, ids as numbers, ``time_ms`` since the first day's midnight; ``faults``."""
        if self.has("events"):
            return
        m, kinds = self.map, self.kinds("raw")
        clock = m.time.unit != "step"
        low, high = (_midnight(d, m.time.zone_h) for d in (m.first, m.last))
        facts = {
            "now": self.now_ms if clock else 2**62,
            "first": -(2**62) if low is None else low,
            "last": 2**62 if high is None else high + DAY_MS - 1,
        }
        fault = " ".join(f"WHEN {rule.format(**facts)} THEN {_text(why)}" for why, rule in FAULTS.items())
        self.con.execute("BEGIN")
        self.con.execute(f"CREATE TEMP TABLE judged AS SELECT *, CASE {fault} END AS fault FROM raw")
        self.con.execute("CREATE TABLE faults AS SELECT fault, count(*) AS n FROM judged GROUP BY fault")
        self._usable()
        names = ["user_id", "item_id", *m.columns]
        empty = {
            n: self.value(f"SELECT count(*) FROM judged WHERE fault IS NULL AND {_name(n)} IS NULL") for n in names
        }
        held = ", ".join(f"({_text(n)}, {count})" for n, count in empty.items())
        self.con.execute(f"CREATE TABLE empty AS SELECT * FROM (VALUES {held}) AS t(name, n)")
        exprs, joins = self._coded(names, kinds)
        zone = round(m.time.zone_h * HOUR_MS)
        start = 0
        if clock:
            first = self.value("SELECT min(t) FROM judged WHERE fault IS NULL") if low is None else low
            start = (first + zone) // DAY_MS * DAY_MS - zone
        if m.day:
            day = "CAST(given_day AS INTEGER)"
        elif clock:
            day = f"CAST((t - {start}) // {DAY_MS} AS INTEGER)"
        else:  # an order without a clock: everybody's last event is the second day
            last = "row_number() OVER (PARTITION BY j.user_id ORDER BY t DESC, n DESC) = 1"
            day = f"CAST({last} AS INTEGER)"
        hour = [f"CAST((t - {start}) % {DAY_MS} // {HOUR_MS} AS INTEGER) AS hour"] if clock else []
        labels = [f"j.{_name(n)}" for n in m.labels]
        listed = ", ".join([*exprs, "j.behaviour", f"t - {start} AS time_ms", f"{day} AS day", *hour, *labels])
        self.con.execute(
            f"CREATE TABLE events AS SELECT n, {listed} FROM judged j {joins} WHERE fault IS NULL ORDER BY time_ms, n"
        )
        self.con.execute("CREATE TABLE clock AS SELECT min(t) AS low, max(t) AS high FROM judged WHERE fault IS NULL")
        self.con.execute("DROP TABLE judged")
        self.con.execute("DROP TABLE raw")
        self.con.execute("COMMIT")

    def show(self) -> None:
        """``shown``: the events that become rows, with what the same user did to the same item from then on."""
        if self.has("shown"):
            return
        if self.map.labels:
            self.con.execute("CREATE OR REPLACE VIEW shown AS SELECT * FROM events")
            return
        positive = ", ".join(map(_text, self.map.positive))
        columns, joins = [f"true AS {_name(self.map.label)}"], ""
        for kind in self.follow:
            columns.append(f"f_{kind}.time_ms IS NOT NULL AS {_name(kind)}")
            of_kind = f"(SELECT user_id, item_id, time_ms FROM events WHERE behaviour = {_text(kind)})"
            joins += (
                f" ASOF LEFT JOIN {of_kind} f_{kind} ON e.user_id = f_{kind}.user_id AND e.item_id = f_{kind}.item_id"
                f" AND e.time_ms <= f_{kind}.time_ms"
            )
        self.con.execute(
            f"CREATE TABLE shown AS SELECT e.*, {', '.join(columns)} FROM events e {joins} "
            f"WHERE e.behaviour IN ({positive}) ORDER BY e.time_ms, e.n"
        )

    @cached_property
    def follow(self) -> list[str]:
        """Behaviours after a positive that become labels beside it."""
        there = {str(r[0]) for r in self.con.execute("SELECT DISTINCT behaviour FROM events").fetchall()}
        return [k for k in ("cart", "order", "refund") if k in there and k not in self.map.positive]

    def after(self, kind: str, cause: str) -> pa.Table:
        """Events of a kind by time; ``delay_ms`` since the latest earlier cause of the same user and item, or -1."""
        of = "SELECT user_id, item_id, time_ms, day FROM events WHERE behaviour = "
        return self.table(
            f"SELECT e.*, coalesce(e.time_ms - c.time_ms, -1) AS delay_ms FROM ({of}{_text(kind)}) e "
            f"ASOF LEFT JOIN ({of}{_text(cause)}) c ON e.user_id = c.user_id AND e.item_id = c.item_id "
            "AND c.time_ms <= e.time_ms ORDER BY e.time_ms, e.user_id, e.item_id"
        )

    def dropped(self) -> dict[str, int]:
        """Rows that are left out, by reason."""
        found = {str(f): int(n) for f, n in self.con.execute("SELECT * FROM faults WHERE fault IS NOT NULL").fetchall()}
        unread = self.value("SELECT * FROM unread")
        return {**({"not readable as a row": unread} if unread else {}), **found}

    # Parts of the steps

    @property
    def _csv(self) -> bool:
        return not all(f.suffix in (".parquet", ".pq") for f in self.files)

    def _source(self) -> str:
        names = ", ".join(_text(str(f)) for f in self.files)
        if not self._csv:
            found = f"read_parquet([{names}])"
        else:
            header = self.map.header
            given = f", header=false, names=[{', '.join(map(_text, header))}]" if header else ""
            # All lines are read before a column's type is settled: a code that holds a letter late is a text.
            found = f"read_csv([{names}], sample_size=-1, store_rejects=true{given})"
        items = self.map.items
        if items is None:
            return found
        of_item = f"read_parquet({_text(str(self.items_file))}, file_row_number=true)"
        if self.items_file is not None and self.items_file.suffix not in (".parquet", ".pq"):
            of_item = f"read_csv({_text(str(self.items_file))}, sample_size=-1)"
        facts = ", ".join(f"{e} AS {_name(n)}" for n, e in items.columns.items())
        one = f"SELECT {_name(items.key)} AS item_key, {facts} FROM {of_item} GROUP BY {_name(items.key)}"
        return f"{found} l LEFT JOIN ({one}) i ON l.{_name(self.map.item.column)} = i.item_key"

    def _checked(self, source: str) -> dict[str, str]:
        """Types of the files' columns; one sentence for a column that is not there."""
        given = self.kinds(f"SELECT * FROM {source}")
        m = self.map
        every = [m.user, m.item, m.time, *([m.day] if m.day else []), *([m.behaviour] if m.behaviour else [])]
        for wanted in (*every, *m.labels.values(), *m.columns.values()):
            if wanted.column and wanted.column not in given:
                raise DataError(
                    f"the map names a column '{wanted.column}', which {self.files[0].name} does not have; "
                    f"{nearest(wanted.column, list(given))}"
                )
        return given

    def _usable(self) -> None:
        if self.value("SELECT count(*) FROM judged WHERE fault IS NULL"):
            return
        total = self.value("SELECT count(*) FROM judged")
        why = ", ".join(f"{n:,} {w}" for w, n in self.dropped().items())
        raise DataError(
            f"none of the {total:,} rows can be used ({why or 'the files are empty'}); look at the map, "
            f"such as the unit of the time, which it gives as '{self.map.time.unit}'."
        )

    def _coded(self, names: Sequence[str], kinds: dict[str, str]) -> tuple[list[str], str]:
        """Expressions of columns as numbers, and the joins that they need; texts get codes by their order."""
        exprs, joins = [], ""
        for name in names:
            kind, at = kinds[name], f"j.{_name(name)}"
            if name in CODED:
                cases = " ".join(f"WHEN {_text(v)} THEN {i}" for i, v in enumerate(CODED[name]))
                exprs.append(f"CAST(CASE {at} {cases} ELSE -1 END AS INTEGER) AS {name}")
            elif kind in WHOLE:
                exprs.append(f"coalesce(CAST({at} AS BIGINT), -1) AS {_name(name)}")
            elif kind.startswith(NUMBERS) and name not in ("user_id", "item_id"):
                exprs.append(f"coalesce(CAST({at} AS FLOAT), 0) AS {_name(name)}")
            else:
                code = _name(f"code_{name}")
                text = f"CAST({at} AS VARCHAR)"
                self.con.execute(
                    f"CREATE TABLE {code} AS SELECT value, row_number() OVER (ORDER BY value) - 1 AS code FROM "
                    f"(SELECT DISTINCT {text} AS value FROM judged j WHERE fault IS NULL AND {at} IS NOT NULL)"
                )
                joins += f" LEFT JOIN {code} ON {code}.value = {text}"
                exprs.append(f"coalesce({code}.code, -1) AS {_name(name)}")
        return exprs, joins


def expression(source: Source) -> str:
    """DuckDB's expression of a source."""
    found = f"({source.sql})" if source.sql else _name(source.column)
    if not source.values:
        return found
    cases = " ".join(f"WHEN {_text(raw)} THEN {_text(value)}" for raw, value in source.values.items())
    return f"CASE CAST({found} AS VARCHAR) {cases} END"


def moment(time: Moment, kinds: dict[str, str]) -> str:
    """DuckDB's expression of a moment in milliseconds (of a step as it is); null where it cannot be read."""
    at, kind = expression(time), kinds.get(time.column, "")
    if time.unit == "date":
        if time.format:
            return f"epoch_ms(try_strptime(CAST({at} AS VARCHAR), {_text(time.format)}))"
        return f"epoch_ms(TRY_CAST({at} AS TIMESTAMP))" if kind else f"epoch_ms({at})"
    number = f"TRY_CAST({at} AS DOUBLE)"
    factor = {"s": 1000.0, "ms": 1.0, "us": 0.001, "step": 1.0}[time.unit]
    return f"TRY_CAST(round({number} * {factor}) AS BIGINT)"


def _midnight(day: date | None, zone_h: float) -> int | None:
    return None if day is None else (day - date(1970, 1, 1)) // timedelta(days=1) * DAY_MS - round(zone_h * HOUR_MS)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
