"""Users: who they are, what they like, how often they come. Everybody may also sell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.data.world.chance import Floats, Ints, blend, normal, stream
from recommend.data.world.config import DAY_MS, WorldConfig

AGE_GROUPS, CITIES = 6, 20
BASE, ADS, POSTS = 0, 1, 2  # rows of ``taste``


@dataclass(frozen=True, slots=True)
class Users:
    """Arrays over users. ``taste`` (3, users, dims) and what follows it is truth, never logged."""

    age_group: Ints
    city: Ints
    activity: Floats  # relative number of pages
    joined_ms: Ints
    taste: Floats
    thrift: Floats  # dislike of prices above the category's usual
    picky: Floats  # dislike of worn things
    buyer: Floats  # log-odds of ordering after a click
    topic_taste: Floats  # (users, topics)
    length_taste: Floats
    trust: Floats  # as a seller: honest descriptions, fewer refunds


def make_users(config: WorldConfig, seed: int) -> Users:
    """Draw the users; age group and city explain part of their taste, as profiles do."""
    rng, n, k = stream(seed, "people"), config.users, config.taste_dims
    age, city = rng.integers(0, AGE_GROUPS, n), rng.integers(0, CITIES, n)
    group = normal(rng, AGE_GROUPS, k)[age] + 0.5 * normal(rng, CITIES, k)[city]
    base = (0.5 * group / np.sqrt(1.25) + np.sqrt(0.75) * normal(rng, n, k)).astype(np.float32)
    taste = np.stack(
        [
            base,
            blend(stream(seed, "taste/ads"), base, config.channel_taste_corr),
            blend(stream(seed, "taste/posts"), base, config.entity_taste_corr),
        ]
    )
    activity = np.exp(config.activity_log_sd * normal(rng, n))
    buyer = 0.3 * normal(rng, AGE_GROUPS)[age] + 0.6 * normal(rng, n)
    return Users(
        age_group=age,
        city=city,
        activity=activity,
        joined_ms=-(rng.exponential(300, n) * DAY_MS).astype(np.int64),
        taste=taste,
        thrift=(0.4 + 0.3 * normal(rng, n)).astype(np.float32),
        picky=(0.15 + 0.2 * normal(rng, n)).astype(np.float32),
        buyer=(buyer - np.average(buyer, weights=activity)).astype(np.float32),
        topic_taste=normal(rng, n, config.topics),
        length_taste=(0.4 * normal(rng, n)).astype(np.float32),
        trust=normal(rng, n),
    )
