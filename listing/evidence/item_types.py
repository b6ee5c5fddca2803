"""Specific types of garments ("jeans", "clogs"): what a seller calls the piece, finer than its category."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("item_types.yaml")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    raw = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple((name, re.compile(pattern)) for name, pattern in raw.items())


def type_of(item: str) -> str | None:
    """The type that an annotated item ("Ripped skinny-jeans") is of, or None."""
    text = item.lower().replace("-", " ")
    return next((name for name, pattern in _patterns() if pattern.search(text)), None)
