"""The true probabilities of a click, a cart, an order and a refund. Nothing else in the world decides an outcome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.simulation.chance import (
    Floats,
    Ints,
    Mask,
    Times,
    from_quantiles,
    normal,
    shared,
    sigmoid,
    stream,
    uniform,
)
from recommend.simulation.config import DAY_MS, HOUR_MS, WorldConfig
from recommend.simulation.items import Calendar, Items, Posts, make_calendar, make_items, make_posts
from recommend.simulation.people import ADS, BASE, CITIES, POSTS, Users, make_users, unit_vectors

FLOOR = np.float32(0.45)  # match below which nothing interests
PRIVILEGED = np.array([0.55, -0.3, 0.25], dtype=np.float32)  # effects of the page, see ``page_signals``
PAGE_VARIANCE = 0.46  # of their sum
_PROBIT = 0.346  # 16 sqrt(3) / (15 pi), squared: a logit averaged over a normal of variance v shrinks so (MacKay, 1992)


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything that probabilities depend on, and the functions over flat rows (n,)."""

    config: WorldConfig
    seed: int
    days: int
    users: Users
    items: Items
    posts: Posts
    calendar: Calendar
    cross: Floats  # (2, cities, brands): no product of vectors shorter than there are cities
    intent_sd: Floats  # (categories,) of what the ads' policy knows and no log holds, log-odds
    refund_category: Floats
    refund_offset: float

    def match(self, channel: int, user: Ints, vector: Floats) -> Floats:
        """(n, interests) products of the users' interests with vectors (n, dims), of which a click follows the largest:
        no single user vector can tell it. Below FLOOR nothing interests."""
        return np.maximum(np.einsum("nmd,nd->nm", self.users.taste[channel][user], vector), FLOOR)

    def shared_match(self, channel: int, user: Ints, match: Floats) -> Floats:
        """(n,) the match that interests in common with BASE tell."""
        return np.where(self.users.shared[channel][user], match, FLOOR).max(1)

    def item_rest(self, user: Ints, item: Ints, ads: Mask, day: int | Ints) -> Floats:
        """Log-odds of a click on an item but for taste, place and page."""
        c, u, i = self.config, self.users, self.items
        k = np.where(ads, ADS, BASE)
        out = c.click_offset + u.clicky[k, user] + u.thrift[k, user] * i.price_z[item]
        out += c.quality_effect * i.quality[k, item] + c.cross * self.cross[k, u.city[user], i.brand[item]]
        out += self.calendar.click_shift[day, i.category[item]]
        return (out + np.where(ads, np.asarray(c.ad_effect)[u.segment[user]], 0)).astype(np.float32)

    def post_rest(self, user: Ints, post: Ints) -> Floats:
        """Log-odds of a click on a post but for taste and place."""
        c, u, p = self.config, self.users, self.posts
        out = c.post_offset + u.clicky[POSTS, user] + c.quality_effect * p.quality[post]
        return (out + 0.4 * u.topic[user, p.topic[post]]).astype(np.float32)

    def order(self, user: Ints, item: Ints, day: int | Ints, match: Floats) -> tuple[Floats, Floats]:
        """Log-odds of an order after a click, and the same without promotions."""
        c, u, i, t = self.config, self.users, self.items, self.calendar
        category = i.category[item]
        base = c.order_offset + u.buyer[user] + t.order_shift[day, category] + c.order_price * i.price_z[item]
        base += 0.3 * i.quality[0, item] - 0.15 * (i.condition[item] - 1.7) + c.order_taste * (match - FLOOR)
        kind = t.kind[day]
        lift = t.uplift[np.maximum(kind, 0), category, u.segment[user], i.bucket[item]]
        return (base + np.where(kind >= 0, lift, 0)).astype(np.float32), base.astype(np.float32)

    def refund(self, user: Ints, item: Ints) -> Floats:
        """Probability of a refund after an order."""
        if not self.config.refund_rate:
            return np.zeros(len(user), dtype=np.float32)
        return sigmoid(self.refund_offset + _refund_part(self.users, self.items, self.refund_category, user, item))

    def order_delay(self, u: Floats) -> Times:
        """Milliseconds from the click, of uniform draws."""
        return (from_quantiles(self.config.order_delay_h, u) * HOUR_MS).astype(np.int64)

    def refund_delay(self, rng: np.random.Generator, item: Ints) -> Times:
        """Milliseconds from the order: log-normal, its median of the category."""
        scale = np.exp(0.5 * self.refund_category[self.items.category[item]] / max(self.config.refund_category_sd, 0.1))
        hours = self.config.refund_hours * scale * np.exp(1.3 * normal(rng, len(item)))
        return (np.clip(hours, 0.02, 24 * 60) * HOUR_MS).astype(np.int64)

    def alive(self, day: int, sold: Floats) -> Mask:
        """Things on sale on a day; ``sold`` is the day on which each was sold in this log."""
        return (self.items.listed <= day) & (self.items.leaves > day) & (sold > day)


def make_truth(config: WorldConfig, seed: int, rows: int, days: int) -> Truth:
    """Draw a world.

    Args:
        rows: impressions of items for which there shall be things.
        days: of the view.
    """
    vectors = unit_vectors(stream(seed, "categories"), config.categories, config.dims)
    users = make_users(config, vectors, seed, days)
    items = make_items(config, vectors, seed, rows, days)
    rng = stream(seed, "refunds")
    category = config.refund_category_sd * normal(rng, config.categories)
    size = max(config.brands, CITIES)
    cross = np.sqrt(size) * np.linalg.qr(normal(stream(seed, "cross"), 2, size, CITIES))[0]
    cross = np.swapaxes(cross, 1, 2).astype(np.float32)  # rows of each channel are orthogonal: all ranks weigh alike
    cross[ADS], _ = shared(stream(seed, "cross/shared"), cross[BASE], cross[ADS], config.channel_corr)
    offset = 0.0
    if config.refund_rate:
        u, i = rng.integers(0, config.users(), 20_000), rng.integers(0, len(items.long), 20_000)
        offset = offset_for(_refund_part(users, items, category, u, i), config.refund_rate)
    posts, calendar = make_posts(config, vectors, seed, days, config.users()), make_calendar(config, seed, days)
    intent_sd = 2 * config.intent_effect * uniform(stream(seed, "intent"), config.categories)
    return Truth(config, seed, days, users, items, posts, calendar, cross, intent_sd, category, offset)


def _refund_part(users: Users, items: Items, category: Floats, user: Ints, item: Ints) -> Floats:
    out = users.returner[user] + category[items.category[item]] + 0.3 * items.price_z[item] - 0.4 * items.trust[item]
    return out.astype(np.float32)


def offset_for(part: Floats, rate: float) -> float:
    """The number to add to log-odds so that their mean probability is the rate."""
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if sigmoid(part + middle).mean() < rate else (low, middle)
    return low


def page_signals(quality: Floats, rng: np.random.Generator) -> Floats:
    """(pages, rows, 3) what is known once a page was shown, about unit variance, centred, different within it, and by
    itself no sign of what the row shows.

    How long the row stood on the screen; appeal of the rows above and below it; the size at which it was drawn.

    Args:
        quality: (pages, rows) of the things.
    """
    pages, rows = quality.shape
    beside = np.zeros((pages, rows), dtype=np.float32)
    for a, b in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        beside[:, a] += quality[:, b]
    beside = (beside - beside.mean(0)) / max(float(beside.std()), 1e-6)
    noise = normal(rng, pages, rows, 2)
    return np.stack([noise[..., 0], beside, noise[..., 1]], 2).astype(np.float32)


def averaged(log_odds: Floats, variance: float | Floats) -> Floats:
    """Probability of log-odds to which a normal of that variance is added, which the reader does not know."""
    return sigmoid((log_odds / np.sqrt(1 + _PROBIT * variance)).astype(np.float32))


def draw_users(truth: Truth, day: int, n: int, rng: np.random.Generator) -> Ints:
    """(n,) users of a day's sessions, by activity, of those who have joined."""
    weight = np.cumsum(truth.users.activity * (truth.users.joined <= day), dtype=np.float64)
    return np.searchsorted(weight, rng.random(n) * weight[-1], side="right").astype(np.int32)


def moments(day: int, n: int, rng: np.random.Generator) -> Times:
    """(n,) milliseconds within a day, after the hours' curve."""
    hour = np.searchsorted(np.cumsum(HOURS) / HOURS.sum(), rng.random(n), side="right")
    return day * DAY_MS + ((np.minimum(hour, 23) + uniform(rng, n)) * HOUR_MS).astype(np.int64)


# Share of events by hour of the day, Taobao UserBehavior sample.
HOURS = np.array(
    [35, 16, 8, 4, 5, 7, 16, 26, 33, 40, 45, 46, 40, 51, 50, 55, 54, 46, 49, 65, 78, 88, 79, 61], dtype=np.float64
)
