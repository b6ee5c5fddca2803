"""Patterns of a shop's titles: which of a listing's facts they name, in which order, and how they call each kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from listing.shops.shop import CATEGORY, TitlePattern
from rag_index import IndexRecord
from rag_index.imports.words import word_key

NAMED = 0.3  # share of the titles, of those whose listing states it, that name a fact of the pattern
CALLED = 0.25  # share of a kind's titles that end in the same words, for these to be its name there


def title_pattern(records: Iterable[IndexRecord], attributes: Sequence[str]) -> TitlePattern:
    """The pattern of past listings' titles; ``attributes``: names of those that a text may mention."""
    stated, places = Counter[str](), defaultdict[str, list[float]](list)
    ends: dict[str, Counter[str]] = defaultdict(Counter)
    kinds = Counter[str]()
    for record in records:
        title = record.text.partition("\n")[0].split()
        if len(title) < 2:
            continue
        kinds[record.category] += 1
        ends[record.category].update(" ".join(title[-n:]) for n in (1, 2))
        for name in attributes:
            if value := record.attributes.get(name):
                stated[name] += 1
                if (place := _place(value, title)) is not None:
                    places[name].append(place / len(title))
    nouns = {kind: noun for kind, counts in ends.items() if (noun := _noun(kind, counts, kinds[kind]))}
    mean = {name: sum(ranks) / len(ranks) for name, ranks in places.items() if len(ranks) >= NAMED * stated[name]}
    return TitlePattern([*sorted(mean, key=lambda name: mean[name]), CATEGORY], nouns)


def _place(value: str, title: Sequence[str]) -> int | None:
    """The place of a value's words in a title, whatever their case and plural."""
    requested = [word_key(word) for word in value.split()]
    words = [word_key(word.removesuffix("'s").removesuffix("’s")) for word in title]
    spans = range(len(words) - len(requested) + 1)
    return next((i for i in spans if words[i : i + len(requested)] == requested), None)


def _noun(kind: str, ends: Counter[str], titles: int) -> str | None:
    """The words that titles of a kind end in: two where most have both, and they are the kind's own name."""
    frequent = [(words, n) for words, n in ends.most_common(8) if n >= CALLED * titles]
    same = [words for words, _ in frequent if word_key(words) == word_key(kind)]
    singles = [words for words, _ in frequent if " " not in words]
    return next(iter([*same, *singles]), None)
