"""A log's files to two clean tables in DuckDB: ``events`` (what happened) and ``shown`` (what becomes a row).

Every step makes one table in one transaction, in a database file beside the result, so that an import that was cut off
goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow.dataset import dataset

from recommend.config import nearest
from recommend.data.parquet import DataError
from recommend.data.schema import DAY_MS, HOUR_MS
from recommend.imports import sql
from recommend.imports.maps import CODED, LogMap
from recommend.imports.sql import day_number, day_of, expression, finite, literal, moment, quoted, read_files

AHEAD_MS = 14 * HOUR_MS  # local times of the easternmost zone are so far before the clock's
MEMORY = "3GB"  # of DuckDB, which uses the disk for more


@dataclass(frozen=True)
class Work:
    """The database of one import.

    Attributes:
        now_ms: what lies behind it is in the future.
        codes: folder with an earlier import's codes of texts, which stay as they are; None: all are new.
    """

    folder: Path
    files: tuple[Path, ...]
    map: LogMap
    now_ms: int
    codes: Path | None = None

    @cached_property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The database; once it is open, nothing but the log's files and the import's folder can be read."""
        con = duckdb.connect(str(self.folder / "work.duckdb"))
        paths = [str(f) for f in (*self.files, *self.items_files)]
        con.execute(f"SET memory_limit='{MEMORY}'")
        con.execute("SET enable_progress_bar=false")
        con.execute("SET TimeZone='UTC'")  # moments that carry a zone are read alike on every machine
        con.execute(f"SET temp_directory={literal(str(self.folder))}")
        con.execute(f"SET allowed_paths=[{', '.join(map(literal, paths))}]")
        folders = [str(f) for f in (self.folder, self.codes) if f is not None]
        con.execute(f"SET allowed_directories=[{', '.join(map(literal, folders))}]")
        con.execute("SET enable_external_access=false")
        con.execute("SET lock_configuration=true")
        return con

    @cached_property
    def items_files(self) -> list[Path]:
        """The second file, of items, or its parts."""
        if self.map.items is None:
            return []
        named = self.files[0].parent / self.map.items.file
        if named.parent.resolve() != self.files[0].parent.resolve():
            raise DataError(f"the map names {self.map.items.file} for the items, which must lie beside the log.")
        paths = sorted(named.parent.glob(named.name))
        if not paths:
            raise DataError(f"there is no file {named}, which the map names for the items.")
        return paths

    def table(self, query: str) -> pa.Table:
        """The table of a query."""
        return self.con.sql(query).to_arrow_table()

    def value(self, query: str) -> int:
        """The one number that a query gives."""
        return int(self.con.execute(query).fetchall()[0][0] or 0)

    def has(self, table: str) -> bool:
        """True where a step was done."""
        return bool(self.value(f"SELECT count(*) FROM duckdb_tables() WHERE table_name = {literal(table)}"))

    def one(self, statement: str) -> duckdb.DuckDBPyConnection:
        """Executes a statement that holds expressions of the map.

        Raises:
            DataError: an expression ends the statement and begins another one, which could write.
        """
        if len(self.con.extract_statements(statement)) != 1:
            raise DataError("the log does not fit its map: an expression of the map holds more than one statement.")
        return self.con.execute(statement)

    def kinds(self, table: str) -> dict[str, str]:
        """Column to type."""
        rows = self.one(f"DESCRIBE {table}").fetchall()
        return {str(row[0]): str(row[1]) for row in rows}

    # The steps

    def read(self) -> None:
        """``raw``: the rows of the files with the map's columns, in the files' order, and ``unread`` beside."""
        if self.has("raw") or self.has("events"):
            return
        source = self._source()
        columns = self._checked(source)
        m = self.map
        chosen = {
            "user_id": expression(m.user),
            "item_id": expression(m.item),
            "_t": moment(m.time, columns),
            "_behaviour": expression(m.behaviour) if m.behaviour else literal(m.positive[0]),
            "_asked": f"({m.where})" if m.where else "true",
            "_given_day": f"TRY_CAST({expression(m.day)} AS INTEGER)" if m.day else "0",
            **{name: f"coalesce(TRY_CAST({expression(s)} AS DOUBLE) > 0, false)" for name, s in m.labels.items()},
            **{f"_{name} at": moment(m.time.model_copy(update={"column": s.at.column, "sql": s.at.sql}), columns)
               for name, s in m.labels.items() if s.at is not None},
            **{name: expression(s) for name, s in m.columns.items()},
        }  # fmt: skip
        listed = ", ".join(f"{e} AS {quoted(n)}" for n, e in chosen.items())
        self.con.execute("BEGIN")
        self.one(f"CREATE TABLE raw AS SELECT row_number() OVER () - 1 AS _n, {listed} FROM {source}")
        rejects = "SELECT count(DISTINCT (file_id, line)) FROM reject_errors" if self._csv else "SELECT 0"
        self.con.execute(f"CREATE TABLE unread AS {rejects}")
        self.con.execute("COMMIT")

    def clean(self) -> None:
        """``events``: usable rows by time, ids as numbers, ``time_ms`` since the first day's midnight; ``faults``."""
        if self.has("events"):
            return
        m, kinds = self.map, self.kinds("raw")
        clock = m.time.unit != "step"
        low, high = (sql.midnight(d, m.time.zone_h) for d in (m.first, m.last))
        facts = {
            "now": self._now if clock else 2**62,
            "first": -(2**62) if low is None else low,
            "last": 2**62 if high is None else high + DAY_MS - 1,
        }
        fault = " ".join(f"WHEN {rule.format(**facts)} THEN {literal(why)}" for why, rule in sql.FAULTS.items())
        self.con.execute("BEGIN")
        self.con.execute(f"CREATE TEMP VIEW judged AS SELECT *, CASE {fault} END AS _fault FROM raw")
        self.con.execute("CREATE TABLE faults AS SELECT _fault, count(*) FROM judged GROUP BY _fault")
        self._usable()
        names = ["user_id", "item_id", *m.columns]
        void = {n: f"{quoted(n)} IS NULL" for n in names}
        void |= {n: f"NOT coalesce(isfinite({quoted(n)}), false)" for n in names if kinds[n] in ("FLOAT", "DOUBLE")}
        counts = ", ".join(f"count(*) FILTER ({void[n]})" for n in names)
        counts_row = self.con.execute(f"SELECT {counts} FROM judged WHERE _fault IS NULL").fetchall()[0]
        empty = dict(zip(names, counts_row, strict=True))
        self._hold("empty", empty)
        exprs, joins = self._coded(names, kinds)
        zone = round(m.time.zone_h * HOUR_MS)
        start = 0
        if clock:
            first = self.value("SELECT min(_t) FROM judged WHERE _fault IS NULL") if low is None else low
            start = (first + zone) // DAY_MS * DAY_MS - zone
        if m.day:
            day = "_given_day"
        elif clock:
            day = day_number("_t", start)
        else:  # an order without a clock: everybody's last event is the second day
            last = "row_number() OVER (PARTITION BY j.user_id ORDER BY _t DESC, _n DESC) = 1"
            day = f"CAST({last} AS INTEGER)"
        hour = [f"CAST((_t - {start}) % {DAY_MS} // {HOUR_MS} AS INTEGER) AS hour"] if clock else []
        labels = [f"j.{quoted(n)}" for n in m.labels]
        for name, good in self._moments(start).items():
            at, true = quoted(f"_{name} at"), f"j.{quoted(name)}"
            day_at = day_number(at, start) if clock else f"CAST(floor({at}) AS INTEGER)"
            labels.append(f"CASE WHEN {good} THEN {at} WHEN {true} THEN _t END - {start} AS {at}")
            when = f"CASE WHEN {true} THEN CASE WHEN {good} THEN {day_at} ELSE {day} END END"
            labels.append(f"coalesce({when}, -1) AS {quoted(day_of(name))}")
        listed = ", ".join([*exprs, "_behaviour", f"_t - {start} AS time_ms", f"{day} AS day", *hour, *labels])
        self.con.execute(
            f"CREATE TABLE events AS SELECT _n, {listed} FROM judged j {joins} WHERE _fault IS NULL "
            "ORDER BY time_ms, _n"
        )
        self.con.execute("CREATE TABLE clock AS SELECT min(_t) low, max(_t) high FROM judged WHERE _fault IS NULL")
        self.con.execute("DROP VIEW judged")
        self.con.execute("DROP TABLE raw")
        self.con.execute("COMMIT")

    def show(self) -> None:
        """``shown``: the events that become rows, with what the same user did to the same item from then on."""
        if self.has("shown"):
            return
        if self.map.labels:
            self.con.execute("CREATE OR REPLACE VIEW shown AS SELECT * FROM events")
            return
        columns, joins = [f"true AS {quoted(self.map.label)}"], ""
        for kind in self.follow:
            columns.append(f"f_{kind}.time_ms IS NOT NULL AS {quoted(kind)}")
            columns.append(f"coalesce(f_{kind}.day, -1) AS {quoted(day_of(kind))}")
            of_kind = f"(SELECT user_id, item_id, time_ms, day FROM events WHERE _behaviour = {literal(kind)})"
            joins += (
                f" ASOF LEFT JOIN {of_kind} f_{kind} ON e.user_id = f_{kind}.user_id AND e.item_id = f_{kind}.item_id"
                f" AND e.time_ms <= f_{kind}.time_ms"
            )
        self.con.execute(
            f"CREATE TABLE shown AS SELECT e.*, {', '.join(columns)} FROM events e {joins} "
            f"WHERE {self._positive} AND e.day NOT IN ({self._alone}) ORDER BY e.time_ms, e._n"
        )

    def alone(self) -> int:
        """Events of days on which all show one item, so that there is no negative: they become no rows."""
        return (
            0
            if self.map.labels
            else self.value(f"SELECT count(*) FROM events WHERE {self._positive} AND day IN ({self._alone})")
        )

    @property
    def _positive(self) -> str:
        return f"_behaviour IN ({', '.join(map(literal, self.map.positive))})"

    @property
    def _alone(self) -> str:
        return f"SELECT day FROM events WHERE {self._positive} GROUP BY day HAVING min(item_id) = max(item_id)"

    @cached_property
    def follow(self) -> list[str]:
        """Behaviours after a positive that become labels beside it."""
        there = {str(r[0]) for r in self.con.execute("SELECT DISTINCT _behaviour FROM events").fetchall()}
        return [k for k in ("cart", "order", "refund") if k in there and k not in self.map.positive]

    def after(self, kind: str, cause: str) -> pa.Table:
        """Events of a kind by day, time and the files' order; ``delay_ms`` since the latest earlier cause of the same
        user and item, or -1."""
        of = "SELECT user_id, item_id, time_ms, day, _n FROM events WHERE _behaviour = "
        return self.table(
            "SELECT e.user_id, e.item_id, e.time_ms, e.day, coalesce(e.time_ms - c.time_ms, -1) AS delay_ms "
            f"FROM ({of}{literal(kind)}) e "
            f"ASOF LEFT JOIN ({of}{literal(cause)}) c ON e.user_id = c.user_id AND e.item_id = c.item_id "
            "AND c.time_ms <= e.time_ms ORDER BY e.day, e.time_ms, e._n"
        )

    def happened(self, kind: str, cause: str) -> pa.Table:
        """The rows in which a label of the log came true, with their numbers and its moments; ``delay_ms`` since the
        cause's moment, -1 without one.
        """
        moments = {n: quoted(f"_{n} at") for n, label in self.map.labels.items() if label.at is not None}
        at, day = moments.get(kind, "time_ms"), quoted(day_of(kind)) if kind in moments else "day"
        since = f"coalesce({at} - {moments.get(cause, 'time_ms')}, -1)"
        return self.table(
            f"SELECT number AS impression_id, user_id, item_id, {at} AS time_ms, {day} AS day, {since} AS delay_ms "
            "FROM (SELECT *, row_number() OVER (ORDER BY day, time_ms, _n) - 1 AS number FROM shown) "
            f"WHERE {quoted(kind)} AND {day} >= 0 ORDER BY 5, 4, 1"
        )

    def dropped(self) -> dict[str, int]:
        """Rows that are left out, by reason."""
        reasons = {
            str(f): int(n) for f, n in self.con.execute("SELECT * FROM faults WHERE _fault IS NOT NULL").fetchall()
        }
        unread = self.value("SELECT * FROM unread")
        return {**({"not readable as a row": unread} if unread else {}), **reasons}

    # Parts of the steps

    @property
    def _now(self) -> int:
        """The moment behind which all is in the future: texts may be local times, which no column says."""
        return self.now_ms + (AHEAD_MS if self.map.time.unit == "date" else 0)

    def _hold(self, table: str, counts: dict[str, int]) -> None:
        self.con.execute(f"CREATE TABLE {table} (name VARCHAR, n BIGINT)")
        for name, count in counts.items():
            self.con.execute(f"INSERT INTO {table} VALUES ({literal(name)}, {count})")

    def _moments(self, start: int) -> dict[str, str]:
        """Conditions under which a label's moment can be used, by label; how often it cannot is ``unmoved``.

        Raises:
            DataError: none of a label's moments can.
        """
        moments, lost = {}, {}
        for name in [n for n, s in self.map.labels.items() if s.at is not None]:
            at, true = quoted(f"_{name} at"), quoted(name)
            moments[name] = f"({at} IS NOT NULL)"
            if self.map.time.unit != "step":
                moments[name] = (
                    f"coalesce({day_number(at, start)} >= {day_number('_t', start)} AND {at} <= {self._now}, false)"
                )
            of = "SELECT count(*) FROM judged WHERE _fault IS NULL AND"
            lost[name], all_of = self.value(f"{of} {true} AND NOT {moments[name]}"), self.value(f"{of} {true}")
            if lost[name] == all_of > 0:
                raise DataError(
                    f"'{name}' is true in {all_of:,} rows, and none of their moments can be read (or all lie before "
                    f"their rows, or in the future); look at its 'at', whose unit is that of the map's time."
                )
        self._hold("unmoved", {n: count for n, count in lost.items() if count})
        return moments

    @property
    def _csv(self) -> bool:
        return self.files[0].suffix not in (*sql.PARQUET, *sql.ARROW)

    def _source(self) -> str:
        if self.files[0].suffix in sql.ARROW:
            self.con.register("_arrow", dataset([str(f) for f in self.files], format="ipc"))
            table = "_arrow"
        else:
            table = read_files(self.files, self.map, "store_rejects=true" if self._csv else "")
            if self._csv and self.map.time.format:  # DuckDB reads a time as it likes, unless it is a text
                texts = sql.texts(self.map, self.kinds(f"SELECT * FROM {table}"))
                table = read_files(self.files, self.map, f"store_rejects=true, types={{{texts}}}")
        items = self.map.items
        if items is None:
            return table
        of_item = read_files(self.items_files, items)
        log_columns = {n.casefold() for n in self.kinds(f"SELECT * FROM {table}")}
        if twice := [n for n in items.columns if n.casefold() in log_columns]:
            raise DataError(
                f"'{twice[0]}' is a column of the log and one of the map's items; rename that of the items."
            )
        facts = ", ".join(f"{e} AS {quoted(n)}" for n, e in items.columns.items())
        one = f"SELECT CAST({quoted(items.key)} AS VARCHAR) AS _key, {facts} FROM {of_item} GROUP BY 1"
        log = f"SELECT *, CAST({expression(items.by or self.map.item)} AS VARCHAR) AS _key FROM {table}"
        return f"(SELECT * FROM ({log}) l LEFT JOIN ({one}) i USING (_key))"

    def _checked(self, source: str) -> dict[str, str]:
        """Types of the files' columns; one sentence for a column that is not there."""
        columns = self.kinds(f"SELECT * FROM {source}")
        m = self.map
        every = [m.user, m.item, m.time, *([m.day] if m.day else []), *([m.behaviour] if m.behaviour else [])]
        for source_of in (*every, *m.labels.values(), *m.columns.values()):
            if source_of.column and source_of.column not in columns:
                raise DataError(
                    f"the map names a column '{source_of.column}', which {self.files[0].name} does not have; "
                    f"{nearest(source_of.column, list(columns))}"
                )
        return columns

    def _usable(self) -> None:
        if self.value("SELECT count(*) FROM judged WHERE _fault IS NULL"):
            return
        total = self.value("SELECT count(*) FROM judged")
        why = ", ".join(f"{n:,} {w}" for w, n in self.dropped().items()) or "the files are empty"
        m = self.map.time
        told = f"the format '{m.format}'" if m.format else f"the unit '{m.unit}'"
        first = self.one(f"SELECT CAST({expression(m)} AS VARCHAR) FROM {self._source()} LIMIT 1").fetchall()
        example = f"; the first time in the file is '{first[0][0]}', and the map gives it {told}" if first else ""
        raise DataError(f"none of the {total:,} rows can be used ({why}){example}; mend the map.")

    def _coded(self, names: Sequence[str], kinds: dict[str, str]) -> tuple[list[str], str]:
        """Expressions of columns as numbers, and the joins that they need; texts get codes by their order."""
        exprs, joins = [], ""
        for name in names:
            kind, at = kinds[name], f"j.{quoted(name)}"
            sql.alike(self.map, self.codes, name, kind)
            if name in self.map.privileged:
                exprs.append(f"{finite(f'TRY_CAST({at} AS FLOAT)')} AS {quoted(name)}")
            elif name == "single":
                exprs.append(f"{self._flag(at)} AS single")
            elif name in CODED:
                cases = " ".join(f"WHEN {literal(v)} THEN {i}" for i, v in enumerate(CODED[name]))
                exprs.append(f"CAST(CASE {at} {cases} ELSE -1 END AS INTEGER) AS {name}")
            elif kind in sql.WHOLE:
                none = 0 if name == "promotion" else -1
                exprs.append(f"coalesce(CAST({at} AS BIGINT), {none}) AS {quoted(name)}")
            elif kind.startswith(sql.NUMBERS) and name not in ("user_id", "item_id"):
                exprs.append(f"{finite(f'CAST({at} AS FLOAT)')} AS {quoted(name)}")
            else:
                code = quoted(f"code_{name}")
                first = 1 if name == "promotion" else 0  # a promotion of number 0 is none
                text = f"nullif(CAST({at} AS VARCHAR), '')" if first else f"CAST({at} AS VARCHAR)"
                distinct = f"SELECT DISTINCT {text} AS value FROM judged j WHERE _fault IS NULL AND {text} IS NOT NULL"
                earlier_codes = self.codes / f"{name}.parquet" if self.codes is not None else None
                if earlier_codes is not None and earlier_codes.is_file():
                    self.con.execute(
                        f"CREATE TABLE {code} AS SELECT value, code FROM read_parquet({literal(str(earlier_codes))})"
                    )
                else:
                    self.con.execute(f"CREATE TABLE {code} (value VARCHAR, code BIGINT)")
                more = f"(SELECT coalesce(max(code), {first - 1}) FROM {code}) + row_number() OVER (ORDER BY value)"
                self.con.execute(
                    f"INSERT INTO {code} SELECT value, {more} FROM ({distinct} EXCEPT SELECT value FROM {code})"
                )
                joins += f" LEFT JOIN {code} ON {code}.value = {text}"
                exprs.append(f"coalesce({code}.code, {first - 1}) AS {quoted(name)}")
        return exprs, joins

    def _flag(self, at: str) -> str:
        """Limited stock as 1, everything else as 0.

        Raises:
            DataError: something is neither, such as a text that only people can read.
        """
        text = f"lower(CAST({at} AS VARCHAR))"
        flags = ", ".join(map(literal, sql.FLAGS))
        odd = self.con.execute(
            f"SELECT any_value({text}) FROM judged j WHERE _fault IS NULL AND {text} NOT IN ({flags})"
        )
        if (text_value := odd.fetchall()[0][0]) is not None:
            raise DataError(
                f"'single' says which things are of limited stock and must be true or false (1 or 0), not "
                f"'{text_value}'; an expression (sql) of the map can say so."
            )
        return f"CAST(coalesce({text} IN ({', '.join(map(literal, sql.FLAGS[:3]))}), false) AS BIGINT)"
