"""Word lists of the text checks, from ``words.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml


@cache
def _lists() -> dict[str, str]:
    return yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))


def words(name: str) -> frozenset[str]:
    """The list of that name; an underscore in the file stands for a blank."""
    return frozenset(word.replace("_", " ") for word in _lists()[name].split())
