"""Clean covers of a draft's photos, for its seller to look at: nothing of the draft changes by one being made."""

from __future__ import annotations

import threading
from pathlib import Path

from PIL import Image

from app.store import draft_repo
from app.store.db import Store
from app.store.media import Media
from app.views import AppError
from listing.observe.networks.foreground import SIDE, WEIGHTS, Foreground


class Covers:
    """Makes one at a time; the network is loaded at the first."""

    def __init__(self, store: Store, media: Media, model: Path) -> None:
        self.store, self.media, self.weights = store, media, model / WEIGHTS
        self._lock = threading.Lock()
        self._foreground: Foreground | None = None

    def of(self, seller: str, draft_id: str, photo_id: str) -> bytes:
        """The clean cover, JPEG.

        Raises:
            CoverError: item and background cannot be told apart (422).
            AppError: no such photo (404), or the network is missing (503).
        """
        from listing.observe.networks.cover import clean_cover  # with scipy's filters, which a start does without

        with self.store.read() as session:
            draft_repo.draft_of_seller(session, seller, draft_id)
            present = {photo.id for photo in draft_repo.photos_of(session, draft=draft_id)}
        path = self.media.path(photo_id)
        if photo_id not in present or not path.is_file():
            raise AppError("not_found", "This draft has no such photo.", 404)
        if not self.weights.is_file():
            raise AppError("no_cover", "Covers need the embedded model, which is missing: run ./ipl doctor.", 503)
        with self._lock:
            self._foreground = self._foreground or Foreground(self.weights, SIDE)
            with Image.open(path) as photo:
                image = photo.convert("RGB")
            return clean_cover(image, self._foreground.mask(image))
