"""Photos as the page shows them: small pictures inside the page itself, so that none enters a public cache."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from listing.intake.photos import Photo, PhotoError, PhotoLimits, decoded, intake, random_id
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
        """The photo again, as it came from intake."""
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


def crop(ref: PhotoRef, box: Box | None) -> dict[str, str]:
    """Styles of a square window of ``CROP`` px on a photo around ``box`` (shares of it), and of a frame at the box.

    The window has a margin; without a box it shows the whole photo, covered, and no frame.
    """
    x0, y0, x1, y1 = box or (0.0, 0.0, 1.0, 1.0)
    largest = float(min(ref.width, ref.height))
    side = max((x1 - x0) * ref.width, (y1 - y0) * ref.height, 1.0) * (1 + _MARGIN) if box else largest
    side = min(side, largest)
    left = min(max((x0 + x1) / 2 * ref.width - side / 2, 0.0), ref.width - side)
    top = min(max((y0 + y1) / 2 * ref.height - side / 2, 0.0), ref.height - side)
    scale = CROP / side

    x, far_x = (min(max(0.0, (at * ref.width - left) * scale), float(CROP)) for at in (x0, x1))
    y, far_y = (min(max(0.0, (at * ref.height - top) * scale), float(CROP)) for at in (y0, y1))
    frame = f"left:{x:.1f}px;top:{y:.1f}px;width:{max(4.0, far_x - x):.1f}px;height:{max(4.0, far_y - y):.1f}px"
    window = (
        f"background-image:var(--photo-{ref.id});background-size:{ref.width * scale:.1f}px {ref.height * scale:.1f}px;"
        f"background-position:{-left * scale:.1f}px {-top * scale:.1f}px"
    )
    return {"window": window, "frame": frame if box else ""}
