"""A server's model that is asked only once it is there, while it answers in time, and has requests of the day left.

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
from urllib.parse import urldefrag

from PIL import Image

from listing.backends.base import ChoiceQuestion, Filled, Form, ServerError
from listing.backends.chat_server import api_root
from listing.backends.openai import CONCURRENCY, OpenAIBackend
from listing.backends.stopping import Stopped, current_wish, stop_when

REST_SECONDS = 30.0  # for which a server that failed is not asked


class Rationed:
    """Implements ``Backend`` and ``FormBackend``. ServerError (``away``): it is not asked, or did not answer in time.

    Args:
        url: of the server. file: where the requests of the day are counted. daily: the most, 0: any number. seconds:
            longest answer. concurrency: drafts at the same time.

    Raises:
        BackendError: the server is there and cannot be used. One that is away is looked for when it is asked.
    """

    def __init__(self, url: str, file: Path, daily: int, seconds: float, concurrency: int = CONCURRENCY) -> None:
        self.url, self.file, self.daily, self.seconds, self.concurrency = url, file, daily, seconds, concurrency
        self.name = urldefrag(url)[1] or url  # of a server that was never there, what its address says
        self._rests_until, self._noted = 0.0, 0
        self._counting = threading.Lock()
        self._opened: OpenAIBackend | None = None
        self.there()

    @property
    def backend(self) -> OpenAIBackend:
        """The server's backend, opened at the first use."""
        if self._opened is None:
            self._opened = OpenAIBackend(self.url, concurrency=self.concurrency)
            self.name = self._opened.name
        return self._opened

    def there(self) -> bool:
        """True once the server has answered. BackendError: it is there and cannot be used."""
        try:
            return self.backend is not None
        except ServerError as error:
            if not error.away:
                raise
            return False

    def wake(self) -> None:
        """Ask at once again, also a server that has failed a moment ago."""
        self._rests_until = 0.0

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
        limit, pieces = time.monotonic() + self.seconds, None
        while True:
            with self._asked(limit):
                pieces = pieces or self.backend.write(images, prompt, max_tokens=max_tokens)
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def describe(self) -> dict[str, Any]:
        """See ``Backend.describe``."""
        return self._opened.describe() if self._opened else {"device": api_root(urldefrag(self.url)[0])}

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
            sent = self._opened.sent if self._opened else 0
            today, new = f"{datetime.now(UTC):%Y-%m-%d}", sent - self._noted
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
