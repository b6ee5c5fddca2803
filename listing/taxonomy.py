"""Categories, their attribute schemas, and how each attribute can be known: ``taxonomy.yaml`` as checked objects."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from listing.taxonomy_file import (
    Frozen,
    Kind,
    LeafBlock,
    Naming,
    SchemaBlock,
    TaxonomyError,
    TaxonomyFile,
    Translations,
    Voice,
    load_unique,
    walk,
)

DEFAULT_FILE = Path(__file__).with_name("taxonomy.yaml")
VARIABLE = "IPL_TAXONOMY"
# What every item has, in whatever taxonomy: the program asks for it, checks it and shows it.
COMMON = (("colour",), ("material",), ("brand",), ("size", "dimensions"), ("condition",))
UNKNOWN = "unknown"
IMAGENET_CLASSES = 1000
GROUP = "group"  # key of the block by which a group can be stated
# Behind these words of a name no noun says whether it is one or several; and names with an "s" that are one.
_BEHIND_NOUN = re.compile(r" (?:of|with|without|for|in|on|from) ")
_SINGULAR = re.compile(r"(?!menus|.*kinis|khakis|skis).*(?:ss|us|is)|atlas|canvas|gas|lens")

KnowableBy = Literal["seen", "read", "seller-only"]


class Forms(Frozen):
    """How our texts say a value: ``before`` the noun, ``behind`` a "with", or as a ``sentence`` (singular, plural)."""

    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = Field(default=(), alias="with")
    sentence: tuple[str, ...] = Field(default=(), max_length=2)


class Attribute(Frozen):
    """One attribute: all that the product says, asks and checks about it is declared here.

    ``knowable_by`` (``known`` in the file) says how it can come to be known; several ways are allowed.
    ``values`` are the closed values that may be stated; empty means free text. ``absent`` is an answer that says that
    there is nothing to state (no second colour). ``many`` allows several values at once. ``instance`` marks what holds
    for this one piece only and so must never be taken from another listing. ``unsettled`` are the values that a photo
    alone cannot settle (cotton looks like many materials).
    ``question`` and ``choices`` are for the seller, the lowest ``seller_rank`` first, once ``asked_of`` is
    stated; ``asked`` is for the model.
    ``in_text`` is its place among the facts that a text is written from (None: texts never mention it), ``unspoken``
    are values that a text leaves out. ``value_labels`` are for forms, where the value is no plain word. ``forms`` says
    how our texts put a value, ``phrases`` how any text may.
    ``values_of`` names the attribute whose values, forms and phrases these are.
    """

    name: str
    label: str
    knowable_by: tuple[KnowableBy, ...] = Field(alias="known", min_length=1)
    values: tuple[str, ...] = ()
    values_of: str | None = None
    absent: str | None = None
    many: bool = False
    instance: bool = False
    question: str
    choices: tuple[str, ...] = ()
    seller_rank: int | None = None
    asked_of: str | None = None
    asked: str | None = None
    unsettled: tuple[str, ...] = ()
    in_text: int | None = None
    unspoken: tuple[str, ...] = ()
    value_labels: dict[str, str] = Field(default_factory=dict)
    forms: dict[str, Forms] = Field(default_factory=dict)
    phrases: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("knowable_by", mode="before")
    @classmethod
    def _one_or_several(cls, raw: Any) -> Any:
        return (raw,) if isinstance(raw, str) else raw

    @property
    def answers(self) -> tuple[str, ...]:
        """Answers that a model may give: the closed values, 'nothing to state' where that exists, and ``unknown``."""
        if not self.values:
            return ()
        return (*self.values, *((self.absent,) if self.absent else ()), UNKNOWN)

    @property
    def seller_choices(self) -> tuple[str, ...]:
        """Choices of the seller's question; empty means free text."""
        return self.choices or self.values

    @property
    def model_question(self) -> str:
        """The closed question that the model is asked."""
        return self.asked or f"What is its {self.label}?"

    def can_be(self, way: KnowableBy) -> bool:
        """True if the attribute can come to be known in that way."""
        return way in self.knowable_by


class CategoryNode(Naming, Kind):
    """A leaf, or a group that can be stated.

    ``path`` is its groups, outermost first, and itself; ``phrase`` is how a text names it in lower case.
    ``weights`` are pairs (ImageNet class, share of that class's photos that show this item); the shares of one class
    over all leaves sum to at most 1, so that they turn class probabilities into leaf probabilities.
    ``restricted`` narrows the values of attributes here (no soles on a skirt). ``implies`` are values that the phrase
    says already (a hoodie has a hood). ``members`` are the leaves of a group, of a leaf none.
    ``named_by_print``: such an item is called by its print.
    """

    name: str
    path: tuple[str, ...]
    attributes: tuple[str, ...]
    restricted: tuple[tuple[str, tuple[str, ...]], ...] = ()
    weights: tuple[tuple[int, float], ...] = ()
    members: tuple[str, ...] = ()


class Taxonomy(Frozen):
    """The tree of categories and the attributes.

    ``categories`` are the leaves; ``groups`` those that can be stated where no leaf is likely enough, the inner ones
    first. ``clothing`` are ImageNet classes that say 'clothes' but no leaf.
    ``means`` and ``unnamed``: a shop's own words for ours, see ``listing.shops.translation``; ``voice``: of its texts.
    """

    attributes: dict[str, Attribute]
    categories: dict[str, CategoryNode]
    groups: dict[str, CategoryNode] = Field(default_factory=dict)
    clothing: tuple[int, ...] = ()
    other: CategoryNode
    means: Translations = Field(default_factory=dict)
    unnamed: dict[str, dict[str, float]] = Field(default_factory=dict)
    voice: Voice | None = None

    def node(self, category: str | None) -> CategoryNode:
        """The leaf or group of that name; for other words, a node of an item that is called so.

        None gives the node of an item that nobody has named yet: it has the attributes that every item has.
        """
        for nodes in (self.categories, self.groups):
            if category in nodes:
                return nodes[category]
        words = " ".join((category or "").split())
        called = {"name": words, "phrase": words, "plural": is_plural(words), "path": (*self.other.path, words)}
        return self.other.model_copy(update=called)

    def schema_of(self, node: CategoryNode) -> tuple[Attribute, ...]:
        """Attributes of a node in their order, with the values that occur there."""
        narrowed = dict(node.restricted)
        attributes = (self.attributes[name] for name in node.attributes)
        return tuple(a.model_copy(update={"values": narrowed[a.name]}) if a.name in narrowed else a for a in attributes)

    def schema(self, category: str) -> tuple[Attribute, ...]:  # type: ignore[override]  # pydantic's own is deprecated
        """Attributes of a leaf or group in their order, with its values there; TaxonomyError: no such one."""
        node = self.categories.get(category) or self.groups.get(category)
        if node is None:
            raise TaxonomyError(f"There is no category {category!r}; choose one of: {', '.join(self.categories)}.")
        return self.schema_of(node)

    def values_in(self, name: str, text: str) -> list[str]:
        """The values of a fact as it is written: several behind commas where its attribute allows that."""
        attribute = self.attributes.get(name)
        return text.split(", ") if attribute is not None and attribute.many else [text]

    def related(self, category: str) -> tuple[str, ...]:
        """The categories of its group, itself among them; of a group, its own. None of words that are no category."""
        node = self.categories.get(category) or self.groups.get(category)
        within = (node.path if node.members else node.path[:-1]) if node else ()
        nodes = (*self.categories.values(), *self.groups.values())
        return tuple(n.name for n in nodes if within and n.path[: len(within)] == within)

    def in_text(self) -> tuple[Attribute, ...]:
        """Attributes that a text may mention, in the order in which the prompts name them."""
        named = [a for a in self.attributes.values() if a.in_text is not None]
        return tuple(sorted(named, key=lambda a: a.in_text or 0))

    def seller_order(self, names: Iterable[str]) -> list[str]:
        """Names of attributes, those first that buyers ask for first."""
        last = len(self.attributes)
        return sorted(names, key=lambda name: self.attributes[name].seller_rank or last)

    def expected(self, node: CategoryNode) -> list[str]:
        """Names of a node's attributes in ``seller_order``; no size of a label where an item is measured instead."""
        measured = "dimensions" in node.attributes
        return self.seller_order(name for name in node.attributes if not (measured and name == "size"))

    def labels(self, node: CategoryNode) -> dict[str, str]:
        """Labels of a node's ``expected`` attributes by name."""
        return {name: self.attributes[name].label for name in self.expected(node)}

    def observed(self) -> tuple[str, ...]:
        """Attributes of a kind of item, not of one piece, with closed values of their own that a photo can show."""
        closed = (a for a in self.attributes.values() if a.values and a.values_of is None)
        return tuple(a.name for a in closed if a.can_be("seen") and not a.instance)

    def asked(self) -> tuple[Attribute, ...]:
        """Closed attributes of the tuned categories that a photo can show, with the values that occur there."""
        occur: dict[str, set[str]] = {}
        for name in self.tuned():
            for attribute in self.schema(name):
                occur.setdefault(attribute.name, set()).update(attribute.values)
        narrowed = [
            a.model_copy(update={"values": tuple(v for v in a.values if v in occur[a.name])})
            for a in self.attributes.values()
            if a.name in occur
        ]
        return tuple(a for a in narrowed if a.values and a.can_be("seen"))

    def tuned(self) -> tuple[str, ...]:
        """Names of the categories that the model was tuned on."""
        return tuple(name for name, node in self.categories.items() if node.tuned)

    def leaves(self) -> tuple[CategoryNode, ...]:
        """All leaves in the file's order."""
        return tuple(self.categories.values())

    def find(self, words: str) -> CategoryNode | None:
        """The leaf, else the group, with that name, phrase or synonym (any case), or None."""
        name = words.strip().lower()
        nodes = (*self.categories.values(), *self.groups.values())
        return next((n for n in nodes if name in (n.name.lower(), n.phrase.lower(), *n.synonyms)), None)


def is_plural(noun: str) -> bool:
    """True if an item of that name is spoken of as several: "ankle boots", but "pair of curtains", "stand for hats"."""
    head = head_of(noun)
    return head.endswith("s") and not _SINGULAR.fullmatch(head)


def head_of(noun: str) -> str:
    """The word that says what it is: "pair" of "pair of curtains"; "" of no word."""
    return "".join(_BEHIND_NOUN.split(noun.lower(), maxsplit=1)[0].split()[-1:])


def _attributes(blocks: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribute]:
    """The attributes in the file's order; one with ``values_of`` gets what it shares from the attribute it names."""
    built: dict[str, Attribute] = {}
    for name, block in blocks.items():
        if "values" in block and not block["values"]:
            raise TaxonomyError(f"attribute {name}: `values` is empty; leave it out for free text.")
        shared: dict[str, Any] = {}
        if source := block.get("values_of"):
            if source not in built:
                raise TaxonomyError(f"attribute {name}: `values_of` names {source!r}, which must stand before it.")
            shared = {key: getattr(built[source], key) for key in ("values", "forms", "phrases")}
        built[name] = Attribute.model_validate({"name": name, **shared, **block})
        _check_attribute(built[name])
    return built


def _check_attribute(attribute: Attribute) -> None:
    name, values = attribute.name, set(attribute.values)
    if len(values) < len(attribute.values):
        raise TaxonomyError(f"attribute {name}: a value is given twice.")
    for key in ("unsettled", "unspoken", "value_labels", "forms", "phrases"):
        if foreign := sorted(set(getattr(attribute, key)) - values):
            raise TaxonomyError(f"attribute {name}: '{key}' names no value of it: {', '.join(foreign)}.")
    if {"n/a", UNKNOWN} & values:
        raise TaxonomyError(f"attribute {name}: 'n/a' and 'unknown' are not values; schemas say where it applies.")
    if attribute.in_text is not None and (bare := [v for v in attribute.values if not attribute.phrases.get(v)]):
        raise TaxonomyError(f"attribute {name}: texts mention it, so that it needs `phrases` for {', '.join(bare)}.")


def _check_schema(name: str, schema: SchemaBlock, attributes: Mapping[str, Attribute]) -> None:
    for attribute in schema.attributes:
        if attribute not in attributes:
            raise TaxonomyError(f"schema {name}: unknown attribute {attribute!r}.")
    for attribute, values in schema.values.items():
        if attribute not in schema.attributes:
            raise TaxonomyError(f"schema {name}: it narrows {attribute!r}, which is not among its attributes.")
        if not values:
            raise TaxonomyError(f"schema {name}: the value list of {attribute!r} is empty.")
        if foreign := sorted(set(values) - set(attributes[attribute].values)):
            raise TaxonomyError(f"schema {name}: {attribute!r} has no value {', '.join(map(repr, foreign))}.")


def _check_common(taxonomy: Taxonomy) -> None:
    for node in taxonomy.leaves():
        for names in COMMON:
            if not set(names) & set(node.attributes):
                raise TaxonomyError(f"{node.name}: every thing needs the attribute {' or '.join(names)}.")


def _check_imagenet(nodes: Mapping[str, CategoryNode], clothing: tuple[int, ...]) -> None:
    shares: dict[int, float] = dict.fromkeys(clothing, 1.0)
    if len(shares) < len(clothing):
        raise TaxonomyError("clothing_imagenet: an ImageNet class is given twice.")
    for node in nodes.values():
        for index, weight in node.weights:
            where = f"{node.name}: ImageNet class {index}"
            if not 0 <= index < IMAGENET_CLASSES or not 0 < weight <= 1:
                raise TaxonomyError(f"{where}: {weight} needs 0..999 and a share in (0, 1].")
            shares[index] = shares.get(index, 0.0) + weight
            if shares[index] > 1.0 + 1e-9:
                raise TaxonomyError(f"{where} is used twice; its shares sum to over 1.")


def _build(raw: Any) -> Taxonomy:
    file = TaxonomyFile.model_validate(raw)
    attributes = _attributes(file.attributes)
    for name, schema in file.schemas.items():
        _check_schema(name, schema, attributes)
    nodes: dict[str, CategoryNode] = {}
    groups: dict[str, CategoryNode] = {}
    for path, leaf in walk(file.tree):
        is_group = path[-1] == GROUP and len(path) > 1
        node = _node(path[:-1] if is_group else path, leaf, file.schemas)
        named = groups if is_group else nodes
        if node.name in named:
            raise TaxonomyError(f"{'group' if is_group else 'category'} {node.name!r} is given twice.")
        named[node.name] = node
    if ambiguous := sorted(set(nodes) & set(groups)):
        raise TaxonomyError(f"{', '.join(ambiguous)}: a leaf and a group have the same name.")
    _check_imagenet(nodes, file.clothing_imagenet)
    other = _other(file, attributes)
    below = {
        g: tuple(n.name for n in nodes.values() if node.path == n.path[: len(node.path)]) for g, node in groups.items()
    }
    inner_first = sorted(groups, key=lambda name: -len(groups[name].path))
    stated = {name: groups[name].model_copy(update={"members": below[name]}) for name in inner_first}
    return Taxonomy(
        attributes=attributes, categories=nodes, groups=stated, clothing=file.clothing_imagenet, other=other,
        means=file.means, unnamed=file.unnamed, voice=file.voice,
    )  # fmt: skip


def _node(path: tuple[str, ...], leaf: LeafBlock, schemas: Mapping[str, SchemaBlock]) -> CategoryNode:
    if leaf.uses not in schemas:
        raise TaxonomyError(f"{path[-1]}: unknown schema {leaf.uses!r}.")
    schema = schemas[leaf.uses]
    return CategoryNode(
        name=path[-1],
        path=path,
        attributes=schema.attributes,
        restricted=tuple(schema.values.items()),
        weights=tuple(leaf.imagenet.items()),
        **schema.model_dump(include=set(Kind.model_fields)),
        **leaf.model_dump(include=set(Naming.model_fields)),
    )


def _other(file: TaxonomyFile, attributes: Mapping[str, Attribute]) -> CategoryNode:
    """The node of items without a leaf: with the schema that ``other`` names, else what every item has."""
    if file.other is not None and file.other not in file.schemas:
        raise TaxonomyError(f"other: unknown schema {file.other!r}.")
    schema = file.schemas[file.other] if file.other else None
    common = (*(name for names in COMMON for name in names[:1]), "text", "condition_grade", "defects")
    names = schema.attributes if schema else tuple(name for name in common if name in attributes)
    values = tuple(schema.values.items()) if schema else ()
    return CategoryNode(name="", path=("Other",), attributes=names, restricted=values, phrase="")


@lru_cache(maxsize=8)
def load_taxonomy(path: str | Path | None = None) -> Taxonomy:
    """The taxonomy of ``path``, else of ``IPL_TAXONOMY``, else the one that comes with the package; read once per path.

    Raises:
        TaxonomyError: the file cannot be read, or a rule of the module is broken; the message says where.
    """
    file = Path(path or os.environ.get(VARIABLE) or DEFAULT_FILE)
    try:
        taxonomy = _build(load_unique(file.read_text(encoding="utf-8")))
        if not path:
            _check_common(taxonomy)
        return taxonomy
    except OSError as error:
        raise TaxonomyError(f"The taxonomy {file} cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise TaxonomyError(f"The taxonomy {file} is not valid YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or error.title
        raise TaxonomyError(f"The taxonomy {file} is wrong at {place}: {first['msg']}.") from None
    except TaxonomyError as error:
        raise TaxonomyError(f"The taxonomy {file} is wrong: {error}") from None
