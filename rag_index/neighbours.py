"""Contributions of neighbours: candidate values, which the caller confirms or rejects."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag_index.records import Neighbour

SHARPNESS = 8.0  # e-fold of a vote's weight per 1/8 of cosine below the nearest neighbour

Candidates = dict[str, list[tuple[str, float, list[str]]]]


def vote(neighbours: Sequence[Neighbour], instance_attributes: Collection[str], min_support: int = 2) -> Candidates:
    """Candidate values per attribute: (value, weight, listing ids), heaviest first.

    A neighbour's weight falls with its distance; the weights of an attribute are shares (0..1) of all neighbours that
    state it. They are no probabilities: the caller confirms or rejects.

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

    candidates: Candidates = {}
    for name, values in tally.items():
        total = weight(n for group in values.values() for n in group)
        ranked = [
            (value, weight(group) / total, [n.record.listing_id for n in group])
            for value, group in values.items()
            if len({n.record.seller_id for n in group}) >= min_support
        ]
        if ranked:
            candidates[name] = sorted(ranked, key=lambda c: (-c[1], c[0]))
    return candidates
