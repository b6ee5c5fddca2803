"""The demo's visitors: people of the simulated world, with its true probabilities of clicks, carts, orders and refunds.

What a visitor does hangs on their taste, on the offer (category, colour, price, condition), on how long it has been on
sale and on its place on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from app.demo.items import GRADES, USUAL_PRICES, Offer
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
CLICK_RATE, ORDER_RATE = 0.06, 0.03  # of offers drawn by lot, at the top of a page; of clicks on such offers
REFUND_RATE = 0.05  # of orders
MIN_CARDS, MORE_CARDS = 6, 9.0  # of a page at least so many cards come into view, and on average so many more


class Crowd:
    """Visitors by number, and what they do on a page.

    Args:
        offers: all that will ever be for sale, by number.
        begin: midnight of the calendar's first day.
    """

    def __init__(self, offers: Sequence[Offer], visitors: int, begin: datetime, seed: int) -> None:
        categories = sorted(USUAL_PRICES)
        colours = sorted({o.facts["colour"] for o in offers})
        relative = [np.log(o.price / USUAL_PRICES[o.item.category]) for o in offers]
        goods = Offers(
            category=np.array([categories.index(o.item.category) for o in offers]),
            brand=np.array([colours.index(o.facts["colour"]) for o in offers]),
            condition=np.array([GRADES.index(o.grade) for o in offers]),
            seller=np.array([self.seller(o.number) for o in offers]),
            price_z=np.array(relative, np.float32) / np.float32(WorldConfig().price_log_sd),
        )
        self.live = Live(goods, visitors, LAST_DAY, seed, CLICK_RATE, ORDER_RATE, REFUND_RATE)
        self.visitors, self._begin_ms = visitors, milliseconds(begin)
        self._listed_ms = np.zeros(len(offers), np.int64)
        activity = self.live.truth.users.activity[:visitors].astype(np.float64)
        self.activity = activity / activity.sum()

    @staticmethod
    def name(visitor: int) -> str:
        """Name of a visitor in the feed."""
        return f"{NAMES[visitor % len(NAMES)]}-{visitor}"

    @staticmethod
    def seller(number: int) -> int:
        """Seller of an offer: 0 to ``SELLERS`` - 1."""
        return int(stream(number, "seller").integers(SELLERS))

    def listed(self, number: int, moment: datetime) -> None:
        """Note that an offer is on sale from that moment on."""
        self._listed_ms[number] = self._ms(moment)

    def cards_in_view(self, rng: np.random.Generator, places: int) -> int:
        """Number of a page's cards that come into view."""
        return min(places, MIN_CARDS + int(rng.geometric(1 / MORE_CARDS)))

    def clicks(self, visitor: int, offers: np.ndarray, ads: np.ndarray, moment: datetime) -> np.ndarray:
        """(n,) probabilities of clicks on the offers of a page, in its order."""
        days = (self._ms(moment) - self._listed_ms[offers]) / DAY_MS
        return self.live.clicks(np.full(len(offers), visitor), offers, ads, np.arange(len(offers)), days,
                                self.day(moment))  # fmt: skip

    def orders(self, visitor: int, offers: np.ndarray, moment: datetime) -> tuple[np.ndarray, np.ndarray]:
        """(n,) probabilities that a click leads to an order, and to the cart."""
        return self.live.orders(np.full(len(offers), visitor), offers, self.day(moment))

    def refund(self, visitor: int, number: int) -> float:
        """Probability that an order is sent back."""
        return float(self.live.truth.refund(np.array([visitor]), np.array([number]))[0])

    def day(self, moment: datetime) -> int:
        """Day of the calendar."""
        return int(np.clip(self._ms(moment) // DAY_MS, 0, LAST_DAY - 1))

    def _ms(self, moment: datetime) -> int:
        return milliseconds(moment) - self._begin_ms
