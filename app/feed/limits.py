"""What one server allows at once: pages that are made or wait, and requests of one visitor in a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.views import Busy

MAX_BUCKETS = 10_000  # visitors; beyond them those who have not come for ``FORGET_S`` are forgotten
FORGET_S = 60.0


class Line:
    """Pages that are made or wait; a full line is refused instead of growing."""

    def __init__(self, places: int) -> None:
        self._places, self._taken = places, 0
        self._lock = threading.Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the line.

        Raises:
            Busy: there is none.
        """
        with self._lock:
            if self._taken >= self._places:
                raise Busy("The feed is busy; ask again in a moment.", 1)
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1


class Rates:
    """Requests of each visitor in a second, by a bucket that fills steadily."""

    def __init__(self, per_second: float, burst: float = 2.0) -> None:
        self._rate, self._most = per_second, per_second * burst
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def check(self, visitor: str) -> None:
        """Raises Busy when the visitor asks too often."""
        at = time.monotonic()
        with self._lock:
            left, last = self._left.get(visitor, (self._most, at))
            left = min(self._most, left + (at - last) * self._rate)
            if left < 1:
                raise Busy("You ask too often; wait a moment.", 1)
            self._left[visitor] = (left - 1, at)
            if len(self._left) > MAX_BUCKETS:
                self._left = {v: kept for v, kept in self._left.items() if at - kept[1] < FORGET_S}
