"""What a pipeline is made of."""

from __future__ import annotations

from dataclasses import dataclass

from listing.backends.base import Backend
from listing.fusion import Calibration
from listing.ocr import Reader
from listing.router import Router
from listing.similar import Similar
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
