"""The demo's visitors: the simulated crowd before its offers, and what they and its sellers are called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from app.demo.items import GRADES, USUAL_PRICES, Offer
from app.feed.items import milliseconds
from recommend.simulation.chance import stream
from recommend.simulation.config import WorldConfig
from recommend.simulation.crowd import Crowd
from recommend.simulation.live import Offers

NAMES = (
    *("mia", "noah", "emma", "ben", "lina", "paul", "anna", "finn", "clara", "jonas", "ida", "luca", "frida", "theo"),
    *("marta", "oskar", "nora", "emil", "greta", "hugo", "lea", "max", "sara", "tom", "eva", "jan", "kira", "leo"),
    *("maya", "nils", "olga", "pia", "rosa", "sven", "tara", "uwe", "vera", "willi", "yara", "zoe"),
)
SELLERS = 24


def make_crowd(offers: Sequence[Offer], visitors: int, begin: datetime, seed: int) -> Crowd:
    """The visitors.

    Args:
        offers: all that will ever be for sale, by number.
        begin: midnight of the calendar's first day.
    """
    categories = sorted(USUAL_PRICES)
    colours = sorted({o.facts["colour"] for o in offers})
    relative = [np.log(o.price / USUAL_PRICES[o.item.category]) for o in offers]
    goods = Offers(
        category=np.array([categories.index(o.item.category) for o in offers]),
        brand=np.array([colours.index(o.facts["colour"]) for o in offers]),
        condition=np.array([GRADES.index(o.grade) for o in offers]),
        seller=np.array([seller_of(o.number) for o in offers]),
        price_z=np.array(relative, np.float32) / np.float32(WorldConfig().price_log_sd),
    )
    return Crowd(goods, visitors, milliseconds(begin), seed)


def name_of(visitor: int) -> str:
    """Name of a visitor in the feed."""
    return f"{NAMES[visitor % len(NAMES)]}-{visitor}"


def seller_of(number: int) -> int:
    """Seller of an offer: 0 to ``SELLERS`` - 1."""
    return int(stream(number, "seller").integers(SELLERS))
