"""Things that happen at the same moment, and things that come true a moment later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.views import AppError


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What calls gave that began at the same moment; an AppError counts as its code."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return call()
        except AppError as error:
            return error.code

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def becomes(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What a condition says as soon as it is true, or at the end of the time."""
    until = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < until:
        time.sleep(0.02)
    return answer
