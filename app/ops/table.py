"""A table for people and for export."""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_ROWS = 200  # rows of a table on a page; the export has all
Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """``note`` says how to read it; ``links``: an address for each row's first cell, or none at all."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    links: tuple[str, ...] = ()

    @property
    def on_page(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows for a page."""
        return self.rows[:MAX_ROWS]

    @property
    def figures(self) -> tuple[bool, ...]:
        """Of each column, whether it holds numbers: they and their heading stand at the right."""
        first = [next((row[n] for row in self.rows if row[n] is not None), None) for n in range(len(self.headers))]
        return tuple(isinstance(cell, int | float) for cell in first)


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A number as it is shown; nothing for what is no number."""
    return None if value is None or not math.isfinite(value) else round(value, digits)
