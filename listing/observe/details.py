"""Phrases of details ("chest pocket", ``details.yaml``) and of specific types ("jeans", ``item_types.yaml``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("details.yaml")
_PARTS = re.compile(r"[.,;\n]|\b(?:and|with)\b")
TYPES_FILE = Path(__file__).with_name("item_types.yaml")


@dataclass(frozen=True)
class Details:
    """``patterns``: phrase -> what finds it in a description."""

    patterns: dict[str, re.Pattern[str]]

    def read(self, text: str) -> list[str]:
        """The phrases that a text says, in the file's order."""
        lower = text.lower()
        return [phrase for phrase, pattern in self.patterns.items() if pattern.search(lower)]

    def named(self, text: str) -> set[str]:
        """The phrases that one part of a list says by itself: "a zip and pockets" names no zip pockets."""
        return {phrase for part in _PARTS.split(text) for phrase in self.read(part)}


@lru_cache(maxsize=1)
def detail_groups() -> dict[str, dict[str, dict[str, Any]]]:
    """The file: group -> phrase -> its entry."""
    groups: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return groups


@lru_cache(maxsize=1)
def load_details() -> Details:
    """The phrases that come with the package."""
    groups = detail_groups().values()
    return Details({phrase: re.compile(entry["find"]) for group in groups for phrase, entry in group.items()})


@lru_cache(maxsize=1)
def _load() -> tuple[dict[str, re.Pattern[str]], dict[str, str]]:
    raw = yaml.safe_load(TYPES_FILE.read_text(encoding="utf-8"))
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
