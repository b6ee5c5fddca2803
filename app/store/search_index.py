"""The index as publishing and searching need it; what stands in it is always derived from the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from listing.schema import Listing

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Hit:
    """A listing that was found; a higher score is a better match."""

    listing_id: str
    score: float


class SearchIndex:
    """Listings of our own sellers (origin ``user``) in a search index. ``put`` and ``remove`` may be repeated.

    As it stands here nothing is in it and nothing is found; ``ChromaSearchIndex`` does better.
    """

    def put(self, listing: Listing, photos: Sequence[Path]) -> None:
        """Add or replace a listing, whose photos are these JPEG files. ValueError: it cannot be indexed."""

    def put_many(self, listings: Sequence[tuple[Listing, Sequence[Path]]]) -> None:
        """Add or replace listings; after an error some may be in it. ValueError: one of them cannot be indexed."""
        for listing, photos in listings:
            self.put(listing, photos)

    def remove(self, listing_ids: Collection[str]) -> None:
        """Remove listings; ids that are not there are passed over."""

    def ids(self) -> set[str]:
        """Ids of all listings of our own sellers in it."""
        return set()

    def search(self, text: str, photo: Image | None, *, limit: int) -> list[Hit]:
        """The best matches for words, a photo, or both; best first."""
        return []

    def nearest(self, text: str, *, limit: int) -> list[Hit]:
        """What is nearest to words, also where it is too far to be called a match; best first."""
        return self.search(text, None, limit=limit)

    def by_looks(self, photo: Image, listing_ids: Collection[str]) -> list[str]:
        """These listings, those first that look most like a photo; as they came where nobody can tell."""
        return list(listing_ids)

    def vectors(self, listing_ids: Collection[str]) -> dict[str, list[float]]:
        """Image vectors by listing (of its first photo); listings without one are left out."""
        return {}

    def photo_vector(self, photo: Path) -> list[float] | None:
        """The image vector of a JPEG file, as those of listings; None without encoders."""
        return None

    def rebuild(self, *, nightly: bool = False) -> bool:
        """Leave nothing of removed listings in its files; ``nightly``: if it is time to. Whether that was done."""
        return False

    def close(self) -> None:
        """Let another process open it."""


class NoIndex(SearchIndex):
    """No index at all (``IPL_RAG=0``): everything is found through the store alone."""
