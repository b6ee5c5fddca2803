"""Files of JSON lines, packed or plain."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def read_lines(file: str | Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file, packed where its name ends in ``.gz``."""
    content = Path(file).read_bytes()
    text = (gzip.decompress(content) if str(file).endswith(".gz") else content).decode("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def write_lines(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSONL file."""
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
