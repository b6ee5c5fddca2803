"""Visitors who keep coming while the demo is served, and sellers who put something new in the place of what is sold."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.demo.market import Market
from app.demo.photos.render import photos_of
from app.views import AppError

log = logging.getLogger(__name__)
EVERY_S = 20.0  # between two pages of one visitor, on average
HAND_OVER_S = 60.0


@contextmanager
def living(market: Market, visitors: int, on_sale: int) -> Iterator[None]:
    """In the block ``visitors`` keep coming; as much as was sold beyond ``on_sale`` things comes anew."""
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
    rng, waited = market.rng, 0.0
    while True:
        pause = float(rng.exponential(EVERY_S / visitors))
        if stop.wait(pause):
            return
        waited += pause
        try:
            market.visit(int(rng.integers(min(visitors, market.crowd.visitors))))
            _sell_more(market, on_sale)
            if waited > HAND_OVER_S:
                waited = 0.0
                market.hand_over()
        except AppError as error:  # the server is busy; somebody else comes
            log.info("a visitor of the demo went away: %s", error)


def _sell_more(market: Market, on_sale: int) -> None:
    """One thing more, if something is missing and there is one left."""
    number = max(market.listed.values(), default=-1) + 1
    if len(market.services.feed.feed.catalog) < on_sale and number < len(market.things):
        market.sell(market.things[number], photos_of(market.things[number]))
