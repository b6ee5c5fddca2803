"""Things on sale, posts, and the calendar of promotions and drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.simulation.chance import Floats, Ints, Mask, normal, shared, stream, uniform, zipf
from recommend.simulation.config import WorldConfig
from recommend.simulation.people import unit_vectors

CONDITIONS = (0.15, 0.3, 0.3, 0.17, 0.08)  # new .. worn
BUCKETS = 10
_DECILES = np.array([-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816])  # of a normal
LONG_DISPLAYED = 0.65  # of the long listings among the candidates; the rest are repetitions, which are shown once
FOREVER = np.float32(1e6)


@dataclass(frozen=True, slots=True)
class Items:
    """Arrays over things, long-lived listings first. ``long``, ``vector`` and ``quality`` are truth."""

    long: Mask
    single: Mask  # the stock flag of the log
    category: Ints
    brand: Ints
    seller: Ints
    condition: Ints
    price_z: Floats  # log price against its category, in standard deviations
    price: Floats
    bucket: Ints  # deciles of price within the category
    ad: Mask
    bid: Floats
    weight: Floats  # popularity of long listings
    listed: Floats  # day
    leaves: Floats  # day: withdrawn, or bought outside this log
    gone: Mask  # bought outside this log
    quality: Floats  # (2, things): in general, in ads
    vector: Floats  # (things, dims)
    side: Floats  # the part of it that the other fields tell
    trust: Floats  # of the seller: fewer refunds


@dataclass(frozen=True, slots=True)
class Posts:
    """Arrays over posts."""

    category: Ints
    topic: Ints
    author: Ints
    length: Ints
    created: Floats
    leaves: Floats
    quality: Floats
    vector: Floats


@dataclass(frozen=True, slots=True)
class Calendar:
    """Arrays over days."""

    promotion: Ints  # 0 none, else 1, 2, ... in order
    kind: Ints  # -1 without promotion
    days_to: Ints  # 0 on its days
    click_shift: Floats  # (days, categories) log-odds
    order_shift: Floats  # (days, categories) log-odds, without promotions
    uplift: Floats  # (kinds, categories, segments, buckets) log-odds of an order


def make_items(config: WorldConfig, vectors: Floats, seed: int, rows: int, days: int) -> Items:
    """Draw the things that ``rows`` impressions of items in ``days`` days need."""
    rng = stream(seed, "things")
    n_long = max(round(rows * config.long_share / config.long_rows), 20)
    n_short = max(round(rows * (1 - LONG_DISPLAYED * config.long_share) / config.single_rows), 20)
    n = n_long + n_short
    long = np.arange(n) < n_long
    listed = np.where(long, -30, uniform(rng, n) * (days + config.life_days) - config.life_days).astype(np.float32)
    alive = rng.exponential(config.life_days, n) + 0.25
    category = rng.choice(config.categories, n, p=zipf(config.categories, 0.5) / zipf(config.categories, 0.5).sum())
    price_z = normal(rng, n)
    price = np.exp(3 + normal(rng, config.categories)[category] + config.price_log_sd * price_z)
    id_vectors = unit_vectors(stream(seed, "ids"), n, config.dims)
    side = np.float32(np.sqrt(1 - config.id_signal)) * vectors[category]
    quality = normal(rng, n)
    in_ads, _ = shared(rng, quality, normal(rng, n), config.channel_corr)
    # The flag tells the class with probability (1 + stock_tells) / 2: the doses leave all but the flag as it is.
    # Long listings are few: theirs are spread evenly over popularity (golden ratio), so that chance tells nothing.
    flag = uniform(stream(seed, "flag"), n)
    sellers = max(n // 20, 50)
    seller = rng.integers(0, sellers, n)
    bids = config.bid_category_sd * normal(rng, config.categories)[category] + config.bid_log_sd * normal(rng, n)
    weight = np.ones(n)
    rank = rng.permutation(n_long)
    weight[:n_long], flag[:n_long] = zipf(n_long, config.zipf)[rank], (rank * 0.6180339887 + 0.25) % 1
    tells = flag < (1 + config.stock_tells) / 2
    return Items(
        long=long,
        single=np.where(tells, ~long, long),
        category=category.astype(np.int32),
        brand=rng.integers(0, config.brands, n).astype(np.int32),
        seller=seller.astype(np.int32),
        condition=rng.choice(len(CONDITIONS), n, p=CONDITIONS).astype(np.int32),
        price_z=price_z,
        price=price.round(2).astype(np.float32),
        bucket=np.searchsorted(_DECILES, price_z).astype(np.int32),
        ad=uniform(rng, n) < config.ad_share,
        bid=np.exp(bids).astype(np.float32),
        weight=weight.astype(np.float32),
        listed=listed,
        leaves=np.where(long, FOREVER, listed + alive).astype(np.float32),
        gone=~long & (uniform(rng, n) < config.sold_elsewhere),
        quality=np.stack([quality, in_ads]),
        vector=(side + np.float32(np.sqrt(config.id_signal)) * id_vectors).astype(np.float32),
        side=side.astype(np.float32),
        trust=normal(rng, sellers)[seller],
    )


def make_posts(config: WorldConfig, vectors: Floats, seed: int, days: int, users: int) -> Posts:
    """Draw the posts; what they are about lies in the categories' space, their topics are a schema of their own."""
    rng = stream(seed, "posts")
    n = max(round(config.impressions * config.video_pages / config.post_rows), 50)
    created = (uniform(rng, n) * (days + 10) - 10).astype(np.float32)
    p = zipf(config.categories, 0.5)
    category = rng.choice(config.categories, n, p=p / p.sum())
    id_vectors = unit_vectors(rng, n, config.dims)
    mix = (
        np.float32(np.sqrt(1 - config.id_signal)) * vectors[category]
        + np.float32(np.sqrt(config.id_signal)) * id_vectors
    )
    return Posts(
        category=category.astype(np.int32),
        topic=rng.integers(0, config.topics, n).astype(np.int32),
        author=rng.integers(0, users, n).astype(np.int32),
        length=rng.integers(5, 200, n).astype(np.int32),
        created=created,
        leaves=(created + rng.exponential(config.life_days, n) + 1).astype(np.float32),
        quality=normal(rng, n),
        vector=mix.astype(np.float32),
    )


def make_calendar(config: WorldConfig, seed: int, days: int) -> Calendar:
    """Promotions by rule, their kinds in turn; drift around each category's mean; uplift shared within a kind."""
    day = np.arange(days)
    since = day - config.promotion_first
    on = (since >= 0) & (since % config.promotion_every < config.promotion_days)
    number = np.where(on, since // config.promotion_every + 1, 0)
    wait = np.where(since < 0, -since, -since % config.promotion_every)
    rng, size = stream(seed, "drift"), config.categories
    order = config.order_category_sd * normal(rng, size) + config.order_drift * _walk(rng, days, size)
    order += config.wait * (~on & (wait <= 2))[:, None]
    rng = stream(seed, "uplift")
    k, c, s = config.kinds, size, config.segments
    spread = 0.7 * normal(rng, k, c)[:, :, None, None] + 0.5 * normal(rng, k, c, s)[..., None]
    spread = spread + 0.5 * normal(rng, k, s, BUCKETS)[:, None]
    return Calendar(
        promotion=number.astype(np.int32),
        kind=np.where(on, (number - 1) % config.kinds, -1).astype(np.int32),
        days_to=np.where(on, 0, wait).astype(np.int32),
        click_shift=(0.3 * normal(rng, size) + config.click_drift * _walk(rng, days, size)).astype(np.float32),
        order_shift=order.astype(np.float32),
        uplift=(config.uplift + config.uplift_spread * (spread - spread.mean())).astype(np.float32),
    )


def _walk(rng: np.random.Generator, days: int, size: int) -> np.ndarray:
    """(days, size) of unit variance that forgets half in a week."""
    keep = 0.5 ** (1 / 7)
    out = normal(rng, days, size).astype(np.float64)
    for day in range(1, days):
        out[day] = keep * out[day - 1] + np.sqrt(1 - keep**2) * out[day]
    return out
