"""Whether a photo's file is the one that was stored; and the hashes of files that an older version stored."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from sqlalchemy import select, update

from app.store.db import Store
from app.store.media import Media
from app.store.tables import PhotoRow

AT_ONCE = 100  # rows in one transaction


@dataclass(frozen=True)
class PhotoFile:
    """A photo's file as it is read. ``problem``: what is wrong with it, in a few words; empty when nothing is."""

    bytes: int = 0
    sha256: str = ""
    problem: str = ""


def read_photo(path: Path, sha256: str | None) -> PhotoFile:
    """Read a photo's file and compare it with the hash of what was stored; without one it has to decode whole."""
    if path.exists() and not path.is_file():
        return PhotoFile(problem="a folder" if path.is_dir() else "no file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return PhotoFile(problem="missing")
    except OSError as error:
        return PhotoFile(problem=(error.strerror or "unreadable").lower())
    found = hashlib.sha256(content).hexdigest()
    if not content:
        problem = "0 bytes"
    elif sha256 is None:
        problem = "" if _decodes(content) else "no whole photo"
    else:
        problem = "" if found == sha256 else "not what was stored"
    return PhotoFile(len(content), found, problem)


def _decodes(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def note_hashes(store: Store, media: Media) -> int:
    """Store the hashes of whole photos that have none, as older versions kept none; returns how many."""
    noted, last = 0, ""
    while True:
        with store.read() as session:
            rows = select(PhotoRow.id).where(PhotoRow.sha256.is_(None), PhotoRow.id > last).order_by(PhotoRow.id)
            ids = session.scalars(rows.limit(AT_ONCE)).all()
        if not ids:
            return noted
        files = {photo_id: read_photo(media.path(photo_id), None) for photo_id in ids}
        with store.write() as session:
            for photo_id, file in files.items():
                if not file.problem:
                    session.execute(update(PhotoRow).where(PhotoRow.id == photo_id).values(sha256=file.sha256))
                    noted += 1
        last = ids[-1]
