"""DuckDB's expressions of what a map says: files, sources, moments, and what makes a row unusable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from pathlib import Path

from recommend.data.parquet import DataError
from recommend.data.schema import DAY_MS, HOUR_MS, columns_of
from recommend.imports.maps import CODED, Items, LogMap, Moment, Source

PARQUET, ARROW = (".parquet", ".pq"), (".feather", ".arrow")  # by the file's name; any other one is a CSV
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "BOOLEAN")
NUMBERS = ("FLOAT", "DOUBLE", "DECIMAL")
FLAGS = ("true", "1", "1.0", "false", "0", "0.0")
FAULTS = {  # in the order in which a row is asked; the import's own columns begin with "_", which no map's may
    "no user": "user_id IS NULL",
    "no item": "item_id IS NULL",
    "no readable time": "_t IS NULL",
    "no day (a whole number from 0 on)": "_given_day IS NULL OR _given_day < 0",
    "a behaviour that the map does not name": "_behaviour IS NULL",
    "in the future": "_t > {now}",
    "outside of the days of the map": "_t < {first} OR _t > {last}",
    "left out by the map": "NOT coalesce(_asked, false)",
}


def read_files(files: Sequence[Path], form: LogMap | Items, more: str = "") -> str:
    """DuckDB's reader of files; ``_file`` is a column with the name of each row's file."""
    names = ", ".join(literal(str(f)) for f in files)
    if files[0].suffix in PARQUET:
        return f"read_parquet([{names}], filename='_file', file_row_number=true)"
    # All lines are read before a column's type is settled: a code that holds a letter late is a text.
    options = ["sample_size=-1", "filename='_file'", *([more] if more else [])]
    if form.header:
        options += ["header=false", f"names=[{', '.join(map(literal, form.header))}]"]
    if form.delimiter:
        options.append(f"delim={literal(form.delimiter)}")
    return f"read_csv([{names}], {', '.join(options)})"


def texts(log_map: LogMap, there: Collection[str]) -> str:
    """A reader's types of the columns ``there`` whose moments have a format: they are texts."""
    later = (source.at.column for source in log_map.labels.values() if source.at is not None)
    moments = dict.fromkeys([log_map.time.column, *later])
    return ", ".join(f"{literal(name)}: 'VARCHAR'" for name in moments if name in there)


def finite(number: str) -> str:
    """0 for what is no number, or no finite one."""
    return f"CASE WHEN isfinite({number}) THEN {number} ELSE 0 END"


def day_number(moment: str, start: int) -> str:
    """The day of a moment, counted from ``start``, ms."""
    return f"CAST(({moment} - {start}) // {DAY_MS} AS INTEGER)"


def day_of(kind: str) -> str:
    """The column of the rows that says on which day a label came true; -1: never."""
    return f"{kind}_day"


def expression(source: Source) -> str:
    """DuckDB's expression of a source."""
    expression_text = f"({source.sql})" if source.sql else quoted(source.column)
    if not source.values:
        return expression_text
    cases = " ".join(f"WHEN {literal(raw)} THEN {literal(value)}" for raw, value in source.values.items())
    return f"CASE CAST({expression_text} AS VARCHAR) {cases} END"


def moment(time: Moment, kinds: dict[str, str]) -> str:
    """DuckDB's expression of a moment in milliseconds (of a step as it is); null where it cannot be read."""
    at, kind = expression(time), kinds.get(time.column, "")
    if time.unit == "date":
        if time.format:
            return f"epoch_ms(try_strptime(CAST({at} AS VARCHAR), {literal(time.format)}))"
        return f"epoch_ms(TRY_CAST({at} AS TIMESTAMP))" if kind else f"epoch_ms({at})"
    number = f"TRY_CAST({at} AS DOUBLE)"
    factor = {"s": 1000.0, "ms": 1.0, "us": 0.001, "step": 1.0}[time.unit]
    return f"TRY_CAST(round({number} * {factor}) AS BIGINT)"


def midnight(day: date | None, zone_h: float) -> int | None:
    """When a day begins in a zone, ms."""
    return None if day is None else (day - date(1970, 1, 1)) // timedelta(days=1) * DAY_MS - round(zone_h * HOUR_MS)


def quoted(name: str) -> str:
    """A name for SQL, whatever it is."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def alike(log_map: LogMap, codes: Path | None, name: str, kind: str) -> None:
    """Raises:
    DataError: a column is text in the earlier import and numbers here, or the reverse.
    """
    if codes is None or name not in columns_of(codes.parent) or name in (*CODED, "single", *log_map.privileged):
        return
    number = kind in WHOLE or (kind.startswith(NUMBERS) and name not in ("user_id", "item_id"))
    if number == (codes / f"{name}.parquet").is_file():
        now, then = ("numbers", "text") if number else ("text", "numbers")
        raise DataError(
            f"'{name}' is {now} here and {then} in {codes.parent}, so that its codes cannot stay; import all "
            f"files anew, or make it {then} by an expression (sql) of the map."
        )
