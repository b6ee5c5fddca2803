"""The true probabilities: of a click, a cart, an order, a refund. Nothing else in the world decides an outcome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.data.world.calendar import Calendar
from recommend.data.world.chance import Floats, Ints, logit, sigmoid
from recommend.data.world.config import DAY_MS, WorldConfig
from recommend.data.world.items import Items, Posts
from recommend.data.world.users import ADS, BASE, POSTS, Users

# Fixed offsets that bring the measured rates to the knobs' values in the default world (selection raises appeal).
CLICK_OFFSET, POST_OFFSET, ORDER_OFFSET, CART_OFFSET, REFUND_OFFSET = -2.02, -1.87, -2.02, -1.34, 0.0
WORN = 1.73  # mean condition, so that the effect of condition is centred
# Effects of the rest of the page: own price against the page's, rivals' appeal, own category's share, the page's mood.
PAGE_WEIGHTS = np.array([-0.35, -0.5, -0.3, 0.6], dtype=np.float32)
PAGE_VARIANCE = 0.45  # of the sum, mood included, given what is known before the page is shown


@dataclass(frozen=True, slots=True)
class ClickModel:
    """All that the true probabilities depend on, with the functions over flat rows (n,)."""

    config: WorldConfig
    users: Users
    items: Items
    posts: Posts
    calendar: Calendar

    def discount(self, item: Ints, day: int) -> Floats:
        """Share taken off the asked price on that day, 0..0.78."""
        kind = self.calendar.kind[day]
        on = (kind >= 0) & (self.items.category[item] % 2 == kind)
        joins = self.items.joins_promotion[item] < self.config.promotion_join
        return np.where(on & joins, self.items.depth[item], np.float32(0))

    def price_z(self, item: Ints, day: int) -> Floats:
        """Log of the shown price against the category, in the category's standard deviations."""
        cut = np.log1p(-self.discount(item, day)) / self.config.price_log_sd
        return (self.items.price_z[item] + cut).astype(np.float32)

    def match(self, user: Ints, vector: Floats, row: int) -> Floats:
        """Taste of users (n,) for vectors (n, k), about unit variance."""
        return np.einsum("nk,nk->n", self.users.taste[row][user], vector) / np.float32(np.sqrt(vector.shape[1]))

    def item_click(self, user: Ints, item: Ints, ad: np.ndarray, position: Ints, day: int, now: Ints) -> Floats:
        """Log-odds of a click on an item before the page's effect."""
        config, items, users = self.config, self.items, self.users
        taste = np.where(ad, self.match(user, items.vector[item], ADS), self.match(user, items.vector[item], BASE))
        age_days = np.maximum(now - items.listed_ms[item], 0) / DAY_MS
        return (
            logit(config.click_rate)
            + CLICK_OFFSET
            + config.taste_strength * taste
            + items.quality[item]
            - 0.5 * users.thrift[user] * self.price_z(item, day)
            - users.picky[user] * (items.condition[item] - WORN)
            - 0.1 * np.log1p(age_days) * items.single[item]
            - 0.06 * position
            + config.ad_effect * ad
            + self.calendar.click_shift[day, items.category[item]]
        ).astype(np.float32)

    def post_click(self, user: Ints, post: Ints, position: Ints, day: int) -> Floats:
        """Log-odds of a click on a post before the page's effect; topic and length are fields of posts alone."""
        posts, users = self.posts, self.users
        return (
            logit(self.config.click_rate)
            + POST_OFFSET
            + self.config.taste_strength * self.match(user, posts.vector[post], POSTS)
            + posts.quality[post]
            + 0.5 * users.topic_taste[user, posts.topic[post]]
            + users.length_taste[user] * posts.length_z[post]
            - 0.06 * position
            + self.calendar.click_shift[day, posts.category[post]]
        ).astype(np.float32)

    def page(self, privileged: Floats, mood: Floats) -> Floats:
        """What the page does to each row: privileged (n, 4) as logged, but the true mood in the last place."""
        seen = np.column_stack([privileged[:, :3], mood])
        return self.config.page_effect * (seen @ PAGE_WEIGHTS)

    def without_page(self, log_odds: Floats) -> Floats:
        """Click probability of one who does not know the page, whose effect (about normal) is integrated out."""
        variance = self.config.page_effect**2 * PAGE_VARIANCE
        return sigmoid(log_odds / np.sqrt(1 + np.pi * variance / 8))

    def order(self, user: Ints, item: Ints, day: int) -> Floats:
        """Probability that a click leads to the wish to buy (the thing may be gone by then)."""
        items, users = self.items, self.users
        return sigmoid(
            logit(self.config.order_rate)
            + ORDER_OFFSET
            + 0.6 * self.match(user, items.vector[item], BASE)
            + users.buyer[user]
            - 0.5 * users.thrift[user] * self.price_z(item, day)
            - 0.15 * (items.condition[item] - WORN)
            + 0.3 * users.trust[items.seller[item]]
            + self.calendar.order_shift[day, items.category[item]]
        )

    def cart(self, user: Ints, item: Ints, day: int) -> Floats:
        """Probability that a click leads to the cart."""
        return sigmoid(
            logit(self.config.cart_rate)
            + CART_OFFSET
            + 0.5 * self.match(user, self.items.vector[item], BASE)
            + 0.6 * self.users.buyer[user]
            - 0.3 * self.users.thrift[user] * self.price_z(item, day)
            + 0.5 * self.calendar.order_shift[day, self.items.category[item]]
        )

    def refund(self, item: Ints, day: int) -> Floats:
        """Probability that an order made after a click on that day is refunded."""
        return sigmoid(
            logit(self.config.refund_rate)
            + REFUND_OFFSET
            - 0.6 * self.users.trust[self.items.seller[item]]
            + 0.25 * (self.items.condition[item] - WORN)
            + 0.8 * self.discount(item, day)
        )
