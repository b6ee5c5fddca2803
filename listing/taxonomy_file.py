"""``taxonomy.yaml`` as it is written: blocks whose form is checked, before they become a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from listing.errors import IplError

Translations = dict[str, dict[str, dict[str, float]]]
ALL = ""  # in a shop's voice: of kinds that it has too few texts of


class TaxonomyError(IplError, ValueError):
    """The taxonomy file is wrong; the message names the place and what is wrong with it."""

    exit_status = 2


class Frozen(BaseModel):
    """A block that cannot change and has no keys beyond its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml, nine times as fast
    """SafeLoader that refuses a key given twice; plain YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node)
            if key in keys:
                raise TaxonomyError(f"{key!r} is given twice (line {key_node.start_mark.line + 1}).")
            keys.add(key)
        result: dict[Any, Any] = super().construct_mapping(node, deep)
        return result


def load_unique(text: str) -> Any:
    """The document as Python objects. TaxonomyError: a key is given twice; yaml.YAMLError: no valid YAML."""
    return yaml.load(text, _UniqueKeys)


class Kind(Frozen):
    """Everything that texts need to know of a kind of item, see ``CategoryNode``."""

    tuned: bool = False
    invites: tuple[str, ...] = Field(default=(), exclude=True)  # of older files, as is the next; nothing reads them
    invites_sized: tuple[str, ...] = Field(default=(), exclude=True)
    named_by_print: bool = False


class SchemaBlock(Kind):
    """The attributes of a kind of item, and the values that occur there."""

    attributes: tuple[str, ...] = Field(min_length=1)
    values: dict[str, tuple[str, ...]] = {}


class Naming(Frozen):
    """The words for an item, see ``CategoryNode``."""

    phrase: str
    plural: bool = False
    synonyms: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()


class LeafBlock(Naming):
    """One leaf, or what a group is called where it is stated."""

    # `schema` is taken by pydantic, so that the key of the file is called `uses`.
    uses: str
    imagenet: dict[int, float] = {}

    @field_validator("imagenet", mode="before")
    @classmethod
    def _spell_out(cls, raw: Any) -> Any:
        """A list means a share of 1 each; the key ``0-397`` means each class of that range."""
        if isinstance(raw, list):
            return dict.fromkeys(raw, 1.0)
        if not isinstance(raw, dict):
            return raw
        shares: dict[Any, Any] = {}
        for key, share in raw.items():
            first, dash, last = str(key).partition("-")
            ranged = dash and first.isdigit() and last.isdigit()
            shares.update(dict.fromkeys(range(int(first), int(last) + 1) if ranged else [key], share))
        return shares


class Voice(Frozen):
    """How a shop's own texts speak, by kind; ``ALL`` is for what it has too few texts of.

    ``titles``: the facts that titles name, in their order; ``nouns``: what they call the kind. ``phrases`` of
    descriptions by attribute or ``attribute=value``, in the order of most: a bare slot ("{neckline}") stands before
    the name, others ("has a {neckline}") behind it; ``words``: ``attribute=value`` as they spell it. ``stated``: facts
    that listings of the kind state; ``details``: those that its descriptions speak of. ``new``: none speaks of wear.
    """

    titles: dict[str, tuple[str, ...]] = {}
    nouns: dict[str, str] = {}
    phrases: dict[str, dict[str, str]] = {}
    words: dict[str, str] = {}
    stated: dict[str, tuple[str, ...]] = {}
    details: dict[str, tuple[str, ...]] = {}
    new: bool = False


class TaxonomyFile(Frozen):
    """The whole file."""

    attributes: dict[str, dict[str, Any]] = Field(min_length=1)
    schemas: dict[str, SchemaBlock] = Field(min_length=1)
    clothing_imagenet: tuple[int, ...] = ()
    other: str | None = None
    means: Translations = {}
    unnamed: dict[str, dict[str, float]] = {}
    voice: Voice | None = None
    tree: dict[str, Any] = Field(min_length=1)


def walk(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], LeafBlock]]:
    """(path, block) of every leaf, a block with the key ``uses``, and of every group's own block ``group``."""
    for name, block in tree.items():
        here = (*path, str(name))
        if not isinstance(block, dict) or not block:
            raise TaxonomyError(f"{' > '.join(here)}: a group needs leaves, a leaf needs `uses` and `phrase`.")
        if "uses" in block:
            yield here, LeafBlock.model_validate(block)
        else:
            yield from walk(block, here)
