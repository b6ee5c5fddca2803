"""Files to clean photos: formats, limits, no metadata; perceptual hash, items of a folder, quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_index.lazy import lazy_names

if TYPE_CHECKING:
    from listing.intake.items import find_items
    from listing.intake.photos import PhotoError, intake

__all__ = ["PhotoError", "find_items", "intake"]

__getattr__ = lazy_names(__name__, {"items": "find_items", "photos": "PhotoError intake"})
