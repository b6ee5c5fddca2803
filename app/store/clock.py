"""The time by which the store is written; a simulated market writes its past days with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_moment: ContextVar[datetime | None] = ContextVar("moment", default=None)


def now() -> datetime:
    """The time now, in UTC."""
    return _moment.get() or datetime.now(UTC)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """In the block, and in threads that take over its context, it is ``moment`` (aware)."""
    before = _moment.set(moment)
    try:
        yield
    finally:
        _moment.reset(before)
