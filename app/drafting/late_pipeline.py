"""A pipeline that is loaded while the page is open already: what writes drafts takes the longest to load."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator

from listing.backends.base import BackendError
from listing.backends.stopping import Stopped, current_wish
from listing.errors import IplError
from listing.request import DraftPipeline, DraftRequest, Event, Photo

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.1


class LatePipeline:
    """Implements ``DraftPipeline``; the first drafts wait until ``build`` is done, in a thread of its own.

    Where it fails, the server is told to stop: it could write no draft. ``failure`` then says why.

    Args:
        concurrency: of what ``build`` makes.
        afterwards: loads what nobody has to wait for, once drafts can be written.
    """

    def __init__(
        self, build: Callable[[], DraftPipeline], concurrency: int, afterwards: Callable[[], object] = lambda: None
    ) -> None:
        self.concurrency = concurrency
        self.failure: Exception | None = None
        self._build, self._afterwards, self._loaded = build, afterwards, threading.Event()
        self._pipeline: DraftPipeline | None = None
        self._thread = threading.Thread(target=self._load, name="loading")
        self._starting = threading.Lock()

    def start(self) -> None:
        """Begin to load; does nothing the second time."""
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()

    def use(self, pipeline: DraftPipeline) -> None:
        """Write the next drafts with another one; those under way end as they began."""
        self._pipeline = pipeline

    def _load(self) -> None:
        try:
            self._pipeline = self._build()
            log.info("drafts can be written")
        except Exception as error:
            self.failure = error
            os.kill(os.getpid(), signal.SIGTERM)
            return
        finally:
            self._loaded.set()
        try:
            self._afterwards()
        except IplError as error:
            log.warning("%s", error)  # whoever needs it is told as well

    def run(self, request: DraftRequest) -> Iterator[Event]:
        """The loaded pipeline's events. Stopped: nobody waits for them any more. BackendError: it cannot be loaded."""
        self.start()
        while not self._loaded.wait(LOOK_SECONDS):
            if current_wish()():
                raise Stopped("The draft was stopped before the model was loaded.")
        if self._pipeline is None:
            raise BackendError("The model cannot be loaded, and the server stops; its last line says why.")
        yield from self._pipeline.run(request)

    def glance(self, photo: Photo) -> tuple[str, str]:
        """The loaded pipeline's word; before it is there nobody waits for it."""
        return self._pipeline.glance(photo) if self._pipeline is not None else ("", "")

    def close(self) -> None:
        """Wait for what is being loaded: a process that ends within it would crash."""
        if self._thread.ident is not None:
            self._thread.join()
