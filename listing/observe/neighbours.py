"""Past listings that look alike, as the pipeline uses them: candidates to confirm or reject, never values to copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from listing.request import Photo
from listing.schema import NeighbourRef, PriceRange

Votes = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of one item, nearest first.

    categories: share of the neighbours' weight by category.
    votes: attribute -> value -> share of the weight; instance-level attributes are never in it.
    ids: attribute -> value -> the listings that say so.
    texts: titles and descriptions of the nearest: for a text's tone, never for its facts.
    """

    neighbours: Sequence[NeighbourRef] = ()
    categories: Mapping[str, float] = field(default_factory=dict)
    votes: Votes = field(default_factory=dict)
    ids: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    price: PriceRange | None = None
    texts: Sequence[str] = ()

    def hints(self, least: float = 0.25, most: int = 2) -> dict[str, list[str]]:
        """The values worth asking about, the most supported first."""
        out = {}
        for name, shares in self.votes.items():
            kept = [v for v, share in sorted(shares.items(), key=lambda s: (-s[1], s[0])) if share >= least]
            if kept:
                out[name] = kept[:most]
        return out

    def values(self) -> set[str]:
        """Every value that some neighbour states."""
        return {value for shares in self.votes.values() for value in shares}


class NeighbourSearch(Protocol):
    """Retrieval over past listings."""

    def find(
        self, photos: Sequence[Photo], *, category: str | None, seller_id: str | None, text: str = ""
    ) -> Neighbours:
        """Neighbours of the photos: never the seller's own, never a near-duplicate."""
        ...
