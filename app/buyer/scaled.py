"""Photos at the size at which a page shows them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fastapi.responses import FileResponse, Response

from app.seller.pictures import scaled

# The address changes with the photo. For an hour, so that a withdrawn one does not stay for long.
CACHED = {"Cache-Control": "private, max-age=3600"}
JPEG = "image/jpeg"


def scaled_photo(path: Path, side: int) -> Response:
    """A stored photo of which the longest side has at most ``side`` px; 0: as it is stored."""
    if not side:
        return FileResponse(path, media_type=JPEG, headers=CACHED)
    return Response(_small(path, side), media_type=JPEG, headers=CACHED)


@lru_cache(maxsize=256)
def _small(path: Path, side: int) -> bytes:
    """Stored photos never change."""
    return scaled(path.read_bytes(), side)
