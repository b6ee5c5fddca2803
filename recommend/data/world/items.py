"""What is shown: items with price, condition and stock; posts with a schema of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.data.world.chance import Floats, Ints, normal, stream
from recommend.data.world.config import DAY_MS, WorldConfig
from recommend.data.world.users import Users

CONDITIONS = (0.15, 0.3, 0.3, 0.17, 0.08)  # new .. worn
PROFESSIONALS = 0.05  # share of users who own the listings with many pieces
FOREVER = np.iinfo(np.int64).max
_DECILES = np.array([-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816])  # of a normal


@dataclass(frozen=True, slots=True)
class Items:
    """Arrays over items in order of listing. ``vector`` and ``quality`` are truth, ``content`` is what photos say."""

    seller: Ints
    category: Ints
    condition: Ints
    price_z: Floats  # log price against its category, in standard deviations
    price: Floats
    price_bucket: Ints
    stock: Ints
    single: np.ndarray
    ad: np.ndarray
    bid: Floats
    listed_ms: Ints
    leaves_ms: Ints  # withdrawn unsold
    joins_promotion: Floats  # 0..1, below ``promotion_join`` it is reduced
    depth: Floats  # how much it is reduced then
    quality: Floats
    vector: Floats
    content: Floats


@dataclass(frozen=True, slots=True)
class Posts:
    """Arrays over posts in order of writing."""

    author: Ints
    category: Ints
    topic: Ints
    item: Ints
    length: Ints
    length_z: Floats
    created_ms: Ints
    leaves_ms: Ints
    quality: Floats
    vector: Floats
    content: Floats


def category_vectors(config: WorldConfig, seed: int) -> Floats:
    """(categories, dims): where a category lies in taste space; items and posts share it."""
    return normal(stream(seed, "categories"), config.categories, config.taste_dims)


def make_items(config: WorldConfig, users: Users, seed: int) -> Items:
    """Draw all items: one-piece things with a short life, of which some are there at the start, and stable listings."""
    rng = stream(seed, "items")
    listed, leaves = _lifetimes(rng, config.new_items_per_day, config.life_days, config.days)
    listed = np.concatenate([-(rng.exponential(60, config.many_items) * DAY_MS).astype(np.int64), listed])
    leaves = np.concatenate([np.full(config.many_items, FOREVER), leaves])
    single = np.arange(len(listed)) >= config.many_items
    order = np.argsort(listed, kind="stable")
    listed, leaves, single = listed[order], leaves[order], single[order]
    n = len(listed)
    professionals = max(1, int(PROFESSIONALS * config.users))
    seller = np.where(single, rng.integers(0, config.users, n), rng.integers(0, professionals, n))
    category = rng.choice(config.categories, n, p=_zipf(config.categories))
    price_z = normal(rng, n)
    usual = 3 + normal(rng, config.categories)
    vector, content = _vectors(config, seed, "items", category, seller, users)
    bid = np.exp(config.bid_log_sd * normal(rng, n))
    ad = rng.random(n) < config.ad_share
    return Items(
        seller=seller,
        category=category,
        condition=rng.choice(len(CONDITIONS), n, p=CONDITIONS),
        price_z=price_z,
        price=np.exp(usual[category] + config.price_log_sd * price_z).round(2),
        price_bucket=np.searchsorted(_DECILES, price_z),
        stock=np.where(single, 1, rng.integers(20, 200, n)),
        single=single,
        ad=ad,
        bid=np.where(ad, bid, 0).astype(np.float32),
        listed_ms=listed,
        leaves_ms=leaves,
        joins_promotion=rng.random(n, dtype=np.float32),
        depth=(0.2 + 0.58 * rng.beta(1.0, 1.6, n)).astype(np.float32),
        quality=(0.4 * normal(rng, n) + 0.3 * ~single).astype(np.float32),
        vector=vector,
        content=content,
    )


def make_posts(config: WorldConfig, users: Users, items: Items, seed: int) -> Posts:
    """Draw all posts; four in ten show an item of their category, the others none."""
    rng = stream(seed, "posts")
    created, leaves = _lifetimes(rng, config.posts_per_day, config.post_life_days, config.days)
    order = np.argsort(created, kind="stable")
    created, leaves = created[order], leaves[order]
    n = len(created)
    item = np.minimum(rng.integers(0, len(items.seller), n), np.searchsorted(items.listed_ms, created) - 1)
    shows = (rng.random(n) < 0.4) & (item >= 0)
    author = np.where(shows, items.seller[item], rng.integers(0, config.users, n))
    category = np.where(shows, items.category[item], rng.choice(config.categories, n, p=_zipf(config.categories)))
    vector, content = _vectors(config, seed, "posts", category, author, users)
    length_z = normal(rng, n)
    return Posts(
        author=author,
        category=category,
        topic=rng.integers(0, config.topics, n),
        item=np.where(shows, item, -1),
        length=np.exp(4 + 0.7 * length_z).astype(np.int64) + 1,
        length_z=length_z,
        created_ms=created,
        leaves_ms=leaves,
        quality=(0.4 * normal(rng, n)).astype(np.float32),
        vector=vector,
        content=content,
    )


def _lifetimes(rng: np.random.Generator, per_day: int, life: float, days: int) -> tuple[Ints, Ints]:
    """Arrival and leaving times in ms: a steady state at time 0 (exponential age and rest of life), then arrivals."""
    there, coming = int(per_day * life), per_day * days
    listed = np.concatenate([-rng.exponential(life, there), rng.random(coming) * days])
    leaves = np.maximum(listed, 0) + rng.exponential(life, there + coming)
    return (listed * DAY_MS).astype(np.int64), (leaves * DAY_MS).astype(np.int64)


def _vectors(
    config: WorldConfig, seed: int, kind: str, category: Ints, maker: Ints, users: Users
) -> tuple[Floats, Floats]:
    """Taste vector (category and maker explain ``side_signal`` of it) and the noisy content vector; unit variance."""
    rng, n, k = stream(seed, f"vectors/{kind}"), len(category), config.taste_dims
    # A maker's own style is stable: items and posts by one person share it.
    style = normal(stream(seed, "styles"), len(users.trust), k)
    side = np.sqrt(0.7) * category_vectors(config, seed)[category] + np.sqrt(0.3) * style[maker]
    vector = np.sqrt(config.side_signal) * side + np.sqrt(1 - config.side_signal) * normal(rng, n, k)
    content = np.sqrt(config.content_signal) * vector + np.sqrt(1 - config.content_signal) * normal(rng, n, k)
    return vector.astype(np.float32), content.astype(np.float32)


def _zipf(n: int) -> np.ndarray:
    weight = 1 / np.sqrt(1 + np.arange(n))
    return weight / weight.sum()
