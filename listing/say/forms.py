"""How texts say the details of ``evidence/details.yaml``, and what the names of things say already (``nouns.yaml``)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from listing.taxonomy import CategoryNode

DETAIL_FILE = Path(__file__).parent.parent / "observe" / "networks" / "details.yaml"
NOUN_FILE = Path(__file__).with_name("nouns.yaml")
Form = str | dict[str, str]


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
    covers: tuple[str, ...] = ()
    joins: dict[str, str] = {}
    tunes: dict[str, str] = {}

    @property
    def tinted(self) -> bool:
        """Whether its form needs the second colour: ``{}`` stands for it."""
        return "{}" in str(self.behind)

    def fits(self, node: CategoryNode, second_colour: bool = False) -> bool:
        """Whether a thing of this category can have it, and a text can say so."""
        if self.tinted and not second_colour:
            return False
        sayable = any(form_for(form, node) for form in (self.behind, self.adjective, self.looks))
        return sayable and (not self.only or bool(set(self.only) & set(node.path)))


def form_for(form: Form, node: CategoryNode) -> str:
    """The form for a category: by its name, its groups (the narrowest first), or ``any``."""
    if isinstance(form, str):
        return form
    return next((form[name] for name in (*reversed(node.path), "any") if name in form), "")


@lru_cache(maxsize=1)
def detail_forms() -> dict[str, DetailForms]:
    """Detail -> its forms, in the file's order."""
    raw = yaml.safe_load(DETAIL_FILE.read_text(encoding="utf-8"))
    return {
        phrase: DetailForms.model_validate({"group": group, **{k: v for k, v in entry.items() if k != "find"}})
        for group, entries in raw.items()
        for phrase, entry in entries.items()
    }


def implied(node: CategoryNode, item_type: str | None) -> frozenset[str]:
    """What the name of a thing says already: ``attribute=value``, attributes and details."""
    raw = _nouns()
    said = (*raw["types"].get(item_type or "", ()), *raw["categories"].get(node.name, ()))
    return frozenset(said) | {f"={value}" for value in node.implies}


@lru_cache(maxsize=1)
def _nouns() -> dict[str, dict[str, list[str]]]:
    raw: dict[str, dict[str, list[str]]] = yaml.safe_load(NOUN_FILE.read_text(encoding="utf-8"))
    return raw


def is_plural(noun: str) -> bool:
    """Whether a thing of that name is spoken of as several ("jeans", "ankle boots")."""
    return noun.endswith("s") and not noun.endswith("ss")
