"""The wish to stop: whoever runs a draft sets it once, and every call to a model's server that the draft makes ends.

It travels with the context (``contextvars``), so that no function between the two has to hand it on; a thread of one's
own takes it along with ``contextvars.copy_context``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

from listing.backends.base import BackendError

T = TypeVar("T")
Wish = Callable[[], bool]
POLL_SECONDS = 0.1
STOPPED = "The draft was stopped before the model had answered."


class Stopped(BackendError):
    """The work was stopped before the model had answered."""


def never() -> bool:
    """The wish of work that goes on to its end."""
    return False


_wish: ContextVar[Wish] = ContextVar("stop_wish", default=never)


def stop_when(wish: Wish) -> None:
    """Calls to a model's server that are made in this context end as soon as ``wish`` is true. It must not block."""
    _wish.set(wish)


def current_wish() -> Wish:
    """The wish of this context; it never comes true where none was set."""
    return _wish.get()


def wait(seconds: float, wish: Wish) -> None:
    """Return after so many seconds; raises Stopped when the wish came true first."""
    until = time.monotonic() + seconds
    while not wish():
        if (left := until - time.monotonic()) <= 0:
            return
        time.sleep(min(POLL_SECONDS, left))
    raise Stopped(STOPPED)


async def unless(wish: Wish, work: Awaitable[T]) -> T:
    """The result of ``work``; Stopped when the wish came true first: then it is cancelled, and has ended."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            if wish():  # asked before the first wait as well: a server that drips keeps no single read waiting
                raise Stopped(STOPPED)
            await asyncio.wait({task}, timeout=POLL_SECONDS)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
