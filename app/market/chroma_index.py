"""``SearchIndex`` over the index of past listings: texts scrubbed, vectors made here, fused when both are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.store.listing_repo import OWN_PREFIX
from app.store.search_index import Hit, SearchIndex
from listing.safety.contacts import scrub_for_index
from listing.schema import Listing
from rag_index import IndexRecord

if TYPE_CHECKING:
    from PIL.Image import Image

    from listing.evidence.past_listings import PastListings

MAX_CHARACTERS = 6_000
# Cosine below which a neighbour is merely the nearest of what there is, not a match.
MIN_TEXT_COSINE, MIN_IMAGE_COSINE = 0.35, 0.80


class ChromaSearchIndex(SearchIndex):
    """Puts our sellers' listings beside the samples in the index that the pipeline looks into."""

    def __init__(self, past: PastListings) -> None:
        self.past = past

    def put(self, listing: Listing, photos: Sequence[Path]) -> None:
        self.past.index.add([self.record(listing, photos)])

    def record(self, listing: Listing, photos: Sequence[Path]) -> IndexRecord:
        """The listing as the index takes it: no contact data in any text, one vector a photo, one for the text."""
        text = scrub_for_index(f"{listing.title}\n{listing.description}")[:MAX_CHARACTERS]
        encoders = self.past.encoders
        hashes = {ref.id: ref.phash for ref in listing.photos}
        return IndexRecord(
            listing_id=listing.id,
            seller_id=listing.seller_id,
            category=listing.category,
            phashes=[hashes[path.stem] for path in photos],
            image_vectors=encoders.image_vectors([_pixels(path) for path in photos]).tolist(),
            text=text,
            text_vector=encoders.text_vectors([text])[0].tolist(),
            attributes={name: scrub_for_index(value) for name, value in listing.attributes.items()},
            price=listing.price,
            currency=listing.currency if listing.price is not None else None,
            sold=listing.status == "sold",
            origin="user",
        )

    def remove(self, listing_ids: Collection[str]) -> None:
        self.past.index.remove(listing_ids)

    def ids(self) -> set[str]:
        return {listing_id for listing_id in self.past.index.ids() if listing_id.startswith(OWN_PREFIX)}

    def wipe(self, *, at_once: bool = False) -> bool:
        return self.past.index.wipe(at_once=at_once)

    def close(self) -> None:
        self.past.index.close()

    def vectors(self, listing_ids: Collection[str]) -> dict[str, list[float]]:
        records = {i: self.past.index.get(i) for i in listing_ids}
        return {i: list(r.image_vectors[0]) for i, r in records.items() if r is not None and r.image_vectors}

    def photo_vector(self, photo: Path) -> list[float] | None:
        return [float(v) for v in self.past.encoders.image_vectors([_pixels(photo)])[0]]

    def search(self, text: str, photo: Image | None, *, limit: int) -> list[Hit]:
        """Only what is near enough to be called a match."""
        index, encoders = self.past.index, self.past.encoders
        best: dict[str, float] = {}
        if photo is not None:
            for hit in index.search_images(encoders.image_vectors([photo]).tolist(), limit):
                if hit.cosine >= MIN_IMAGE_COSINE:
                    best[hit.listing_id] = hit.cosine
        if text:
            for hit in index.search_text(encoders.text_vectors([text])[0].tolist(), limit):
                if hit.cosine >= MIN_TEXT_COSINE:
                    best[hit.listing_id] = max(hit.cosine, best.get(hit.listing_id, 0.0))
        return [Hit(i, score) for i, score in sorted(best.items(), key=lambda pair: -pair[1])][:limit]


def _pixels(photo: Path) -> Image:
    from PIL import Image

    with Image.open(photo) as opened:
        return opened.convert("RGB")
