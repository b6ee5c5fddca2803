"""What a pipeline is made of."""

from __future__ import annotations

from dataclasses import dataclass

from listing.backends.base import Backend
from listing.evidence.neighbours import Similar
from listing.evidence.ocr import Reader
from listing.facts.category_router import Router
from listing.facts.ensemble import Calibration
from listing.taxonomy import Taxonomy


@dataclass(frozen=True)
class Parts:
    """What the pipeline is made of; ``similar`` None works without past listings."""

    backend: Backend
    taxonomy: Taxonomy
    router: Router
    reader: Reader
    calibration: Calibration
    similar: Similar | None = None
