"""Memory and threads of bounded size."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.views import Busy

K = TypeVar("K")
V = TypeVar("V")


class Bounded(OrderedDict[K, V]):
    """A dictionary of at most ``size`` keys: what was put in longest ago goes first."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def put(self, key: K, value: V) -> None:
        """Set a key, which is the newest from now on."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > self._size:
            self.popitem(last=False)


class BoundedExecutor:
    """Threads of their own, and at most ``places`` calls that run in them or wait for them."""

    def __init__(self, name: str, threads: int, places: int, busy: tuple[str, int]) -> None:
        self._threads, self._busy = ThreadPoolExecutor(threads, name), busy
        self._places = threading.BoundedSemaphore(places)

    def start(self, work: Callable[[], V]) -> asyncio.Future[V]:
        """The result to come. Raises Busy, with message and seconds of ``busy``, where no place is free."""
        if not self._places.acquire(blocking=False):
            raise Busy(*self._busy)
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return asyncio.wrap_future(future)
