"""The demo's visitors: people of the simulated world, with its true probabilities of clicks, carts, orders and refunds.

What a visitor does hangs on their taste, on the thing (kind, colour, price, condition), on how long it has been on
sale and on its place on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from app.demo.things import GRADES, KINDS, Thing
from app.feed.items import milliseconds
from recommend.simulation.chance import stream
from recommend.simulation.config import DAY_MS, WorldConfig
from recommend.simulation.live import Live, Offers

NAMES = (
    *("mia", "noah", "emma", "ben", "lina", "paul", "anna", "finn", "clara", "jonas", "ida", "luca", "frida", "theo"),
    *("marta", "oskar", "nora", "emil", "greta", "hugo", "lea", "max", "sara", "tom", "eva", "jan", "kira", "leo"),
    *("maya", "nils", "olga", "pia", "rosa", "sven", "tara", "uwe", "vera", "willi", "yara", "zoe"),
)
SELLERS = 24
LAST_DAY = 60  # of the calendar; later days are like it
CLICK_RATE, ORDER_RATE = 0.06, 0.03  # of things drawn by lot, at the top of a page; of clicks on such things
REFUND_RATE = 0.05  # of orders
FIRST_SEEN, SEEN = 6, 9.0  # of a page at least so many cards are seen, and on average so many more


class Crowd:
    """Visitors by number, and what they do on a page.

    Args:
        things: all that will ever be for sale, by number.
        begin: midnight of the calendar's first day.
    """

    def __init__(self, things: Sequence[Thing], visitors: int, begin: datetime, seed: int) -> None:
        colours = sorted({t.colour for t in things})
        offers = Offers(
            category=np.array([KINDS.index(t.kind) for t in things]),
            brand=np.array([colours.index(t.colour) for t in things]),
            condition=np.array([GRADES.index(t.grade) for t in things]),
            seller=np.array([self.seller(t.number) for t in things]),
            price_z=np.array([np.log(t.price / t.kind.price) / WorldConfig().price_log_sd for t in things], np.float32),
        )
        self.live = Live(offers, visitors, LAST_DAY, seed, CLICK_RATE, ORDER_RATE, REFUND_RATE)
        self.visitors, self._begin_ms = visitors, milliseconds(begin)
        self._listed_ms = np.zeros(len(things), np.int64)
        activity = self.live.truth.users.activity[:visitors].astype(np.float64)
        self.activity = activity / activity.sum()

    @staticmethod
    def name(visitor: int) -> str:
        """Under which the feed knows a visitor."""
        return f"{NAMES[visitor % len(NAMES)]}-{visitor}"

    @staticmethod
    def seller(number: int) -> int:
        """Whose a thing is: 0 to ``SELLERS`` - 1."""
        return int(stream(number, "seller").integers(SELLERS))

    def listed(self, thing: int, moment: datetime) -> None:
        """A thing is on sale from that moment on."""
        self._listed_ms[thing] = self._ms(moment)

    def seen(self, rng: np.random.Generator, places: int) -> int:
        """How many cards of a page come into view."""
        return min(places, FIRST_SEEN + int(rng.geometric(1 / SEEN)))

    def clicks(self, visitor: int, things: np.ndarray, ads: np.ndarray, moment: datetime) -> np.ndarray:
        """(n,) probabilities of clicks on the things of a page, in its order."""
        days = (self._ms(moment) - self._listed_ms[things]) / DAY_MS
        return self.live.clicks(np.full(len(things), visitor), things, ads, np.arange(len(things)), days,
                                self.day(moment))  # fmt: skip

    def orders(self, visitor: int, things: np.ndarray, moment: datetime) -> tuple[np.ndarray, np.ndarray]:
        """(n,) probabilities that a click leads to an order, and to the cart."""
        return self.live.orders(np.full(len(things), visitor), things, self.day(moment))

    def refund(self, visitor: int, thing: int) -> float:
        """Probability that an order is given back."""
        return float(self.live.truth.refund(np.array([visitor]), np.array([thing]))[0])

    def day(self, moment: datetime) -> int:
        """Day of the calendar."""
        return int(np.clip(self._ms(moment) // DAY_MS, 0, LAST_DAY - 1))

    def _ms(self, moment: datetime) -> int:
        return milliseconds(moment) - self._begin_ms
