"""Files to clean photos: formats, limits, no metadata; perceptual hash, items of a folder, quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listing.lazy import lazy_names

if TYPE_CHECKING:
    from listing.intake.items import find_items as find_items
    from listing.intake.phash import hamming as hamming
    from listing.intake.phash import phash as phash
    from listing.intake.photos import PhotoError as PhotoError
    from listing.intake.photos import PhotoLimits as PhotoLimits
    from listing.intake.photos import intake as intake
    from listing.intake.photos import random_id as random_id
    from listing.intake.quality import assess as assess
    from listing.intake.quality import photo_quality as photo_quality

_MODULES = {
    "PhotoError": "listing.intake.photos",
    "PhotoLimits": "listing.intake.photos",
    "assess": "listing.intake.quality",
    "find_items": "listing.intake.items",
    "hamming": "listing.intake.phash",
    "intake": "listing.intake.photos",
    "phash": "listing.intake.phash",
    "photo_quality": "listing.intake.quality",
    "random_id": "listing.intake.photos",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
