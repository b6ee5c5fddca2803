"""Looking for what should be gone: in the raw bytes and names of files, and in every column of a database."""

from __future__ import annotations

import io
import mmap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine, inspect, text

from tests.app.support.clients import becomes

GONE_SECONDS = 60.0  # what the clock works off is gone by then, also on a busy machine


def files_with(folder: Path, word: str) -> list[str]:
    """Files below the folder that hold the word, or have it in their name."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file() and (word in str(path.relative_to(folder)) or _holds(path, word.encode())):
                found.append(str(path.relative_to(folder)))
        except FileNotFoundError:  # a journal that came and went
            continue
    return found


def _holds(path: Path, word: bytes) -> bool:
    """True if a file holds the bytes; mapped, since hnswlib writes what freed memory held into its files."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(word) >= 0


def rows_with(engine: Engine, word: str) -> list[str]:
    """Tables that hold the word in any column (each row is compared as text)."""
    found = []
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            columns = " || ' ' || ".join(
                f"COALESCE(CAST(\"{c['name']}\" AS TEXT), '')" for c in inspect(engine).get_columns(table)
            )
            query = text(f'SELECT count(*) FROM "{table}" WHERE {columns} LIKE :word')
            if connection.scalar(query, {"word": f"%{word}%"}):
                found.append(table)
    return found


def wait_until(true: Callable[[], object], seconds: float = 120.0) -> float:
    """Wait until it is true; returns the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not so after {seconds:.0f} s"
        time.sleep(0.05)
    return time.monotonic() - began


def wait_until_gone(look: Callable[[], Sequence[str]], seconds: float = GONE_SECONDS) -> None:
    """Wait until nothing is found any more."""
    assert becomes(lambda: not look(), seconds), f"still there after {seconds:.0f} s: {look()}"


def marked_jpeg(word: str, colour: tuple[int, int, int] = (31, 42, 68)) -> bytes:
    """A photo with the word in its EXIF data."""
    exif = Image.Exif()
    exif[0x010E] = word
    made = io.BytesIO()
    image = Image.new("RGB", (320, 400), colour)
    image.paste((200, 200, 200), (100, 100, 160, 180))
    image.save(made, "JPEG", exif=exif)
    return made.getvalue()


def publish_marked(client: TestClient, word: str, colour: tuple[int, int, int]) -> dict[str, Any]:
    """A listing whose note, title, description, facts, file name and EXIF data hold the word."""
    photo = ("photos", (f"{word}.jpg", marked_jpeg(word, colour), "image/jpeg"))
    draft = client.post("/v1/drafts", files=[photo], data={"note": f"The note says {word}."}).json()["id"]
    body = {"draft_id": draft, "title": f"Hoodie {word}", "facts": {"brand": f"{word} brand"}, "price": 12}
    answer = client.post("/v1/listings", json=body, headers={"Idempotency-Key": f"key {word}"})
    assert answer.status_code == 201, answer.text
    listing: dict[str, Any] = answer.json()
    return listing


def files_there(services, photo_ids) -> list[bool]:
    return [services.media.path(photo_id).is_file() for photo_id in photo_ids]
