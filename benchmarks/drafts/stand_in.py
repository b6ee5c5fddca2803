"""A server in a model's place: it answers by annotations of validation photos, with errors by dose."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.drafts.photos import CLOTHING
from listing.backends.openai import OpenAIBackend
from listing.observe.source import Context, Source
from listing.request import Photo
from listing.schema import Observation

PORT = 9123


class Seen(Source):
    """What the embedded model's sources observed of a photo, without its language model's word."""

    name = "seen"

    def __init__(self, by_photo: dict[str, list[Observation]]) -> None:
        self.by_photo = by_photo

    def observe(self, photos: Sequence[Photo], context: Context) -> list[Observation]:
        """The observations of the one photo of a request."""
        return [o for o in self.by_photo[photos[0].name] if o.source != "mllm"]


@contextmanager
def stand_in(program: Path, photos: Path, log: Path, *options: str) -> Iterator[OpenAIBackend]:
    """The stand-in's server over a folder of photos, and a backend that asks it."""
    command = [sys.executable, str(program), "--port", str(PORT), "--photos", str(photos), "--log", str(log)]
    for name in ("annotations", "details"):
        command += [f"--{name}", str(CLOTHING / f"{name}.jsonl")]
    with subprocess.Popen([*command, *options]) as server:
        try:
            for _ in range(100):
                try:
                    yield OpenAIBackend(f"http://127.0.0.1:{PORT}/v1")
                    break
                except Exception:
                    time.sleep(0.3)
        finally:
            server.kill()
