"""Details ("chest pocket", ``observe/details.yaml``): what finds them in a text and how one is said; item types."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from listing.taxonomy import CategoryNode

_FOLDER = Path(__file__).parent / "observe"
FILE = _FOLDER / "details.yaml"
_PARTS = re.compile(r"[.,;\n]|\b(?:and|with)\b")
_ENDINGS = re.compile(r"(?:e?s|ed|ing)$")
_SMALL = frozenset(("a", "an", "at", "down", "in", "looks", "of", "on", "the"))
TYPES_FILE = _FOLDER / "item_types.yaml"
RATES_FILE = _FOLDER / "detail_rates.json"
EXCLUSIVE = "exclusive"  # the one block of the file that holds no details
Form = str | dict[str, str]


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


def words_stand(words: str, text: str) -> bool:
    """True if one part of a text has all of a detail's words, two or more: "a pocket on its chest" is a chest pocket.

    One word alone may be a part's: "belt loops" are no belt.
    """
    wanted = _stems(words)
    return len(wanted) > 1 and any(wanted <= _stems(part) for part in _PARTS.split(text))


def _stems(text: str) -> set[str]:
    return {_ENDINGS.sub("", word) for word in re.findall(r"\w+", text.lower()) if word not in _SMALL}


@lru_cache(maxsize=1)
def detail_groups() -> dict[str, dict[str, dict[str, Any]]]:
    """The file: group -> phrase -> its entry."""
    return {name: group for name, group in _file().items() if name != EXCLUSIVE}


@lru_cache(maxsize=1)
def _file() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return raw


@lru_cache(maxsize=1)
def exclusive() -> tuple[tuple[str, ...], ...]:
    """Sets of details of which an item has one, each in the file's order: a sum in another order is another one."""
    return tuple(tuple(line.split(", ")) for line in _file()[EXCLUSIVE])


@lru_cache(maxsize=1)
def load_details() -> Details:
    """The phrases that come with the package."""
    groups = detail_groups().values()
    return Details({phrase: re.compile(entry["find"]) for group in groups for phrase, entry in group.items()})


class DetailForms(BaseModel):
    """See the head of ``details.yaml``; ``group`` is the block that the detail stands in."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    group: str
    behind: Form = Field("", alias="with")
    adjective: Form = ""
    looks: str = ""
    place: str = ""
    only: tuple[str, ...] = ()
    kind: str | None = None
    says: dict[str, tuple[str, ...]] = {}
    unless: dict[str, tuple[str, ...]] = {}
    covers: tuple[str, ...] = ()
    joins: dict[str, str] = {}
    tunes: dict[str, str] = {}
    dull: bool = False
    weak: bool = False

    @property
    def tinted(self) -> bool:
        """True if its form needs the second colour: ``{}`` stands for it."""
        return "{}" in str(self.behind)

    def fits(self, node: CategoryNode, second_colour: bool = False) -> bool:
        """True if an item of this category can have it, and a text can say so."""
        if self.tinted and not second_colour:
            return False
        return bool(self.words(node)) and (not self.only or bool(set(self.only) & set(node.path)))

    def words(self, node: CategoryNode) -> list[str]:
        """Every form that such an item has."""
        return [words for form in (self.behind, self.adjective, self.looks) if (words := form_for(form, node))]


def form_for(form: Form, node: CategoryNode) -> str:
    """The form for a category: by its name, its groups (the narrowest first), or ``any``."""
    if isinstance(form, str):
        return form
    return next((form[name] for name in (*reversed(node.path), "any") if name in form), "")


@lru_cache(maxsize=1)
def detail_forms() -> dict[str, DetailForms]:
    """Detail -> its forms, in the file's order."""
    return {
        phrase: DetailForms.model_validate({"group": group, **{k: v for k, v in entry.items() if k != "find"}})
        for group, entries in detail_groups().items()
        for phrase, entry in entries.items()
    }


def is_dull(phrase: str) -> bool:
    """True of a detail that no title names unless there is nothing else, and no text as a guess."""
    return phrase in detail_forms() and detail_forms()[phrase].dull


@lru_cache(maxsize=1)
def _rates() -> dict[str, dict[str, float]]:
    raw: dict[str, dict[str, float]] = json.loads(RATES_FILE.read_text(encoding="utf-8"))
    return raw


def rate(name: str, node: CategoryNode) -> float:
    """Share of such items that have a detail, or a value of an attribute ("neckline=crew"), by annotated photos."""
    tables = [_rates()[leaf] for leaf in node.members or (node.name,) if leaf in _rates()]
    return sum(table.get(name, 0.0) for table in tables) / max(1, len(tables))


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
