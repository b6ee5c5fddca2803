"""What is damaged in a store although its database opens: lost log, broken pages, values that nobody stored."""

from __future__ import annotations

import json
import sqlite3
import struct
import time
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, Text, cast, inspect, select

from app.store.tables import Base

LOOKS, PAUSE = 3, 0.1  # at a log, into which a server may be writing: what is half written is whole in the next look
_HEADER, _FRAME = struct.Struct(">8I"), struct.Struct(">6I")
_MASK = 0xFFFFFFFF


def check_pages(connection: sqlite3.Connection) -> None:
    """Raises DatabaseError with what SQLite finds damaged in a database, in a few words."""
    verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if verdict != "ok":
        error = sqlite3.DatabaseError(" ".join(verdict.split())[:200])
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def value_damage(connection: Connection) -> list[str]:
    """Values that cannot be what was stored, as "table.column of KEY": JSON that cannot be read, text with a NUL."""
    inspector = inspect(connection)
    there = {name: {c["name"] for c in inspector.get_columns(name)} for name in inspector.get_table_names()}
    if connection.dialect.name == "sqlite":  # so that bytes which are no text are met here
        connection.connection.driver_connection.text_factory = bytes  # type: ignore[union-attr]
    damaged = []
    for table in Base.metadata.sorted_tables:
        columns = [c for c in table.columns if c.name in there.get(table.name, ())]
        keys = [n for n, c in enumerate(columns) if c.primary_key]
        rows = (
            connection.execute(select(*(cast(c, Text) for c in columns)).execution_options(yield_per=500))
            if columns
            else ()
        )
        for row in rows:
            for column, value in zip(columns, row, strict=True):
                if value is not None and not _is_sound(value, isinstance(column.type, JSON)):
                    damaged.append(f"{table.name}.{column.name} of {' '.join(_words(row[n]) for n in keys)}")
    return damaged


def _is_sound(value: str | bytes, is_json: bool) -> bool:
    try:
        text = value.decode() if isinstance(value, bytes) else value
        if is_json:
            json.loads(text)
    except ValueError:
        return False
    return "\0" not in text


def _words(key: Any) -> str:
    text = key.decode(errors="replace") if isinstance(key, bytes) else str(key)
    return "".join(c for c in text if c.isprintable())[:64]


def log_is_torn(database: Path) -> bool:
    """Whether SQLite's write-ahead log has lost what was committed: opening the store would drop all behind the gap.

    A log whose end alone is missing is that of a process that was killed as it wrote.
    """
    log = database.with_name(f"{database.name}-wal")
    first = _gap(log)
    for _ in range(LOOKS - 1):
        if first is None:
            break
        time.sleep(PAUSE)
        first = first if _gap(log) == first else None
    return first is not None


def _gap(log: Path) -> int | None:
    """The first frame that does not verify though a commit of the same log follows; None: there is none."""
    content = log.read_bytes() if log.is_file() else b""
    if len(content) <= _HEADER.size:
        return None
    magic, _, page, _, *salts, _, _ = _HEADER.unpack_from(content)
    order = {0x377F0682: "<", 0x377F0683: ">"}.get(magic)
    sums = _HEADER.unpack_from(content)[6:]
    if order is None or not page or _checksum(order, content[:24], (0, 0)) != sums:
        return 0
    bad = None
    for number, at in enumerate(range(_HEADER.size, len(content) - page - _FRAME.size + 1, page + _FRAME.size)):
        _, commits, *rest = _FRAME.unpack_from(content, at)
        if bad is not None:
            if commits and rest[:2] == salts:
                return bad
            continue
        data = content[at : at + 8] + content[at + _FRAME.size : at + _FRAME.size + page]
        sums = _checksum(order, data, sums)
        if rest != [*salts, *sums]:
            bad = number
    return None


def _checksum(order: str, data: bytes, before: tuple[int, ...]) -> tuple[int, int]:
    """SQLite's checksum of a log, continued."""
    first, second = before
    for one, two in struct.iter_unpack(f"{order}2I", data):
        first = (first + one + second) & _MASK
        second = (second + two + first) & _MASK
    return first, second
