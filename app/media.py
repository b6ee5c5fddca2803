"""The photos' files: one JPEG a photo under its random id, whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from app.db import disk_full
from app.views import AppError

_ID = re.compile(r"[0-9a-f]{32}")
_NOT_HERE = "There is no such photo; it may have been deleted."


class Media:
    """A folder of photos, spread over 256 subfolders by the first two digits of their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, photo_id: str) -> Path:
        """Where the photo of that id lies or would lie. Raises AppError (404) for what cannot be an id."""
        if not _ID.fullmatch(photo_id):
            raise AppError("not_found", _NOT_HERE, 404)
        return self.folder / photo_id[:2] / f"{photo_id}.jpg"

    def save(self, photo_id: str, jpeg: bytes) -> Path:
        """Write a photo so that after a crash it is there whole or not at all.

        Raises:
            AppError: the disk is full (507).
        """
        path = self.path(photo_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
                temporary = Path(file.name)
                try:
                    file.write(jpeg)
                    file.flush()
                    os.fsync(file.fileno())
                    temporary.replace(path)
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full() from error
            raise
        return path

    def delete(self, photo_ids: Collection[str]) -> None:
        """Delete the photos of these ids; those that are gone already are passed over."""
        for photo_id in photo_ids:
            self.path(photo_id).unlink(missing_ok=True)

    def ids(self) -> Iterator[str]:
        """Ids of all photos in the folder."""
        yield from (path.stem for path in self.folder.glob("??/*.jpg"))

    def sweep(self, known: Collection[str], older_than: float) -> int:
        """Delete files that belong to no known photo and are older than that many seconds; returns how many.

        Such files stay behind when a process dies between writing a photo and its row, or a row and its photo.
        """
        oldest = time.time() - older_than
        stray = [p for p in self.folder.glob("??/*.jpg") if p.stem not in known]
        stray += self.folder.glob("??/.*.part")
        swept = 0
        for path in stray:
            try:
                if path.stat().st_mtime <= oldest:
                    path.unlink()
                    swept += 1
            except FileNotFoundError:
                continue
        return swept
