"""Past listings that look alike: their votes are observations, their texts a matter of tone, never of facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from listing.observe.source import Context, Source, shares
from listing.request import Photo
from listing.schema import NeighbourRef, Observation, PriceRange

Votes = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of one item, nearest first.

    categories: share of the neighbours' weight by category.
    votes: attribute -> value -> share of the weight; instance-level attributes are never in it.
    ids: attribute -> value -> the listings that say so.
    texts: titles and descriptions of the nearest: for a text's tone, never for its facts.
    similarity: cosine (0..1) of the nearest one's photo.
    """

    neighbours: Sequence[NeighbourRef] = ()
    categories: Mapping[str, float] = field(default_factory=dict)
    votes: Votes = field(default_factory=dict)
    ids: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    price: PriceRange | None = None
    texts: Sequence[str] = ()
    similarity: float = 0.0

    def values(self) -> set[str]:
        """Every value that some neighbour states."""
        return {value for votes in self.votes.values() for value in votes}


class NeighbourSearch(Protocol):
    """Retrieval over past listings."""

    def find(
        self, photos: Sequence[Photo], *, category: str | None, seller_id: str | None, text: str = ""
    ) -> Neighbours:
        """Neighbours of the photos: never the seller's own, never a near-duplicate."""
        ...

    def price(
        self,
        photos: Sequence[Photo],
        *,
        category: str,
        brand: str | None,
        seller_id: str | None,
        nearest: Sequence[NeighbourRef] = (),
    ) -> PriceRange | None:
        """The range of what comparable listings ask, those of ``nearest`` named first; None where there are too few."""
        ...


class PastListingVotes(Source):
    """The votes of the nearest past listings on the category and on every attribute that they state."""

    name = "neighbours"

    def __init__(self, search: NeighbourSearch) -> None:
        self.search = search

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """By all photos that show the item; asked before anything is called no item."""
        items = [photo for i, photo in enumerate(photos) if context.role(i) == "item"] or list(photos)
        near = self.search.find(items, category=None, seller_id=context.request.seller_id)
        yield from vote_observations(near)


def vote_observations(near: Neighbours) -> Iterator[Observation]:
    """The votes as observations; of an attribute, the listings that state its likeliest value stand beside it."""
    listings = [ref.listing_id for ref in near.neighbours]
    votes = {"category": (near.categories, listings)}
    for name, values in near.votes.items():
        top = min(values, key=lambda value: (-values[value], value))
        votes[name] = (values, list(near.ids.get(name, {}).get(top, ())))
    for question, (distribution, ids) in votes.items():
        if distribution:
            yield Observation(
                source="neighbours", question=question, probabilities=shares(distribution), listing_ids=ids
            )
