"""Photos that the page sent and nobody has taken in yet: checked, counted, each person's in a folder of their own."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import threading
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from fastapi import Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile as FormFile
from starlette.exceptions import HTTPException

from app.store.db import disk_full
from app.views import TOO_LARGE, AppError
from listing.intake.photos import PhotoLimits

MAX_FILES = PhotoLimits().count + 1  # what is one too many shows that there are more
_HEAD_BYTES = 16
_MIN_COUNTED = 64_000  # a file counts at least so many bytes, so that many small ones are bounded as well
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"heif", b"avif")


def looks_like_photo(head: bytes) -> bool:
    """True where a file begins as JPEG, PNG, WebP or HEIC do."""
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF


class Uploads:
    """A folder ``person/random/name``; what nobody takes in, ``app.store.deletions`` deletes after ten minutes.

    Args:
        each: most bytes of one person. total: most bytes of everybody.
    """

    def __init__(self, folder: Path, each: int, total: int) -> None:
        self.folder, self._each, self._total = folder.resolve(), each, total
        self._lock = threading.Lock()

    def of(self, person: str) -> Path:
        """The folder of a person."""
        return self.folder / hashlib.sha256(person.encode()).hexdigest()[:16]

    def file_of(self, person: str, path: str) -> tuple[Path, int]:
        """The file that a person uploaded and names, and its bytes."""
        if "\0" not in path:
            with contextlib.suppress(OSError):  # a name that is too long, or a file that was swept just now
                file = Path(os.path.realpath(path))
                if file.is_relative_to(self.of(person)) and stat.S_ISREG((about := file.stat()).st_mode):
                    return file, about.st_size
        raise AppError("not_uploaded", "Choose photos from this device; nothing else is taken.", 400)

    async def store(self, request: Request, person: str) -> list[str]:
        """Keep the files of a form (field ``files``); returns their paths. What is refused leaves nothing behind."""
        try:
            # Until all of them are checked, they lie in temp files without a name, which vanish by themselves.
            async with request.form(max_files=MAX_FILES, max_fields=4) as form:
                files: list[Any] = [f for f in form.getlist("files") if isinstance(f, FormFile)]
                if not files:
                    raise AppError("no_files", "No file was sent; choose a photo.", 422)
                photos = [await _is_photo(file) for file in files]
                return await run_in_threadpool(self._keep, person, files, photos)
        except HTTPException as error:
            if error.status_code != 400:
                raise
            message = f"The photos could not be read; send at most {MAX_FILES} at once."
            raise AppError("bad_upload", message, 422) from error

    def _keep(self, person: str, files: Sequence[UploadFile], photos: Sequence[bool]) -> list[str]:
        """Keep photos, and of what is none its beginning, so that the page can say which file it was and why."""
        paths: list[Path] = []
        with self._lock:
            new = sum(max(file.size or 0, _MIN_COUNTED) for file in files)
            if _size(self.of(person)) + new > self._each or _size(self.folder) + new > self._total:
                message = "Too many photos are still being processed; wait a moment and choose them again."
                raise AppError("uploads_full", message, 429, 60)
            try:
                for file, photo in zip(files, photos, strict=True):
                    place = self.of(person) / secrets.token_hex(16)
                    place.mkdir(mode=0o700, parents=True)
                    paths.append(place / _name(file.filename or ""))
                    with paths[-1].open("xb") as target:
                        if photo:
                            shutil.copyfileobj(file.file, target)
                        else:
                            target.write(file.file.read(_HEAD_BYTES))
            except OSError as error:
                for path in paths:
                    shutil.rmtree(path.parent, ignore_errors=True)
                raise (disk_full() if error.errno == errno.ENOSPC else error) from error
        return [str(path) for path in paths]


async def _is_photo(file: UploadFile) -> bool:
    if (file.size or 0) > PhotoLimits().bytes:
        raise AppError("too_large", TOO_LARGE, 413)
    head = await file.read(_HEAD_BYTES)
    await file.seek(0)
    return looks_like_photo(head)


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += max(Path(place, name).stat().st_size, _MIN_COUNTED)
    return total


def _name(sent: str) -> str:
    """The last part of a file's name, of letters, digits and ``._ ()-`` only: it is shown when the photo is refused."""
    plain = re.sub(r"[^\w.() -]", "_", PureWindowsPath(sent).name).lstrip(". ")
    return plain[-80:] or "photo"
