"""Meaning of the words of a search: kind of item, facts, size, price, words left over; and how well a listing fits.

Words are read through the listing's own lexicon; a word that nobody knows is read as the nearest one of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from symspellpy import SymSpell, Verbosity

from listing.lexicon import english, load_lexicon, plain
from listing.taxonomy import load_taxonomy

_FILE = Path(__file__).with_name("search_words.yaml")
_NO_UNIT = r"(?![\d.,]*\s*(?:cm|mm|m|kg|g|l|gb|w|inch|inches|months?|years?|y)\b)"
_LESS = r"(?:\b(?:under|below|max(?:imum)?|up to|less than|at most|bis|unter)\b|<)"
_MONEY = r"\s*[€£$]?\s*(\d{1,6}(?:[.,]\d{1,2})?)\s*(?:€|euros?|eur|£|pounds?|\$|dollars?)?"
_MOST = re.compile(_LESS + _MONEY + _NO_UNIT, re.I)
_SIZE = re.compile(r"\bsize\s+([\w/.,-]*\w)|(?<![\w'’-])(xxs|xs|s|m|l|xl|xxl|xxxl|[2-6]xl)(?![\w'’-])", re.I)
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*['’]?")
_SMALL = frozenset(("a", "an", "and", "any", "for", "from", "in", "is", "it", "my", "of", "on", "or"))
_SMALL |= frozenset(("some", "something", "that", "the", "to", "with", "down", "sit"))
_LONGEST = 3  # words of a name
_DISTANCE = 2
_FACTS = ("colour", "pattern", "material", "audience")
KIND, NAME, FACT, SIZE, WORD, INDEX = 4.0, 2.0, 1.5, 2.0, 1.0, 1.0  # weights of what fits
CONTRARY = 0.5  # what a listing says to the contrary counts so much of the weight against it
NEAR = 20  # places of the index after which half of its weight is left


@dataclass(frozen=True)
class Query:
    """kinds: category -> how well its name fits (0..1). name: the item's name. facts: attribute -> values it may have.

    ``words`` are left over, to be looked for as they are. ``spelt`` is the text as it was read.
    """

    kinds: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    facts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    stated: Mapping[str, str] = field(default_factory=dict)
    size: str = ""
    most: float | None = None
    words: tuple[str, ...] = ()
    spelt: str = ""

    @property
    def is_limits_alone(self) -> bool:
        """True where nothing but a size or a price is asked for."""
        return bool(self.size or self.most is not None) and not (self.kinds or self.name or self.words or self.stated)

    @property
    def summary(self) -> list[str]:
        """Readings of the words, for people."""
        limits = [f"size {self.size}"] * bool(self.size) + ([f"up to {self.most:g}"] if self.most is not None else [])
        return [part for part in (self.name, *dict.fromkeys(self.stated.values()), *limits) if part]


def understand(text: str) -> Query:
    """The meaning of a search."""
    most = _MOST.search(text)
    text = _MOST.sub(" ", text)
    size = _SIZE.search(text)
    text = _SIZE.sub(" ", text)
    typed = _WORD.findall(text.lower())
    foreign = _is_foreign(typed)
    tokens = [token for word in typed for token in _spelt(word, foreign)]
    name, kinds, others = _named(tokens)
    facts, stated, words = _facts(others)
    return Query(
        kinds=kinds,
        name=name,
        facts=facts,
        stated=stated,
        size=(size[1] or size[2]).upper() if size else "",
        most=float(most[1].replace(",", ".")) if most else None,
        words=tuple(word for word in words if word not in _SMALL),
        spelt=" ".join(tokens),
    )


@lru_cache(maxsize=1)
def _lists() -> tuple[dict[str, str], dict[str, str]]:
    raw = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return raw["synonyms"], raw["languages"]


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[frozenset[str], SymSpell]:
    """Single words that name items and facts, and what finds the nearest of them."""
    lexicon, (synonyms, languages) = load_lexicon(), _lists()
    phrases = [*lexicon.item_names, *lexicon.meanings, *synonyms, *languages]
    words = frozenset(word for phrase in phrases for word in phrase.split() if len(word) > 1)
    speller = SymSpell(max_dictionary_edit_distance=_DISTANCE)
    for word in sorted(words):
        speller.create_dictionary_entry(word, 2 if word in lexicon.item_names else 1)
    return words, speller


def _is_foreign(words: list[str]) -> bool:
    """True where one of the words is of another language and no English one ("rote Jacke", but not "garden hose")."""
    languages = _lists()[1]
    return any(word in languages and word not in english() for word in words)


def _spelt(word: str, foreign: bool) -> list[str]:
    """The word as the lexicon writes it: of another language, or the nearest to one that nobody knows."""
    words, speller = _vocabulary()
    languages = _lists()[1]
    if word in languages and (foreign or word not in english()) and word not in load_lexicon().item_names:
        return languages[word].split()
    bare = word.strip("'’")
    parts = plain(bare).split()
    in_vocabulary = {word, bare, bare.removesuffix("s"), bare.removesuffix("es")} & words or bare in english()
    if in_vocabulary or len(parts) > 1 or len(bare) < 4 or load_lexicon().brands.fullmatch(bare.title()):
        return parts
    most = 1 if len(bare) < 6 else _DISTANCE
    nearest = speller.lookup(bare, Verbosity.TOP, max_edit_distance=most)
    return languages.get(nearest[0].term, nearest[0].term).split() if nearest else [bare]


def _named(tokens: list[str]) -> tuple[str, dict[str, float], list[str]]:
    """The item's name, the categories it is right for, and the other words; the last name before a "with" counts."""
    end = next((i for i, token in enumerate(tokens) if token in ("with", "for")), len(tokens)) or len(tokens)
    synonyms = _lists()[0]
    for stop in range(end, 0, -1):
        for length in range(min(_LONGEST, stop), 0, -1):
            phrase = " ".join(tokens[stop - length : stop])
            name = synonyms.get(phrase, phrase)
            if kinds := _kinds(name):
                says = [phrase] if name != phrase and load_lexicon().meaning(phrase) else []
                return name, kinds, [*tokens[: stop - length], *tokens[stop:], *says]
    return "", {}, tokens


def _kinds(name: str) -> dict[str, float]:
    """Categories by how well they are called so: by their own name 1, else a half."""
    taxonomy, nouns = load_taxonomy(), load_lexicon().item_names
    singular = [name, name.removesuffix("s"), name.removesuffix("es"), f"{name}s"]
    spellings = [each for n in singular for each in (n, n.replace(" ", "-"))]
    node = next((n for n in map(taxonomy.find, spellings) if n is not None), None)
    right = dict.fromkeys([node.name, *node.members], 1.0) if node is not None else {}
    lenient = next((nouns[plain(n)] for n in singular if plain(n) in nouns), frozenset())
    return {**dict.fromkeys(sorted(lenient), 0.5), **right}


def _facts(tokens: list[str]) -> tuple[dict[str, frozenset[str]], dict[str, str], list[str]]:
    """Attribute -> values, attribute -> as it was typed, and the words that say none."""
    lexicon, facts, stated = load_lexicon(), {}, {}
    left: list[str] = []
    for phrase in _phrases(tokens):
        meaning = {n: v for n, v in lexicon.meaning(phrase).items() if n in _FACTS}
        name = next((n for n in _FACTS if n in meaning and n not in facts), None)
        if name is None:
            left += phrase.split()
        else:
            facts[name], stated[name] = meaning[name], phrase
    return facts, stated, left


def _phrases(tokens: list[str]) -> Iterator[str]:
    """The words in groups that the lexicon has a meaning for, the longest first, and single ones."""
    meanings, at = load_lexicon().meanings, 0
    while at < len(tokens):
        longest = range(min(_LONGEST, len(tokens) - at), 1, -1)
        length = next((n for n in longest if plain(" ".join(tokens[at : at + n])) in meanings), 1)
        yield " ".join(tokens[at : at + length])
        at += length


@dataclass(frozen=True)
class Fit:
    """``whole``: nothing of the search is missing or contradicted."""

    total: float
    whole: bool


@dataclass(frozen=True)
class Words:
    """The words of a listing; ``facts`` by attribute."""

    category: str
    title: str
    description: str
    facts: Mapping[str, Any]


def fit(query: Query, listing: Words, place: int | None) -> Fit:
    """``place``: among the hits of the index, 0 the best; None where it is not among them."""
    parts = list(_parts(query, listing))
    index = INDEX * NEAR / (NEAR + place) if place is not None else 0.0
    return Fit(sum(parts) + index, all(part > 0 for part in parts))


def _parts(query: Query, listing: Words) -> Iterator[float]:
    """Score of each part of the search; 0 or less where the listing lacks or contradicts it."""
    facts = " ".join(str(value) for value in listing.facts.values() if value)
    title = f" {plain(listing.title)} {plain(facts)} {plain(listing.category)} "
    text = f"{title}{plain(listing.description)} "
    if query.name:
        named = NAME * (f" {query.name.removesuffix('s')}" in title) + KIND * query.kinds.get(listing.category, 0.0)
        yield named or -KIND
    for name, values in query.facts.items():
        yield _fact_part(values, str(listing.facts.get(name) or ""), f" {query.stated[name]} " in title)
    if query.size:
        size = str(listing.facts.get("size") or "")
        yield SIZE if query.size in size.upper().replace("/", " ").split() else -SIZE * CONTRARY * bool(size)
    for word in map(plain, query.words):
        stem = word.removesuffix("s")
        yield WORD if f" {stem}" in text else WORD / 2 * (stem in text)


def _fact_part(values: Collection[str], stated: str, literally: bool) -> float:
    """Score of one fact; ``literally``: its words stand in the title."""
    listed = {one for one in stated.split(", ") if one}
    if listed.intersection(values):
        return FACT + FACT / 3 * literally
    if listed:
        return 0.0 if literally else -FACT * CONTRARY
    return FACT * literally
