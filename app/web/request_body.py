"""Bodies of requests: how large they may be, how long they may take, and how much of them may be under way at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from fastapi import Request
from starlette.types import Message, Receive

from app.views import AppError, Busy

SILENCE_SECONDS = 10.0  # longest wait for the next bytes, and the time that any body has
MIN_BYTES_PER_SECOND = 50_000
BODY = "ipl_body"  # in the scope: the body, which a route may release before it answers
CONNECTION = "ipl_connection"  # in the scope: the connection, which hears who asks


class Places:
    """Bound of what is under way: at most ``total`` of everybody and ``each`` of one caller."""

    def __init__(self, total: int | None, each: int) -> None:
        self.total, self.each = total, each
        self._held: Counter[str] = Counter()
        self._sum = 0

    def take(self, key: str, amount: int = 1) -> bool:
        """True where there was room; then ``give`` it back."""
        full = self.total is not None and self._sum + amount > self.total
        if full or self._held[key] + amount > self.each:
            return False
        self._held[key] += amount
        self._sum += amount
        return True

    def give(self, key: str, amount: int = 1) -> None:
        """Free what was taken."""
        self._sum -= amount
        self._held[key] -= amount
        if self._held[key] <= 0:
            del self._held[key]


class Turns:
    """Work of strangers: ``total`` at a time, and one of an address, so that each comes to its turn.

    More would take the interpreter's lock from those who are signed in, who then wait for seconds.
    """

    def __init__(self, total: int) -> None:
        self._all = asyncio.Semaphore(total)
        self._of: dict[str, tuple[asyncio.Semaphore, int]] = {}

    async def take(self, key: str) -> Callable[[], None]:
        """Wait for the turn; returns what ends it, of which further calls do nothing."""
        mine, waiting = self._of.get(key, (asyncio.Semaphore(1), 0))
        self._of[key] = (mine, waiting + 1)
        with ExitStack() as ending:
            ending.callback(self._leave, key)
            for turn in (mine, self._all):  # the address's first, so that each has one in the line of all
                await turn.acquire()
                ending.callback(turn.release)
            return ending.pop_all().close

    def _leave(self, key: str) -> None:
        mine, waiting = self._of.pop(key)
        if waiting > 1:
            self._of[key] = (mine, waiting - 1)


class BodyRefused(Exception):
    """The body will not be received to its end; ``error`` says why.

    A signal to the guard, which answers it; no ``IplError``, as the app inside would answer that a second time.
    """

    def __init__(self, error: AppError) -> None:
        super().__init__(str(error))
        self.error = error


class Body:
    """An ASGI ``receive`` that refuses what is too large, too slow, or more than there is room for.

    Args:
        length: bytes that the headers announce; 0 where they announce none.
        limit: most bytes. held: counts bytes under way by ``key``, until ``release``.
        released: called by ``release``; more than once does nothing more.
    """

    def __init__(
        self, receive: Receive, length: int, limit: int, held: Places, key: str, released: Callable[[], None]
    ) -> None:
        self._receive, self._limit, self._held, self._key, self._released = receive, limit, held, key, released
        self._size, self._charged, self._waited = 0, 0, 0.0
        self._ahead: Message | None = None
        self.complete = False
        self.refused: BodyRefused | None = None
        if length > limit:
            raise self._too_large()
        self._charge(length)

    async def __call__(self) -> Message:
        """The next message; after the body's end whatever the server says (that the caller is gone)."""
        if self._ahead is not None:
            message, self._ahead = self._ahead, None
            return message
        if self.complete:
            return await self._receive()
        try:
            return await self._next()
        except AppError as error:
            self.refused = BodyRefused(error)
            raise self.refused from error

    async def receive_all(self) -> None:
        """Receive all of it now, for bodies that are small."""
        parts = []
        while not self.complete:
            message = await self._next()
            parts.append(message.get("body", b""))
        self._ahead = {"type": "http.request", "body": b"".join(parts), "more_body": False}

    def release(self) -> None:
        """Nothing of it is in memory or on disk any more."""
        self._held.give(self._key, self._charged)
        self._charged = 0
        self._released()

    async def _next(self) -> Message:
        if self.refused is not None:
            raise self.refused.error
        left = SILENCE_SECONDS + self._size / MIN_BYTES_PER_SECOND - self._waited
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(left, SILENCE_SECONDS))):
                message = await self._receive()
        except TimeoutError:
            raise AppError("slow_body", "The request did not arrive in time; send it again.", 408) from None
        if message["type"] != "http.request":
            raise AppError("gone", "The connection was closed before the request had arrived.", 400)
        self._waited += time.monotonic() - began
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise self._too_large()
        self._charge(self._size)
        if not message.get("more_body", False):
            self.complete = True
        return message

    def _charge(self, size: int) -> None:
        more = size - self._charged
        if more > 0:
            if not self._held.take(self._key, more):
                raise Busy("Too many uploads are under way; send this again in a moment.", 5)
            self._charged = size

    def _too_large(self) -> AppError:
        size = f"{self._limit / 1e6:.0f} MB" if self._limit >= 1e6 else f"{self._limit / 1e3:.0f} kB"
        return AppError("too_large", f"The request is larger than {size}; send less.", 413)


def release_body(request: Request) -> None:
    """Let go of what the request sent, whose photos are decoded, though its answer takes longer."""
    request.scope[BODY].release()
