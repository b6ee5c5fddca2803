"""Other people's words for our categories and values: first as words, then by sentence vectors.

What words alone settle is sure; what vectors propose is not, until a person says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

Encode = Callable[[Sequence[str]], np.ndarray]  # texts -> float32 [texts, dimensions], each of length 1
BY_TITLE = "by title"
LEAST_ALIKE = 0.5  # cosine; below it not even a proposal is made
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_PART = re.compile(r"\s*(?:>|/|\\|\||::)\s*")
_AND = re.compile(r"\s*(?:&|,|\+|\band\b|\bund\b|\bet\b)\s*", re.IGNORECASE)
_PARTS = re.compile(r"[/,;&+|]|\s(?:and|und|et)\s", re.IGNORECASE)
_REST_OF_TITLE = re.compile(r"\s(?:with|for|in|mit|für|von|from|by)\s|[,(|:–—]|\s-\s", re.IGNORECASE)
_UNLIKE = frozenset(
    ("no", "non", "not", "without", "faux", "fake", "imitation", "synthetic", "like", "look", "ohne", "kein")
)
_LONGEST = 4  # words of a noun


@dataclass(frozen=True)
class Guess:
    """A guess at a word of theirs. ``internal`` None: nothing fits. ``why`` is for the person who checks it."""

    internal: str | None
    sure: bool
    why: str


NOTHING = Guess(None, False, "nothing alike")


@dataclass(frozen=True)
class Vocabulary:
    """Our own words. ``kinds``: category -> words for it; ``nouns``: further words -> the categories that they fit,
    likeliest first; ``values``: attribute -> value -> words for it (no values: free text); ``has``: category -> its
    attributes."""

    kinds: Mapping[str, Sequence[str]]
    values: Mapping[str, Mapping[str, Sequence[str]]]
    nouns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    has: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def _by_noun(self) -> dict[str, tuple[str, ...]]:
        by_noun = {word_key(noun): tuple(names) for noun, names in self.nouns.items()}
        return by_noun | {word_key(word): (name,) for name, words in self.kinds.items() for word in (*words, name)}

    @cached_property
    def _by_phrase(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Attribute -> words -> values; the name of a value is that value, whatever else it may stand for."""
        by_phrase: dict[str, dict[str, tuple[str, ...]]] = {}
        for name, values in self.values.items():
            into = by_phrase.setdefault(name, {})
            for value, words in values.items():
                for word in words:
                    into[word_key(word)] = tuple(dict.fromkeys((*into.get(word_key(word), ()), value)))
            into |= {word_key(value): (value,) for value in values}
        return by_phrase

    def kind(self, imported: str) -> Guess:
        """The category of "Apparel > Tops > Tshirts", by its words; the last part first."""
        for part in reversed([p for p in _PART.split(imported) if p]):
            heads = [names for piece in _AND.split(part) if (names := self._head(piece))]
            if heads and len(fits := dict.fromkeys(name for names in heads for name in names)) == 1:
                same = word_key(part) in self._by_noun
                return Guess(heads[0][0], True, "same word" if same else f"a kind of {_WORD.findall(part)[-1].lower()}")
            if heads:
                return _settled(tuple(fits), "")
        return NOTHING

    def _head(self, words: str) -> tuple[str, ...]:
        """The kinds that the last words of a phrase say: of "casual shoes" those of "shoes"."""
        tokens = _WORD.findall(words)
        tails = (" ".join(tokens[start:]) for start in range(max(0, len(tokens) - _LONGEST), len(tokens)))
        return next((self._by_noun[word_key(tail)] for tail in tails if word_key(tail) in self._by_noun), ())

    def of_title(self, title: str) -> str | None:
        """The category that a title names, by the last noun before "with", a comma and the like."""
        tokens = _WORD.findall(_REST_OF_TITLE.split(title.strip(), maxsplit=1)[0])
        for end in range(len(tokens), 0, -1):
            if names := self._head(" ".join(tokens[:end])):
                return names[0]
        return None

    def value(self, attribute: str, imported: str) -> Guess:
        """The value of a closed attribute that "Navy Blue" is."""
        phrases = self._by_phrase.get(attribute, {})
        words = [w for w in _WORD.findall(imported) if not w.isdigit()]
        if values := phrases.get(word_key(" ".join(words))):
            return _settled(values, "same word")
        values = tuple(dict.fromkeys(v for part in _PARTS.split(imported) for v in _values_in(part, phrases)))
        if not values:
            return NOTHING
        if _UNLIKE & {word.lower() for word in words}:
            return Guess(values[0], False, "or not")
        return _settled(values, "it names it")

    def alike(self, imported: Sequence[str], attribute: str | None, encode: Encode) -> list[Guess]:
        """By vectors: the nearest category (``attribute`` None) or value of each of ``theirs``; never sure."""
        groups: Mapping[str, Sequence[str]] = self.kinds if attribute is None else self.values.get(attribute, {})
        internal = [(name, word) for name, words in groups.items() for word in dict.fromkeys((name.lower(), *words))]
        if not internal or not imported:
            return [NOTHING] * len(imported)
        near = encode([_spoken(t) for t in imported]) @ encode([word for _, word in internal]).T
        best = near.argmax(axis=1)
        return [
            Guess(internal[k][0], False, f"alike {row[k]:.2f}: {internal[k][1]}") if row[k] >= LEAST_ALIKE else NOTHING
            for row, k in zip(near, best, strict=True)
        ]


def _values_in(part: str, phrases: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The values of the longest last words of "coffee brown", else of any word in it."""
    words = _WORD.findall(part)
    for start in range(len(words)):
        if values := phrases.get(word_key(" ".join(words[start:]))):
            return values
    return [value for word in words for value in phrases.get(word_key(word), ())]


def _settled(values: Sequence[str], why: str) -> Guess:
    return Guess(values[0], True, why) if len(values) == 1 else Guess(values[0], False, f"or {', '.join(values[1:4])}")


def _spoken(imported: str) -> str:
    """The last part of a path, in words."""
    return " ".join(_WORD.findall(([imported] + [p for p in _PART.split(imported) if p])[-1])).lower()


def word_key(words: str) -> str:
    """Case, blanks, signs and plurals do not matter: "T-Shirts" and "tshirt" are one."""
    tokens = _WORD.findall(words.lower().replace("’", "'"))
    return "".join([*tokens[:-1], singular(tokens[-1])]) if tokens else ""


def singular(word: str) -> str:
    """A plural without its ending; other words as they are."""
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word == "scarves":
        return "scarf"
    if word.endswith(("ies", "ie")) and len(word) > 4:  # "accessories", and "hoodies" as "hoodie" and "hoody"
        return word.removesuffix("s").removesuffix("ie") + "y"
    return word.removesuffix("es" if word.endswith(("ches", "shes", "sses", "xes")) else "s")
