"""Writing of set files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

HERE = Path(__file__).parent


def write(name: str, rows: Iterable[Mapping[str, object]]) -> None:
    """One JSON object a line."""
    (HERE / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
