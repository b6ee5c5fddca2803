"""Patterns of a shop's titles: which of a listing's facts they name, in which order, and how they call each kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from listing.decide.claims import claims_of
from listing.decide.decision import Decision
from listing.decide.settle import settle
from listing.rules import Rules
from listing.say.compose import shop_title
from listing.say.render import render
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


def draft_title(decision: Decision, rules: Rules, pattern: TitlePattern | None) -> str:
    """The title of a draft, as the shop's are built where there is a pattern."""
    claims = claims_of(decision.category, decision.facts, decision.details, rules.taxonomy, rules.calibration)
    named = any(c.attribute == CATEGORY for c in claims)
    built = shop_title(pattern, settle(claims, rules.taxonomy)) if pattern and named else None
    return built[0] if built else render(claims, rules.taxonomy).title


def overlap(title: str, other: str) -> float:
    """F1 of two titles' words."""
    words, others = (Counter(text.lower().split()) for text in (title, other))
    return 2 * (words & others).total() / max(1, (words + others).total())


def resembles(
    pattern: TitlePattern, titles: Mapping[str, str], decisions: Mapping[str, Decision], rules: Rules
) -> bool:
    """True if titles by the pattern are more like the shop's than a draft's own; both by id of the listing.

    Where titles tell what strikes one ("jeans-style trousers with elastic waist"), a row of facts is the poorer one.
    """
    gains = [
        overlap(draft_title(decision, rules, pattern), titles[key])
        - overlap(draft_title(decision, rules, None), titles[key])
        for key, decision in decisions.items()
    ]
    return sum(gains) > 0
