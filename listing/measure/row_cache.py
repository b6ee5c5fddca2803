"""Rows of a JSONL file by key: what was computed is stored, so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read(file: Path) -> Iterator[Row]:
    """Rows of a file; a line torn by an interruption is left out, the lines behind it are not."""
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


class RowCache:
    """Append-only rows; of two rows with one key the later one counts."""

    def __init__(self, file: Path, key: Callable[[Row], str]) -> None:
        self.file = file
        self._key = key
        self._rows = {key(row): row for row in read(file)}

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> Row:
        return self._rows[key]

    def put(self, row: Row) -> Row:
        """Keep a row, on the disk at once; returns it."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+b") as file:
            if file.tell() and not _ends_a_line(file):
                file.write(b"\n")
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._rows[self._key(row)] = row
        return row


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, 2)
    return bool(file.read(1) == b"\n")
