"""A server's model that is asked only while it is there, answers in time, and has requests of the day left.

What it may not be asked fails at once, as of a server that is away: a page then shows the draft that needs no model.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from listing.backends.base import ChoiceQuestion, Filled, Form, ServerError
from listing.backends.stopping import Stopped, current_wish, stop_when

REST_SECONDS = 30.0  # for which a server that failed is not asked


class Rationed:
    """Implements ``Backend`` and ``FormBackend``. ServerError (``away``): it is not asked, or did not answer in time.

    Args:
        backend: an ``OpenAIBackend``. file: where the requests of the day are counted. daily: the most, 0: any number.
        seconds: longest answer.
    """

    def __init__(self, backend: Any, file: Path, daily: int, seconds: float) -> None:
        self.backend, self.file, self.daily, self.seconds = backend, file, daily, seconds
        self.name, self.concurrency = backend.name, backend.concurrency
        self._rests_until, self._noted = 0.0, 0
        self._counting = threading.Lock()

    def fill(self, images: Sequence[Image.Image], form: Form) -> Filled | None:
        """See ``FormBackend.fill``."""
        with self._asked(time.monotonic() + self.seconds):
            return self.backend.fill(images, form)

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        """See ``Backend.score``."""
        with self._asked(time.monotonic() + self.seconds):
            return self.backend.score(image, questions)

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """See ``Backend.write``."""
        limit, pieces = time.monotonic() + self.seconds, self.backend.write(images, prompt, max_tokens=max_tokens)
        while True:
            with self._asked(limit):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def opinions(self, image: Image.Image) -> dict[str, dict[str, float]]:
        """See ``Backend.opinions``."""
        return {}

    def describe(self) -> dict[str, Any]:
        """See ``Backend.describe``."""
        return self.backend.describe()

    @contextmanager
    def _asked(self, limit: float) -> Iterator[None]:
        wish = current_wish()
        if time.monotonic() < self._rests_until:
            raise ServerError(f"The model {self.name} failed a moment ago and is not asked now.", away=True)
        if self.daily and self.requests() >= self.daily:
            raise ServerError(f"The {self.daily} requests of the day are used up (IPL_MODEL_REQUESTS).", away=True)
        stop_when(lambda: wish() or time.monotonic() > limit)
        try:
            yield
        except Stopped:
            if wish():
                raise
            self._rests_until = time.monotonic() + REST_SECONDS
            message = f"The model {self.name} took longer than {self.seconds:.0f} s (a tenth of IPL_DRAFT_MINUTES)"
            raise ServerError(f"{message}: give its server more power or this more time.", away=True) from None
        except ServerError as error:
            if error.away or error.status not in range(400, 500):
                self._rests_until = time.monotonic() + REST_SECONDS
            raise
        finally:
            stop_when(wish)
            self.requests()

    def requests(self) -> int:
        """The number of requests today; what was sent since the last call is noted in the file."""
        with self._counting:
            today, new = f"{datetime.now(UTC):%Y-%m-%d}", self.backend.sent - self._noted
            self._noted += new
            kept = self._kept()
            count = new + (int(kept["requests"]) if kept.get("day") == today else 0)
            if new:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                scratch = self.file.with_suffix(".tmp")
                scratch.write_text(json.dumps({"day": today, "requests": count}), encoding="utf-8")
                scratch.replace(self.file)
            return count

    def _kept(self) -> Mapping[str, Any]:
        try:
            return dict(json.loads(self.file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}
