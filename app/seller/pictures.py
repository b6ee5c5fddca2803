"""Photos as the page shows them: small pictures inside the page itself, so that none enters a public cache."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from app.drafting.draft_photos import decoded
from listing.intake.photos import Photo, PhotoError, PhotoLimits, intake, random_id
from listing.schema import Box, PhotoRef

PREVIEW = 820
THUMB = 200
CROP = 112
_MARGIN = 0.35


@dataclass(frozen=True)
class Shot:
    """A photo on the page: the clean JPEG and a preview. Decoded pixels are not kept in a session."""

    ref: PhotoRef
    jpeg: bytes
    url: str

    @classmethod
    def of(cls, photo: Photo) -> Shot:
        return cls(photo.ref, photo.jpeg, data_url(photo.jpeg, PREVIEW))

    @classmethod
    def stored(cls, ref: PhotoRef, path: Path) -> Shot:
        """A photo that is in the store already."""
        jpeg = path.read_bytes()
        return cls(ref, jpeg, data_url(jpeg, PREVIEW))

    def renamed(self) -> Shot:
        """The same photo under an id of its own, for a draft that begins anew."""
        return replace(self, ref=self.ref.model_copy(update={"id": random_id()}))

    def photo(self) -> Photo:
        """The photo again, as intake made it."""
        return decoded(self.ref, self.jpeg, "photo")


def read_photos(files: Sequence[Path], present: Sequence[PhotoRef] = ()) -> tuple[list[Photo], list[tuple[str, str]]]:
    """Clean photos, each file judged alone, for which a listing with those present has room; titles and reasons of all
    others. Of a person who chooses more than one listing takes, the page sends one more than that.
    """
    photos: list[Photo] = []
    problems: list[tuple[str, str]] = []
    most, present_hashes = PhotoLimits().count, {ref.phash for ref in present}
    for number, file in enumerate(files):
        if len(present) + len(photos) == most or number == most:
            problems.append(("There is no room for more", _room(len(photos), most)))
            break
        try:
            (photo,) = intake([file])
        except PhotoError as error:
            problems.append((f"{file.name} was not added", str(error)))
            continue
        if photo.ref.phash in present_hashes:
            problems.append((f"{file.name} was not added", "This photo is there already."))
            continue
        present_hashes.add(photo.ref.phash)
        photos.append(photo)
    return photos, problems


def _room(added: int, most: int) -> str:
    if not added:
        return f"A listing has room for {most} photos; remove one first."
    first = "The first photo was" if added == 1 else f"The first {added} photos were"
    return f"{first} taken: a listing has room for {most}."


def scaled(jpeg: bytes, side: int) -> bytes:
    """The picture scaled to ``side`` px at most, as a JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as opened:
        opened.thumbnail((side, side))  # before it is decoded: a JPEG is then read at the scale that is needed
        opened.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def data_url(jpeg: bytes, side: int) -> str:
    """The picture scaled to ``side`` px at most, as a data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(scaled(jpeg, side)).decode()


@lru_cache(maxsize=512)
def file_url(path: Path, side: int = THUMB) -> str:
    """Like ``data_url``, from a stored photo; stored photos never change."""
    return data_url(path.read_bytes(), side)


@dataclass(frozen=True)
class Crop:
    """Place of a square window of ``CROP`` px on a photo: position and size behind it, a frame, in px."""

    photo: str
    width: float
    height: float
    left: float
    top: float
    frame: tuple[float, float, float, float] | None


def crop(ref: PhotoRef, box: Box | None) -> Crop:
    """A window around ``box`` (shares of the photo) with a margin; the whole photo, covered, without a box."""
    x0, y0, x1, y1 = box or (0.0, 0.0, 1.0, 1.0)
    wide, high = (x1 - x0) * ref.width, (y1 - y0) * ref.height
    side = max(wide, high, 1.0) * (1 + _MARGIN) if box else float(min(ref.width, ref.height))
    side = min(side, float(min(ref.width, ref.height)))
    left = min(max((x0 + x1) / 2 * ref.width - side / 2, 0.0), ref.width - side)
    top = min(max((y0 + y1) / 2 * ref.height - side / 2, 0.0), ref.height - side)
    scale = CROP / side
    frame = None
    if box:
        near = [max(0.0, (x0 * ref.width - left) * scale), max(0.0, (y0 * ref.height - top) * scale)]
        far = [min(float(CROP), (x1 * ref.width - left) * scale), min(float(CROP), (y1 * ref.height - top) * scale)]
        frame = (near[0], near[1], max(4.0, far[0] - near[0]), max(4.0, far[1] - near[1]))
    return Crop(ref.id, ref.width * scale, ref.height * scale, -left * scale, -top * scale, frame)
