"""Click histories as a request saw them: ragged, oldest first, nothing from the request's own moment or later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recommend.data.world.chance import Ints

LONGEST = 50  # clicks kept of each kind
_SPAN = np.int64(1) << 40  # more milliseconds than any world has: user * _SPAN + time orders by user, then time


@dataclass(frozen=True, slots=True)
class Clicks:
    """All clicks of one kind in order of (user, time)."""

    key: Ints
    first: Ints  # (users + 1,) where each user begins
    time: Ints
    goods: Ints


def clicks_of(user: Ints, time: Ints, goods: Ints, users: int) -> Clicks:
    """Order the clicks once; every request then finds its own by bisection."""
    key = user * _SPAN + time
    order = np.argsort(key, kind="stable")
    return Clicks(key[order], np.searchsorted(user[order], np.arange(users + 1)), time[order], goods[order])


def before(clicks: Clicks, user: Ints, time: Ints) -> tuple[Ints, Ints]:
    """Flat indices into ``clicks`` and the offsets (n + 1,) of the last ``LONGEST`` clicks before each ``time``."""
    stop = np.searchsorted(clicks.key, user * _SPAN + time, side="left")
    start = np.maximum(clicks.first[user], stop - LONGEST)
    offsets = np.concatenate([[0], np.cumsum(stop - start)])
    flat = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - start, stop - start)
    return flat, offsets


def ragged(values: np.ndarray, offsets: Ints, kind: pa.DataType) -> pa.Array:
    """An Arrow list column."""
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values).cast(kind))
