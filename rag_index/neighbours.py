"""What neighbours may contribute: candidate values to confirm or reject, and examples of style without their facts."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag_index.records import Neighbour

SHARPNESS = 8.0  # e-fold of a vote's weight per 1/8 of cosine below the nearest neighbour
_NUMBER = re.compile(
    r"[€$£]?\s?\b\d+(?:[.,/]\d+)*\s?(?:€|%|(?:cm|mm|kg|g|eur|euro|euros|usd|years?)\b)?", re.IGNORECASE
)
_SIZE = re.compile(r"\b(size[sd]?:?\s+)(?:[a-z]{1,4}\b|\d+)", re.IGNORECASE)
_GAP = r"[\s_-]+"
_WORD = re.compile(r"\w{4,}", re.UNICODE)

Candidates = dict[str, list[tuple[str, float, list[str]]]]


def vote(neighbours: Sequence[Neighbour], instance_attributes: Collection[str], min_support: int = 2) -> Candidates:
    """Candidate values per attribute: (value, weight, listing ids), heaviest first.

    A neighbour's weight falls with its distance; the weights of an attribute are shares (0..1) of all neighbours that
    state it, so that they sum to 1 when every value is kept. They are no probabilities: the caller confirms or rejects.

    Args:
        instance_attributes: names of what holds for one piece only (condition, size, brand); never voted on.
        min_support: fewest neighbours of *different* sellers behind a value.
    """
    if not neighbours:
        return {}
    nearest = max(n.similarity for n in neighbours)
    tally: dict[str, dict[str, list[Neighbour]]] = {}
    for neighbour in neighbours:
        for name, value in neighbour.record.attributes.items():
            if name not in instance_attributes:
                tally.setdefault(name, {}).setdefault(value, []).append(neighbour)

    def weight(group: Iterable[Neighbour]) -> float:
        return sum(math.exp(SHARPNESS * (n.similarity - nearest)) for n in group)

    found: Candidates = {}
    for name, values in tally.items():
        total = weight(n for group in values.values() for n in group)
        kept = [
            (value, weight(group) / total, [n.record.listing_id for n in group])
            for value, group in values.items()
            if len({n.record.seller_id for n in group}) >= min_support
        ]
        if kept:
            found[name] = sorted(kept, key=lambda c: (-c[1], c[0]))
    return found


def style_exemplars(
    neighbours: Sequence[Neighbour], limit: int = 3, vocabulary: Mapping[str, Iterable[str]] | None = None
) -> list[str]:
    """Texts of the best neighbours with their facts masked ("[colour] coat with [closure]"): manner, not matter.

    Args:
        vocabulary: attribute -> closed values, masked even where the neighbour's record does not state them.
    """
    texts = (n for n in neighbours if n.record.text.strip())
    return [
        mask_facts(n.record.text, n.record.attributes, vocabulary or {})
        for n, _ in zip(texts, range(limit), strict=False)
    ]


def mask_facts(text: str, attributes: Mapping[str, str], vocabulary: Mapping[str, Iterable[str]]) -> str:
    """``text`` with every value of ``attributes`` and ``vocabulary``, every size and every number replaced by a name.

    Values of several words are masked whole and word by word; case, hyphens and plurals make no difference.
    """
    names: dict[str, str] = {}
    for source in (((n, [v]) for n, v in attributes.items()), vocabulary.items()):
        for name, values in source:
            for value in values:
                parts = [value, *(_WORD.findall(value) if name in attributes else [])]
                for part in parts:
                    names.setdefault(_pattern(part), name)
    out = _SIZE.sub(r"\1[size]", text)
    if names:
        longest_first = sorted(names, key=len, reverse=True)
        finder = re.compile("|".join(f"(?P<v{i}>{pattern})" for i, pattern in enumerate(longest_first)), re.IGNORECASE)
        out = finder.sub(lambda m: f"[{names[longest_first[int((m.lastgroup or 'v0')[1:])]]}]", out)
    return _NUMBER.sub("[number]", out)


def _pattern(value: str) -> str:
    words = [re.escape(word) for word in re.split(_GAP, value.strip()) if word]
    return r"\b(?<!\[)" + _GAP.join(words) + r"(?:e?s)?\b" if words else r"(?!)"
