"""A table for people and for export."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ROWS = 50  # rows of a table on the page; the export has all
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
