"""The demo's visitors: those of the simulated world, with its true probabilities of clicks, carts, orders and refunds.

What a visitor does hangs on their taste, on the thing (kind, colour, price, condition), on how long it has been on
sale and on its place on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from app.demo.things import GRADES, KINDS, Thing
from app.feed.items import milliseconds
from recommend.data.world.calendar import make_calendar
from recommend.data.world.chance import normal, stream
from recommend.data.world.click_model import ClickModel
from recommend.data.world.config import DAY_MS, WorldConfig, make_config
from recommend.data.world.items import Items, category_vectors, make_items, make_posts
from recommend.data.world.users import Users, make_users

NAMES = (
    *("mia", "noah", "emma", "ben", "lina", "paul", "anna", "finn", "clara", "jonas", "ida", "luca", "frida", "theo"),
    *("marta", "oskar", "nora", "emil", "greta", "hugo", "lea", "max", "sara", "tom", "eva", "jan", "kira", "leo"),
    *("maya", "nils", "olga", "pia", "rosa", "sven", "tara", "uwe", "vera", "willi", "yara", "zoe"),
)
SELLERS = 24
LAST_DAY = 60  # of the calendar; later days are like it
FOREVER = np.iinfo(np.int64).max
# Of the best of many thousands, as the world's feed shows them; of things drawn by lot a quarter of it are clicked.
CLICK_RATE = 0.2
FIRST_SEEN, SEEN = 6, 9.0  # of a page at least so many cards are seen, and on average so many more


class Crowd:
    """Visitors by number, and what they do on a page.

    Args:
        things: all that will ever be for sale, by number.
        begin: midnight of the calendar's first day.
    """

    def __init__(self, things: Sequence[Thing], visitors: int, begin: datetime, seed: int) -> None:
        knobs = {"users": max(visitors, SELLERS), "categories": len(KINDS), "days": LAST_DAY, "promotion_days": 0,
                 "click_rate": CLICK_RATE, "order_rate": 0.05, "many_items": 1, "new_items_per_day": 1,
                 "posts_per_day": 1}  # fmt: skip
        config = make_config("small", knobs)
        self.visitors, self._begin_ms = visitors, milliseconds(begin)
        self.users = make_users(config, seed)
        items = _items(config, self.users, things, seed)
        posts = make_posts(config, self.users, make_items(config, self.users, seed), seed)  # nobody sees them
        self.truth = ClickModel(config, self.users, items, posts, make_calendar(config, seed))
        self.activity = self.users.activity[:visitors] / self.users.activity[:visitors].sum()

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
        self.truth.items.listed_ms[thing] = milliseconds(moment) - self._begin_ms

    def seen(self, rng: np.random.Generator, places: int) -> int:
        """How many cards of a page come into view."""
        return min(places, FIRST_SEEN + int(rng.geometric(1 / SEEN)))

    def clicks(self, visitor: int, things: np.ndarray, ads: np.ndarray, moment: datetime) -> np.ndarray:
        """(n,) probabilities of clicks on the things of a page, in its order."""
        user, position = np.full(len(things), visitor), np.arange(len(things))
        now = np.full(len(things), milliseconds(moment) - self._begin_ms)
        odds = self.truth.item_click(user, things, ads, position, self.day(moment), now)
        return self.truth.without_page(odds)

    def orders(self, visitor: int, things: np.ndarray, moment: datetime) -> np.ndarray:
        """(n,) probabilities that a click leads to an order."""
        return self.truth.order(np.full(len(things), visitor), things, self.day(moment))

    def carts(self, visitor: int, things: np.ndarray, moment: datetime) -> np.ndarray:
        """(n,) probabilities that a click leads to the cart."""
        return self.truth.cart(np.full(len(things), visitor), things, self.day(moment))

    def refund(self, thing: int, moment: datetime) -> float:
        """Probability that an order is given back."""
        return float(self.truth.refund(np.array([thing]), self.day(moment))[0])

    def day(self, moment: datetime) -> int:
        """Day of the calendar."""
        return int(np.clip((milliseconds(moment) - self._begin_ms) // DAY_MS, 0, LAST_DAY - 1))


def _items(config: WorldConfig, users: Users, things: Sequence[Thing], seed: int) -> Items:
    """Things as the world's items: what they look like (kind, colour) and who sells them explains their vector."""
    rng, n = stream(seed, "demo things"), len(things)
    kinds = np.array([KINDS.index(t.kind) for t in things])
    colours = sorted({t.colour for t in things})
    hues = normal(stream(seed, "hues"), len(colours), config.taste_dims)[[colours.index(t.colour) for t in things]]
    look = np.sqrt(0.7) * category_vectors(config, seed)[kinds] + np.sqrt(0.3) * hues
    vector = np.sqrt(0.75) * look + np.sqrt(0.25) * normal(rng, n, config.taste_dims)
    z = np.array([np.log(t.price / t.kind.price) for t in things]) / config.price_log_sd
    zeros = np.zeros(n, np.float32)
    return Items(
        seller=np.array([Crowd.seller(t.number) for t in things]),
        category=kinds,
        condition=np.array([GRADES.index(t.grade) for t in things]),
        price_z=z.astype(np.float32),
        price=np.array([t.price for t in things], np.float32),
        price_bucket=np.zeros(n, np.int64),
        stock=np.ones(n, np.int64),
        single=np.ones(n, bool),
        ad=np.zeros(n, bool),
        bid=zeros,
        listed_ms=np.zeros(n, np.int64),
        leaves_ms=np.full(n, FOREVER),
        joins_promotion=np.ones(n, np.float32),
        depth=zeros,
        quality=(0.4 * normal(rng, n)).astype(np.float32),
        vector=vector.astype(np.float32),
        content=vector.astype(np.float32),
    )
