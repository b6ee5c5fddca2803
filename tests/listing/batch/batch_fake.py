"""A pipeline without a model, and a batch that a test can kill: ``python -m tests.listing.batch.batch_fake``."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from listing.backends.base import BackendError
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


def factory(seconds: float = 0.0) -> functools.partial[FakePipeline]:
    return functools.partial(FakePipeline, seconds)


if __name__ == "__main__":
    _, source, out, workers, seconds = sys.argv
    run_batch(Path(source), Path(out), factory(float(seconds)), workers=int(workers), resume=True)
