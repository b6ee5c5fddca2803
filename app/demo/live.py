"""Visitors who keep coming while the demo is served, and sellers who replace what is sold."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.demo.market import Market
from app.views import AppError

log = logging.getLogger(__name__)
EVERY_S = 20.0  # between two pages of one visitor, on average
HAND_OVER_S = 60.0


@contextmanager
def living(market: Market, visitors: int, on_sale: int) -> Iterator[None]:
    """In the block ``visitors`` keep coming; what they buy is replaced, up to ``on_sale`` offers."""
    stop = threading.Event()
    thread = threading.Thread(target=_live, args=(market, visitors, on_sale, stop), name="demo", daemon=True)
    if visitors:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if visitors:
            thread.join()


def _live(market: Market, visitors: int, on_sale: int, stop: threading.Event) -> None:
    rng, waited_s = market.rng, 0.0
    while True:
        pause = float(rng.exponential(EVERY_S / visitors))
        if stop.wait(pause):
            return
        waited_s += pause
        try:
            market.visit(int(rng.integers(min(visitors, market.crowd.visitors))))
            if len(market.on_sale()) < on_sale:
                market.sell_next()
            if waited_s > HAND_OVER_S:
                waited_s = 0.0
                market.hand_over()
        except AppError as error:  # the server is busy; somebody else comes
            log.info("a visitor of the demo went away: %s", error)
