"""``SearchIndex`` over the index of past listings: texts scrubbed, vectors made here, fused when both are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from app.store.listing_repo import ID_PREFIX
from app.store.search_index import Hit, SearchIndex
from listing.safety.contacts import scrub_for_index
from listing.schema import Listing
from rag_index import IndexRecord
from rag_index.storage.rows import chunks

if TYPE_CHECKING:
    from PIL.Image import Image

    from listing.observe.past_listings import PastListings

MAX_CHARACTERS = 6_000
# Cosine below which a neighbour is merely the nearest of what there is, not a match.
MIN_TEXT_COSINE, MIN_IMAGE_COSINE = 0.35, 0.80
FAR_TEXT_COSINE = 0.2  # below which it is not even something of the kind


class ChromaSearchIndex(SearchIndex):
    """Puts our sellers' listings beside the samples in the index that the pipeline looks into."""

    def __init__(self, past: PastListings) -> None:
        self.past = past

    def put(self, listing: Listing, photos: Sequence[Path]) -> None:
        self.put_many([(listing, photos)])

    def put_many(self, listings: Sequence[tuple[Listing, Sequence[Path]]]) -> None:
        self.past.index.add(self.records(listings))

    def records(self, listings: Sequence[tuple[Listing, Sequence[Path]]]) -> list[IndexRecord]:
        """Listings as the index takes them: no contact data in any text, one vector a photo, one for the text."""
        encoders = self.past.encoders
        texts = [scrub_for_index(f"{x.title}\n{x.description}")[:MAX_CHARACTERS] for x, _ in listings]
        paths = [path for _, photos in listings for path in photos]
        of_photos = (
            vector
            for group in chunks(paths, encoders.batch_size)  # all photos of a backlog at once would be gigabytes
            for vector in encoders.image_vectors([_pixels(path) for path in group]).tolist()
        )
        of_texts = encoders.text_vectors(texts).tolist()
        return [
            _record(x, photos, list(islice(of_photos, len(photos))), text, vector)
            for (x, photos), text, vector in zip(listings, texts, of_texts, strict=True)
        ]

    def remove(self, listing_ids: Collection[str]) -> None:
        self.past.index.remove(listing_ids)

    def ids(self) -> set[str]:
        return {listing_id for listing_id in self.past.index.ids() if listing_id.startswith(ID_PREFIX)}

    def rebuild(self, *, nightly: bool = False) -> bool:
        return self.past.index.rebuild(nightly=nightly)

    def close(self) -> None:
        self.past.index.close()

    def vectors(self, listing_ids: Collection[str]) -> dict[str, list[float]]:
        return self.past.index.first_image_vectors(listing_ids)

    def by_looks(self, photo: Image, listing_ids: Collection[str]) -> list[str]:
        vectors, sought = self.vectors(listing_ids), self.past.encoders.image_vectors([photo])[0]
        alike = {i: float(sought @ vector) for i, vector in vectors.items()}
        return sorted(listing_ids, key=lambda i: -alike.get(i, -1.0))

    def photo_vector(self, photo: Path) -> list[float] | None:
        return [float(v) for v in self.past.encoders.image_vectors([_pixels(photo)])[0]]

    def search(self, text: str, photo: Image | None, *, limit: int) -> list[Hit]:
        """Only what is near enough to be called a match."""
        return self._search(text, photo, limit, MIN_TEXT_COSINE)

    def nearest(self, text: str, *, limit: int) -> list[Hit]:
        return self._search(text, None, limit, FAR_TEXT_COSINE)

    def _search(self, text: str, photo: Image | None, limit: int, least_text: float) -> list[Hit]:
        index, encoders = self.past.index, self.past.encoders
        best: dict[str, float] = {}
        if photo is not None:
            for hit in index.search_images(encoders.image_vectors([photo]).tolist(), limit):
                if hit.cosine >= MIN_IMAGE_COSINE:
                    best[hit.listing_id] = hit.cosine
        if text:
            for hit in index.search_text(encoders.text_vectors([text])[0].tolist(), limit):
                if hit.cosine >= least_text:
                    best[hit.listing_id] = max(hit.cosine, best.get(hit.listing_id, 0.0))
        return [Hit(i, score) for i, score in sorted(best.items(), key=lambda pair: -pair[1])][:limit]


def _record(
    listing: Listing, photos: Sequence[Path], image_vectors: list[list[float]], text: str, text_vector: list[float]
) -> IndexRecord:
    hashes = {ref.id: ref.phash for ref in listing.photos}
    return IndexRecord(
        listing_id=listing.id,
        seller_id=listing.seller_id,
        category=listing.category,
        phashes=[hashes[path.stem] for path in photos],
        image_vectors=image_vectors,
        text=text,
        text_vector=text_vector,
        attributes={name: scrub_for_index(value) for name, value in listing.attributes.items()},
        price=listing.price,
        currency=listing.currency if listing.price is not None else None,
        sold=listing.status == "sold",
        listed_on=listing.published_at.date() if listing.published_at is not None else None,
        origin="user",
    )


def _pixels(photo: Path) -> Image:
    from PIL import Image

    try:
        with Image.open(photo) as opened:
            return opened.convert("RGB")
    except OSError as error:
        if error.errno is not None:  # the disk's, which may pass; Pillow's own have no number
            raise
        raise ValueError(f"The photo {photo.name} cannot be decoded.") from error
