"""How well a listing fits what a buyer means, and one list made of several."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.market.search.names import NARROWER, PICTURES, RELATED, SAME, WIDER, closeness, names_in
from app.market.search.query import Query
from listing.lexicon import plain

KIND, FACT, SIZE, WORD = 4.0, 1.5, 2.0, 1.0  # weights of what fits
CONTRARY = 0.5  # what a listing says to the contrary counts so much of the weight against it
RANK_CONSTANT = 60  # of reciprocal rank fusion: how little the first places differ
FEW = 6  # with fewer listings that are called as asked, those of the kind stand behind them
BESIDE = {"colour": ("colour2",)}  # further facts that may say the same


_plain = lru_cache(maxsize=50_000)(plain)


@dataclass(frozen=True)
class Words:
    """The words of a listing; ``facts`` by attribute."""

    category: str
    title: str
    description: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Fit:
    """closeness: of the listing's name to the one asked for (1 where none is). parts: score of everything else.

    ``whole``: nothing of the search is missing or contradicted. ``silent``: some fact or the size is not stated, all
    else fits. ``aside``: the colour asked for is not its main one.
    """

    closeness: float
    parts: float
    whole: bool
    silent: bool = False
    aside: bool = False

    @property
    def total(self) -> float:
        return KIND * self.closeness + self.parts


def fit(query: Query, listing: Words) -> Fit:
    """How well the listing fits; what a photo or vectors say of it is not in it."""
    facts = " ".join(str(value) for value in listing.facts.values() if value)
    title = f" {_plain(f'{listing.title} {facts} {listing.category}')} "
    facts_fit, words_fit = list(_fact_parts(query, listing, title)), list(_word_parts(query, listing, title))
    near = _closeness(query, listing, title) if query.name else SAME
    fits = near > 0 and all(part > 0 for part in words_fit)
    stated, contrary = all(part > 0 for part in facts_fit), any(part < 0 for part in facts_fit)
    parts = sum(facts_fit) + sum(words_fit)
    main = str(listing.facts.get("colour") or "").split(", ")[0].lower()
    aside = bool(main) and main not in query.facts.get("colour", [main])
    return Fit(near if near else -1.0, parts, fits and stated, fits and not stated and not contrary, aside)


def _closeness(query: Query, listing: Words, title: str) -> float:
    of_category = query.kinds.get(listing.category, 0.0)
    titled, typed = names_in(listing.title), names_in(str(listing.facts.get("item_type") or ""))
    near = max(closeness(query.name, called, of_category) for called in (titled, typed))
    name = plain(query.name)
    title = re.sub(rf" {re.escape(name)}(?:s|es)? {PICTURES}", " ", title)
    if near >= NARROWER or not any(f" {word} " in title for word in (name, f"{name}s", f"{name}es")):
        return near
    return NARROWER if not (titled or typed) and of_category else max(near, RELATED)


def _fact_parts(query: Query, listing: Words, title: str) -> Iterator[float]:
    """Score of each fact and of the size; 0 where the listing does not state it, less where it contradicts it."""
    for name, values in query.facts.items():
        said = [str(listing.facts.get(one) or "") for one in (name, *BESIDE.get(name, ()))]
        yield _fact_part(values, ", ".join(filter(None, said)), f" {query.stated[name].lower()}" in title)
    if query.size:
        size = str(listing.facts.get("size") or "")
        fits = not set(query.sizes).isdisjoint(size.upper().replace("/", " ").split())
        yield SIZE if fits else -SIZE * CONTRARY * bool(size)


def _word_parts(query: Query, listing: Words, title: str) -> Iterator[float]:
    """Score of each word that is left over; 0 where the listing lacks it."""
    if query.words:
        text = f"{title}{plain(listing.description)} " if query.name else title  # else it says all kinds of things
        for word in map(plain, query.words):
            stem = word.removesuffix("s")
            whole = f" {stem} " in text or f" {word} " in text or f" {stem}s " in text
            yield WORD if whole else WORD / 2 * bool(query.name and f" {stem}" in text)


def _fact_part(values: Collection[str], said: str, literally: bool) -> float:
    """Score of one fact; ``literally``: its words stand in the title."""
    listed = {one.lower() for one in said.split(", ") if one}
    if listed.intersection(values):
        return FACT + FACT / 3 * literally
    if listed:
        return 0.0 if literally else -FACT * CONTRARY
    return FACT * literally


def fused(lists: Iterable[Sequence[str]]) -> dict[str, float]:
    """Score of each id by its places in several lists: reciprocal rank fusion."""
    scores: dict[str, float] = {}
    for ids in lists:
        for place, one in enumerate(ids, 1):
            scores[one] = scores.get(one, 0.0) + 1 / (RANK_CONSTANT + place)
    return scores


def ranked(fits: Mapping[str, Fit], lists: Iterable[Sequence[str]], *, named: bool) -> tuple[list[str], bool]:
    """Ids in one list, and whether the first fits all of the search, name and main colour included; else most of it.

    Of those that fit all of it come first the ones that are called as asked; the others of the kind follow where these
    are few. Where there are none, those that are called so and do not state all facts come before the others, and those
    that contradict one behind them. named: whether a thing was named at all; where none was, what is near in meaning
    follows.
    """
    places = fused(lists)
    whole = [i for i, one in fits.items() if one.whole]
    if not whole:
        some = [i for i, one in fits.items() if one.total > 0 or (not named and i in places)]
        some = some or [i for i in places if i in fits]
        return sorted(some, key=lambda i: (-fits[i].total, -places.get(i, 0.0), i)), False
    called = whole
    for threshold in (NARROWER, WIDER, RELATED):
        called = [i for i in whole if fits[i].closeness >= threshold]
        if len(called) >= FEW:
            break
    if named and not any(fits[i].closeness >= NARROWER for i in called):
        so = ((i, one) for i, one in fits.items() if one.closeness >= NARROWER and not one.whole)
        called = [*called, *(i for i, one in so if one.silent or len(called) < FEW)]

    def key(i: str) -> tuple[bool, bool, bool, bool, float, float, str]:
        one = fits[i]
        against = not (one.whole or one.silent)
        return against, one.closeness < NARROWER, not one.whole, one.aside, -one.closeness, -places.get(i, 0.0), i

    order = sorted(called, key=key)
    others = [i for i in places if i in fits and not fits[i].whole] if not named and len(order) < FEW else []
    first = fits[order[0]]
    so_called = (not named or first.closeness >= NARROWER) and not first.aside
    return [*order, *sorted(others, key=lambda i: (-places[i], i))], so_called
