"""Past listings that look alike: their votes are observations, their texts a matter of tone, never of facts.

One open index and its encoders are shared with whoever publishes into it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from listing.backends.base import BackendError
from listing.observe.source import Context, Source, shares
from listing.request import Photo
from listing.schema import NeighbourRef, Observation, PriceRange
from listing.taxonomy import Taxonomy

if TYPE_CHECKING:
    from rag_index import Encoders, ListingIndex, Neighbour

log = logging.getLogger(__name__)
NEIGHBOURS = 8
BRANDS = 4  # to choose from: of 484 new listings of a shop the right one was among them in half
EXAMPLES = 2  # whose texts a writer sees
Votes = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of one item, nearest first.

    categories: share of the neighbours' weight by category.
    votes: attribute -> value -> share of the weight; instance-level attributes are never in it.
    ids: attribute -> value -> the listings that say so.
    brands: those of the neighbours, the most frequent first: to choose from, never voted on.
    texts: titles and descriptions of the nearest: for a text's tone, never for its facts.
    similarity: cosine (0..1) of the nearest one's photo.
    """

    neighbours: Sequence[NeighbourRef] = ()
    categories: Mapping[str, float] = field(default_factory=dict)
    votes: Votes = field(default_factory=dict)
    ids: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    brands: Sequence[str] = ()
    price: PriceRange | None = None
    texts: Sequence[str] = ()
    similarity: float = 0.0


@dataclass(frozen=True)
class PastListings:
    """Retrieval over past listings. Open it once in a process: an embedded index has one owner."""

    index: ListingIndex
    encoders: Encoders
    taxonomy: Taxonomy
    _vector_by_photo: dict[str, list[float]] = field(default_factory=dict, repr=False, compare=False)  # the last ones

    @classmethod
    def open(cls, home: Path, taxonomy: Taxonomy, location: str | None = None) -> PastListings:
        """The index at ``location``: a folder or a server's address; None takes the one of ``home``.

        Raises:
            BackendError: there is none, another process has it, or another model built it; the message says what to do.
        """
        from listing.safety.contacts import sure_contact
        from rag_index import IndexFailure, ListingIndex, default_encoders, default_location

        encoders = default_encoders(home)
        try:
            index = ListingIndex.open(location or default_location(home), encoders.info, contact_check=sure_contact)
        except IndexFailure as error:
            raise BackendError(str(error)) from error
        return cls(index, encoders, taxonomy)

    def find(self, photos: Sequence[Photo], *, category: str | None, seller_id: str | None) -> Neighbours:
        """Neighbours of the photos: never the seller's own, never a near-duplicate. Without the index: none."""
        phashes = [photo.ref.phash for photo in photos]
        return self.like(self.vectors(photos), phashes, category=category, seller_id=seller_id)

    def like(
        self,
        image_vectors: Sequence[list[float]],
        phashes: Sequence[str],
        *,
        category: str | None,
        seller_id: str | None,
    ) -> Neighbours:
        """Neighbours of photos that were encoded before."""
        from rag_index import IndexFailure, Query, retrieve, vote

        query = Query(image_vectors=image_vectors, phashes=tuple(phashes), seller_id=seller_id, category=category)
        try:
            near = retrieve(self.index, query, limit=NEIGHBOURS)
        except IndexFailure as error:
            log.warning("a draft goes on without past listings: %s", error)
            return Neighbours()
        instance = {a.name for a in self.taxonomy.attributes.values() if a.instance}
        candidates = vote(near, instance)
        return Neighbours(
            neighbours=[NeighbourRef(listing_id=n.record.listing_id, score=round(n.score, 4)) for n in near],
            categories=_categories(near),
            votes={name: {value: share for value, share, _ in values} for name, values in candidates.items()},
            ids={name: {value: ids for value, _, ids in values} for name, values in candidates.items()},
            brands=_brands(near),
            texts=[n.record.text for n in near if n.record.text][:EXAMPLES],
            similarity=near[0].similarity if near else 0.0,
        )

    def price(
        self,
        photos: Sequence[Photo],
        *,
        category: str,
        brand: str | None,
        seller_id: str | None,
        nearest: Sequence[NeighbourRef] = (),
    ) -> PriceRange | None:
        """The range of what comparable listings ask, those of ``nearest`` named first; None where there are too few.

        Without the index: None.
        """
        from rag_index import IndexFailure, Query, comparable_prices

        query = Query(phashes=tuple(photo.ref.phash for photo in photos), seller_id=seller_id, category=category)
        ids = [ref.listing_id for ref in nearest]
        try:
            basis = comparable_prices(self.index, query, brand, self.taxonomy.related(category), ids)
        except IndexFailure as error:
            log.warning("a draft goes on without a price range: %s", error)
            return None
        if basis is None:
            return None
        values = asdict(basis)
        return PriceRange(basis=list(values.pop("listing_ids")), **values)

    def vectors(self, photos: Sequence[Photo]) -> list[list[float]]:
        """Vectors of the photos; a draft looks for its photos twice, before its category is known and after."""
        vectors = dict(self._vector_by_photo)
        if new := [photo for photo in photos if photo.ref.id not in vectors]:
            encoded = self.encoders.image_vectors([photo.image for photo in new]).tolist()
            vectors |= {photo.ref.id: vector for photo, vector in zip(new, encoded, strict=True)}
            self._vector_by_photo.clear()
            self._vector_by_photo.update({photo.ref.id: vectors[photo.ref.id] for photo in photos})
        return [vectors[photo.ref.id] for photo in photos]


def _brands(near: Sequence[Neighbour]) -> list[str]:
    named = Counter(n.record.attributes.get("brand", "") for n in near)
    return [brand for brand, _ in named.most_common(BRANDS + 1) if brand][:BRANDS]


def _categories(near: Sequence[Neighbour]) -> dict[str, float]:
    total = sum(n.similarity for n in near)
    shares: dict[str, float] = {}
    for n in near:
        shares[n.record.category] = shares.get(n.record.category, 0.0) + (n.similarity / total if total else 0.0)
    return shares


class PastListingVotes(Source):
    """The votes of the nearest past listings on the category and on every attribute that they state."""

    name = "neighbours"

    def __init__(self, search: PastListings) -> None:
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
