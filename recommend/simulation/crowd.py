"""Visitors of a feed: people of the simulated world, with its true probabilities of clicks, carts, orders and refunds.

What a visitor does hangs on their taste, on the offer (category, brand, price, condition), on how long it has been on
sale and on its place on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommend.simulation.chance import Floats, Ints, Mask
from recommend.simulation.config import DAY_MS
from recommend.simulation.live import Live, Offers
from recommend.simulation.truth import HOURS

MIN_CARDS, MORE_CARDS = 6, 9.0  # of a page at least so many cards come into view, and on average so many more


@dataclass(frozen=True)
class Rates:
    """Of offers drawn by lot, at the top of a page: clicks; of clicks on such offers: orders; of orders: refunds."""

    click: float = 0.06
    order: float = 0.03
    refund: float = 0.05


class Crowd:
    """Visitors by number, and what they do on a page; moments in milliseconds.

    Args:
        offers: all that will ever be for sale, by number.
        begin_ms: midnight of the calendar's first day.
        days: of the calendar; later ones are like its last.
        knobs: of the world.
    """

    def __init__(
        self,
        offers: Offers,
        visitors: int,
        begin_ms: int,
        seed: int,
        rates: Rates | None = None,
        days: int = 60,
        knobs: Mapping[str, float] | None = None,
    ) -> None:
        rates = rates or Rates()
        self.live = Live(offers, visitors, days, seed, rates.click, rates.order, rates.refund, knobs)
        self.visitors, self.days, self._begin_ms = visitors, days, begin_ms
        self._listed_ms = np.zeros(len(offers.category), np.int64)
        activity = self.live.truth.users.activity[:visitors].astype(np.float64)
        self.activity = activity / activity.sum()

    def visits(self, rng: np.random.Generator, pages: float, hour: int = 0, first: int = 0) -> list[tuple[float, int]]:
        """(hours from ``hour`` on, visitor) of a day, none before ``first`` hours have passed, in order.

        Args:
            pages: a visitor and day.
        """
        count = rng.poisson(pages * self.visitors)
        chance = HOURS[(hour + np.arange(24)) % 24] * (np.arange(24) >= first)
        after = rng.choice(24, count, p=chance / chance.sum()) + rng.random(count)
        who = rng.choice(self.visitors, count, p=self.activity)
        return sorted(zip(after.tolist(), who.tolist(), strict=True))

    def listed(self, number: Ints | int, time_ms: Ints | int) -> None:
        """Note that offers are on sale from a moment on."""
        self._listed_ms[number] = np.asarray(time_ms) - self._begin_ms

    def cards_in_view(self, rng: np.random.Generator, places: int) -> int:
        """Number of a page's cards that come into view."""
        return min(places, MIN_CARDS + int(rng.geometric(1 / MORE_CARDS)))

    def clicks(self, visitor: int, offers: Ints, ads: Mask, position: Ints, time_ms: int) -> Floats:
        """(n,) probabilities of clicks on offers at places of a page."""
        days = (time_ms - self._begin_ms - self._listed_ms[offers]) / DAY_MS
        return self.live.clicks(np.full(len(offers), visitor), offers, ads, position, days, self.day(time_ms))

    def post_clicks(self, visitor: int, posts: Ints, position: Ints) -> Floats:
        """(n,) probabilities of clicks on posts."""
        return self.live.post_clicks(np.full(len(posts), visitor), posts, position)

    def orders(self, visitor: int, offers: Ints, time_ms: int) -> tuple[Floats, Floats]:
        """(n,) probabilities that a click leads to an order, and to the cart."""
        return self.live.orders(np.full(len(offers), visitor), offers, self.day(time_ms))

    def refund(self, visitor: int, number: int) -> float:
        """Probability that an order is sent back."""
        return float(self.live.truth.refund(np.array([visitor]), np.array([number]))[0])

    def day(self, time_ms: int) -> int:
        """Day of the calendar."""
        return int(min(max((time_ms - self._begin_ms) // DAY_MS, 0), self.days - 1))
