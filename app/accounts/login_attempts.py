"""Tries at passwords: how many each name, address and browser has, and the threads that hash them."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app.accounts.bounded import Bounded, BoundedExecutor
from app.views import AppError

T = TypeVar("T")
WINDOW_SECONDS = 300.0
PER_NAME, PER_ADDRESS = 10, 30
# More than can be hashed in a window: while that holds, no count that still matters is dropped.
MAX_COUNTS = 20_000
MAX_STRANGERS, MAX_RETURNING = 16, 8
RETRY_SECONDS = 2
_Key = tuple[str, ...]


class Counts:
    """Times of the tries of each key in the last five minutes; bounded: the key tried longest ago goes first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: Bounded[_Key, list[float]] = Bounded(MAX_COUNTS)

    def __len__(self) -> int:
        return len(self._times)

    def wait(self, key: _Key, limit: int) -> float:
        """Seconds until the key may be tried again; 0 is now."""
        recent = self._recent(key)
        return recent[-limit] + WINDOW_SECONDS - self._clock() if len(recent) >= limit else 0.0

    def take(self, key: _Key) -> float:
        """Count a try; returns its time, by which it can be given back."""
        now = self._clock()
        self._times.put(key, [*self._recent(key), now])
        return now

    def give_back(self, key: _Key, at: float) -> None:
        """Uncount a try."""
        times = self._times.get(key, [])
        if at in times:
            times.remove(at)
        if not times:
            self._times.pop(key, None)

    def _recent(self, key: _Key) -> list[float]:
        since = self._clock() - WINDOW_SECONDS
        return [at for at in self._times.get(key, ()) if at > since]


@dataclass(frozen=True)
class SignInAttempt:
    """A try to sign in: name, address, and the id of a browser with which the name signed in before."""

    name: str
    address: str
    device: str | None = None


class Tries:
    """Limits of wrong passwords. A try counts from its beginning and is given back when the password was right.

    Strangers share ten tries for a name, and an address has thirty. A browser or an address from which the name signed
    in before has ten of its own, so that strangers cannot lock the owner out; browsers also have a thread of their own,
    for which strangers do not queue. Not thread-safe: all of it runs in the event loop.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts = Counts(clock)
        self._signed_in: Bounded[_Key, None] = Bounded(MAX_COUNTS)
        busy = ("Many people are signing in right now; try again in a moment.", RETRY_SECONDS)
        self._strangers = BoundedExecutor("password", 1, MAX_STRANGERS, busy)
        self._returning = BoundedExecutor("password", 1, MAX_RETURNING, busy)

    async def check(self, attempt: SignInAttempt, right: Callable[[], T | None]) -> T | None:
        """The result of ``right``, run in a thread: None is a wrong password. Raises AppError (429): too many tries."""
        limits = self._limits(attempt)
        wait = max(self.counts.wait(key, limit) for key, limit in limits.items())
        if wait > 0:
            message = "Too many wrong passwords; wait five minutes and try again."
            raise AppError("too_many_tries", message, 429, math.ceil(wait))
        future = (self._returning if attempt.device else self._strangers).start(right)
        counted = {key: self.counts.take(key) for key in limits}
        result = await future
        if result is not None:
            for key, at in counted.items():
                self.counts.give_back(key, at)
            self._remember(attempt)
        return result

    def _limits(self, attempt: SignInAttempt) -> dict[_Key, int]:
        place = ("place", attempt.name, network(attempt.address))
        if attempt.device:
            return {("device", attempt.device, attempt.name): PER_NAME}
        if place in self._signed_in:
            return {place: PER_NAME}
        return {("name", attempt.name): PER_NAME, ("address", place[-1]): PER_ADDRESS}

    def _remember(self, attempt: SignInAttempt) -> None:
        self._signed_in.put(("place", attempt.name, network(attempt.address)), None)


def network(address: str) -> str:
    """The network that counts as one address: of IPv6 the /64, which is what one customer has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)
