"""The progress of a run: one JSON line every few steps, and a line with the time left."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TextIO


class RunLog:
    """Writes ``log.jsonl`` into a folder; None writes nothing.

    Args:
        total: rows to train on, for the time left; 0 when unknown.
        progress: also print a line that overwrites itself to standard error.
    """

    def __init__(self, folder: Path | None, total: int = 0, done: int = 0, progress: bool = False) -> None:
        self.total, self.first = total, done
        self.progress = progress
        self.began = time.monotonic()
        self.file: TextIO | None = None
        if folder is not None:
            folder = Path(folder)
            folder.mkdir(parents=True, exist_ok=True)
            self.file = (folder / "log.jsonl").open("a", encoding="utf-8")

    def step(self, step: int, rows: int, **values: float) -> None:
        """Record one step: rows seen so far and any named numbers."""
        seconds = time.monotonic() - self.began
        rate = (rows - self.first) / max(seconds, 1e-9)
        left = max(self.total - rows, 0) / max(rate, 1e-9)
        record = {"step": step, "rows": rows, "seconds": round(seconds, 2), "rows_per_s": round(rate), **values}
        if self.total:
            record["left_s"] = round(left, 1)
        if self.file:
            self.file.write(json.dumps(record) + "\n")
            self.file.flush()
        if self.progress:
            share = f" {rows / self.total:4.0%}, {left:.0f} s left" if self.total else ""
            numbers = ", ".join(f"{n} {v:.4f}" for n, v in values.items())
            print(f"\rstep {step}{share}, {numbers}, {rate:,.0f} rows/s ", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Flush and close; safe to call twice."""
        if self.file:
            self.file.close()
        if self.progress:
            print(file=sys.stderr)
        self.file, self.progress = None, False
