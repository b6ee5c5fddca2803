"""How well a listing fits what a buyer means: a sum over the parts of the search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.market.query import Query
from listing.lexicon import plain

KIND, NAME, FACT, SIZE, WORD, INDEX = 4.0, 2.0, 1.5, 2.0, 1.0, 1.0  # weights of what fits
CONTRARY = 0.5  # what a listing says to the contrary counts so much of the weight against it
NEAR = 20  # places of the index after which half of its weight is left


@dataclass(frozen=True)
class Fit:
    """``whole``: nothing of the search is missing or contradicted."""

    total: float
    whole: bool


@dataclass(frozen=True)
class Words:
    """What a listing says of itself; ``facts`` by attribute."""

    category: str
    title: str
    description: str
    facts: Mapping[str, Any]


def fit(query: Query, listing: Words, place: int | None) -> Fit:
    """``place``: among the hits of the index, 0 the best; None where it is not among them."""
    facts = listing.facts
    stated_facts = " ".join(str(value) for value in facts.values() if value)
    title = f" {plain(listing.title)} {plain(stated_facts)} {plain(listing.category)} "
    text = f"{title}{plain(listing.description)} "
    parts: list[float] = []
    if query.name:
        named = NAME * (f" {query.name.removesuffix('s')}" in title)
        kind = KIND * query.kinds.get(listing.category, 0.0)
        parts.append(kind + named if kind or named else -KIND)
    for name, values in query.facts.items():
        stated = [one for one in str(facts.get(name) or "").split(", ") if one]
        literally = f" {query.stated[name]} " in title
        if values & set(stated):
            parts.append(FACT + FACT / 3 * literally)
        elif stated:
            parts.append(0.0 if literally else -FACT * CONTRARY)
        else:
            parts.append(FACT * literally)
    if query.size:
        size = str(facts.get("size") or "")
        parts.append(SIZE if query.size in size.upper().replace("/", " ").split() else -SIZE * CONTRARY * bool(size))
    for word in map(plain, query.words):
        stem = word.removesuffix("s")
        parts.append(WORD if f" {stem}" in text else WORD / 2 * (stem in text))
    whole = all(part > 0 for part in parts)
    return Fit(sum(parts) + (INDEX * NEAR / (NEAR + place) if place is not None else 0.0), whole)
