"""Specific types of garments ("jeans", "clogs"): what a seller calls the piece, finer than its category."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("item_types.yaml")


@lru_cache(maxsize=1)
def _load() -> tuple[dict[str, re.Pattern[str]], dict[str, str]]:
    raw = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    families = {name: family for family, names in raw["families"].items() for name in names}
    return {name: re.compile(pattern) for name, pattern in raw["types"].items()}, families


def type_of(item: str) -> str | None:
    """The type that an annotated item ("Ripped skinny-jeans") is of, or None."""
    text = item.lower().replace("-", " ")
    return next((name for name, pattern in _load()[0].items() if pattern.search(text)), None)


def family(name: str) -> str:
    """The word by which a type is said: its own, or that of its family."""
    return _load()[1].get(name, name)


def by_family(shares: Mapping[str, float]) -> dict[str, float]:
    """Probabilities of types as those of the words that say them."""
    out: dict[str, float] = {}
    for name, p in shares.items():
        out[family(name)] = out.get(family(name), 0.0) + p
    return out
