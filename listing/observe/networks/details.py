"""Details that a photo may show and a text may say ("chest pocket"): the phrases of ``details.yaml``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("details.yaml")
_PARTS = re.compile(r"[.,;\n]|\b(?:and|with)\b")


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
