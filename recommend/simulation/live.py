"""People of the world before things of another market: what they do on a page that is really shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from recommend.simulation.chance import Floats, Ints, Mask, normal, sigmoid, stream
from recommend.simulation.config import make_config
from recommend.simulation.people import ADS, BASE, POSTS, unit_vectors
from recommend.simulation.truth import FLOOR, Truth, make_truth, offset_for

DRAWN = 20_000  # pairs of person and thing by which rates are set
STALE = -0.1  # log-odds of a click by the logarithm of the days on sale; the world's own listings do not age


@dataclass(frozen=True, slots=True)
class Offers:
    """Arrays (n,) of what is for sale, numbered from 0; ``price_z``: log price against its category's, in deviations of
    the world's."""

    category: Ints
    brand: Ints
    condition: Ints  # 0 new .. 4 worn
    seller: Ints
    price_z: Floats


class Live:
    """The world's truth about these things. What nobody says of a thing, such as its quality, is drawn.

    Args:
        people: as many at least.
        days: of the calendar, whose categories drift.
        click_rate, order_rate: mean probability of a click at the top of a page and of an order after it, where person
            and thing are drawn by lot.
        refund_rate: of orders.
        knobs: of the world, such as those of its promotions; without them there are none.
    """

    def __init__(
        self,
        offers: Offers,
        people: int,
        days: int,
        seed: int,
        click_rate: float,
        order_rate: float,
        refund_rate: float,
        knobs: Mapping[str, float] | None = None,
    ) -> None:
        n, drawn = len(offers.category), stream(seed, "live")
        config = make_config(
            {"impressions": people, "user_rows": 1, "new_users": 0, "promotion_first": days + 10, "long_share": 0,
             "refund_rate": refund_rate, "categories": offers.category.max() + 1, "brands": offers.brand.max() + 1,
             **(knobs or {})}
        )  # fmt: skip
        truth = make_truth(config, seed, round(n * config.single_rows), days)
        items, centre = truth.items, unit_vectors(stream(seed, "categories"), config.categories, config.dims)
        side = np.float32(np.sqrt(1 - config.id_signal)) * centre[offers.category]
        stated = {name: getattr(offers, name) for name in ("category", "brand", "condition", "seller", "price_z")}
        trust = normal(drawn, int(offers.seller.max()) + 1)[offers.seller]
        vector = (items.vector - items.side)[:n] + side
        items = replace(items, **stated, side=side, vector=vector, trust=trust)
        self.truth: Truth = replace(truth, items=items)
        user, item = (drawn.integers(0, size, DRAWN) for size in (config.users(), n))
        none, day = np.zeros(DRAWN, dtype=bool), drawn.integers(0, days, DRAWN)
        match = self._match(user, item, none)
        click = self.truth.item_rest(user, item, none, day) + config.taste * (match - FLOOR)
        order, _ = self.truth.order(user, item, day, match)
        moved = offset_for(order, order_rate)
        offsets = {"order_offset": config.order_offset + moved, "cart_offset": config.cart_offset + moved}
        offsets["click_offset"] = config.click_offset + offset_for(click, click_rate)
        post = drawn.integers(0, len(truth.posts.category), DRAWN)
        offsets["post_offset"] = config.post_offset + offset_for(self._post_odds(user, post), click_rate)
        self.truth = replace(truth, items=items, config=make_config({**asdict(config), **offsets}))

    def _match(self, user: Ints, item: Ints, ads: Mask) -> Floats:
        base, in_ads = (self.truth.match(k, user, self.truth.items.vector[item]).max(1) for k in (BASE, ADS))
        return np.where(ads, in_ads, base)

    def clicks(self, user: Ints, item: Ints, ads: Mask, position: Ints, days_on_sale: Floats, day: int) -> Floats:
        """(n,) probabilities of clicks; the rest of the page and the ads' intent are as usual."""
        c = self.truth.config
        rest = self.truth.item_rest(user, item, ads, day) + c.position_effect * position
        fresh = STALE * np.log1p(np.maximum(days_on_sale, 0))
        return sigmoid(rest + fresh + c.taste * (self._match(user, item, ads) - FLOOR))

    def _post_odds(self, user: Ints, post: Ints) -> Floats:
        liked = self.truth.match(POSTS, user, self.truth.posts.vector[post]).max(1)
        return self.truth.post_rest(user, post) + self.truth.config.taste * (liked - FLOOR)

    def post_clicks(self, user: Ints, post: Ints, position: Ints) -> Floats:
        """(n,) probabilities of clicks on posts."""
        return sigmoid(self._post_odds(user, post) + self.truth.config.position_effect * position)

    def orders(self, user: Ints, item: Ints, day: int) -> tuple[Floats, Floats]:
        """(n,) probabilities that a click leads to an order, and to the cart."""
        c = self.truth.config
        odds, _ = self.truth.order(user, item, day, self._match(user, item, np.zeros(len(item), dtype=bool)))
        return sigmoid(odds), sigmoid(odds - c.order_offset + c.cart_offset)
