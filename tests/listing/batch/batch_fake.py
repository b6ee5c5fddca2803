"""A pipeline without a model, the files of a batch, and one to kill: ``python -m tests.listing.batch.batch_fake``."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from listing.backends.base import BackendError, ServerError
from listing.batch.run import run_batch
from listing.request import DraftEvent, DraftRequest, Event
from listing.schema import Category, Draft, Quality


class FakePipeline:
    """Its drafts depend on the request; notes make it fail in the ways a real one may."""

    concurrency = 1

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def run(self, request: DraftRequest) -> Iterator[Event]:
        time.sleep(self.seconds)
        if request.note == "odd":
            raise RuntimeError("something odd")
        if request.note == "no model":
            raise BackendError("The model went away: start it again.")
        if request.note == "wrong key":
            raise ServerError("The server refuses the key: start it again.", 401)
        if request.note == "crash":
            os._exit(9)
        refs = [photo.ref for photo in request.photos]
        draft = Draft(
            id=os.urandom(8).hex(),
            photos=refs,
            category=Category(value="T-Shirt", confidence=0.9),
            title=f"{request.note} of {len(refs)}",
            quality=Quality(score=50),
            model="fake",
            timing_ms={"all": time.time()},
        )
        yield DraftEvent(draft=draft)


class MarkedPipeline(FakePipeline):
    """Leaves a file named by its process in a folder, so that a test can kill it."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(seconds)
        (folder / str(os.getpid())).touch()


Row = dict[str, Any] | str


def write_photo(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), (shade % 256, 80, 120)).save(path)


def write_rows(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def rows_of(folder: Path, count: int = 8, **notes: str) -> Path:
    """A file of items with a photo each; ``n3`` gives number 3 a note of its own, number 5 has no photo."""
    for number in range(3):
        write_photo(folder / f"{number}.png", number * 40)
    rows: list[Row] = [
        {"id": f"item {n}", "photos": [f"{n % 3}.png"], "note": notes.get(f"n{n}", f"note {n}")} for n in range(count)
    ]
    if count > 5:
        rows[5] = {"id": "item 5", "photos": ["nowhere.png"]}
    return write_rows(folder / "in.jsonl", rows)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def factory(seconds: float = 0.0) -> functools.partial[FakePipeline]:
    return functools.partial(FakePipeline, seconds)


if __name__ == "__main__":
    _, source, out, workers, seconds = sys.argv
    run_batch(Path(source), Path(out), factory(float(seconds)), workers=int(workers), resume=True)
