"""An event loop in a thread of its own: the requests of a client that is used from many threads.

A blocking read of a socket cannot be interrupted from another thread; a task can be cancelled at any moment, and its
connection is closed with it.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable
from typing import TypeVar

import httpx

from listing.backends.stopping import Wish, current_wish, unless

T = TypeVar("T")
_CLOSE_SECONDS = 5.0


class ClientLoop:
    """Runs the requests of one client. Safe to use from several threads; the thread ends with this object."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_serve, args=(self._loop,), name="chat-server", daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, _shut, self._loop, client)

    def run(self, work: Awaitable[T], wish: Wish | None = None) -> T:
        """The result of ``work``. Raises Stopped when the wish (by default the context's) comes true before."""
        future = asyncio.run_coroutine_threadsafe(unless(wish or current_wish(), work), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # where this thread was interrupted, the request ends as well
            raise

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._end()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _shut(loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient) -> None:
    async def end() -> None:
        try:
            await client.aclose()
        finally:
            loop.stop()

    asyncio.run_coroutine_threadsafe(end(), loop)
