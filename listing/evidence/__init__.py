"""What speaks for a fact: print, pixels, category, brand, labels, past listings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listing.lazy import lazy_names

if TYPE_CHECKING:
    from listing.evidence.brands import find_brand as find_brand
    from listing.evidence.colour import PixelView as PixelView
    from listing.evidence.colour import pixel_view as pixel_view
    from listing.evidence.neighbours import Neighbours as Neighbours
    from listing.evidence.neighbours import NeighbourSearch as NeighbourSearch
    from listing.evidence.ocr import OcrError as OcrError
    from listing.evidence.ocr import OcrSpan as OcrSpan
    from listing.evidence.ocr import Reader as Reader
    from listing.evidence.past_listings import PastListings as PastListings

_MODULES = {
    "Neighbours": "listing.evidence.neighbours",
    "OcrError": "listing.evidence.ocr",
    "OcrSpan": "listing.evidence.ocr",
    "PastListings": "listing.evidence.past_listings",
    "PixelView": "listing.evidence.colour",
    "Reader": "listing.evidence.ocr",
    "NeighbourSearch": "listing.evidence.neighbours",
    "find_brand": "listing.evidence.brands",
    "pixel_view": "listing.evidence.colour",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
