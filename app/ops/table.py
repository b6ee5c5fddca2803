"""A table for people and for export."""

from __future__ import annotations

import math
from dataclasses import dataclass

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """``note`` says how to read it."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A number as it is shown; nothing for what is no number."""
    return None if value is None or not math.isfinite(value) else round(value, digits)
