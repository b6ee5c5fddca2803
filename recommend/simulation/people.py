"""Users: who they are, what they like in each channel, how often they come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.simulation.chance import Floats, Ints, Mask, normal, shared, stream, uniform, zipf
from recommend.simulation.config import WorldConfig

AGES, CITIES = 6, 20
BASE, ADS, POSTS = 0, 1, 2  # first axis of tastes


@dataclass(frozen=True, slots=True)
class Users:
    """Arrays over users; all but age, city and joined is truth, never logged."""

    age: Ints
    city: Ints
    segment: Ints  # of ages
    joined: Floats  # day
    activity: Floats  # relative number of sessions
    interest: Ints  # (3, users, interests) categories
    shared: Mask  # (3, users, interests): the same as in BASE
    taste: Floats  # (3, users, interests, dims)
    policy: Floats  # (users, dims) what the policies know of the taste
    thrift: Floats  # (3, users)
    clicky: Floats  # (3, users) log-odds of a click
    topic: Floats  # (users, topics)
    buyer: Floats  # log-odds of an order after a click
    returner: Floats  # log-odds of a refund after an order


def unit_vectors(rng: np.random.Generator, n: int, dims: int) -> Floats:
    """(n, dims) directions, of length 1."""
    v = normal(rng, n, dims)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def make_users(config: WorldConfig, category_vectors: Floats, seed: int, days: int) -> Users:
    """Draw the users. Age and city tell part of their interests; ads and posts have ``channel_corr`` and
    ``entity_corr`` of their tastes in common with the rest."""
    rng, n, m = stream(seed, "people"), config.users(), config.interests
    age, city = rng.integers(0, AGES, n), rng.integers(0, CITIES, n)
    joined = np.where(uniform(rng, n) < config.new_users, uniform(rng, n) * days, -1).astype(np.float32)
    interest = np.stack([_interests(config, stream(seed, f"interests/{k}"), age, city) for k in range(3)])
    tastes = [
        config.interest_noise * unit_vectors(stream(seed, f"own/{k}"), n * m, config.dims).reshape(n, m, -1)
        for k in range(3)
    ]
    shares = (1.0, config.channel_corr, config.entity_corr)
    common = np.stack([uniform(stream(seed, f"shared/{k}"), n, m) < share for k, share in enumerate(shares)])
    interest = np.where(common, interest[:1], interest)
    of_channel = np.where(common[..., None], tastes[0][None], np.stack(tastes))
    taste = (category_vectors[interest] + of_channel).astype(np.float32)
    visible = config.dims * 5 // 8
    policy = taste[BASE].mean(1)
    policy[:, visible:] = 0  # the policies know a part of the taste only
    return Users(
        age=age.astype(np.int32),
        city=city.astype(np.int32),
        segment=(age * config.segments // AGES).astype(np.int32),
        joined=joined,
        activity=np.exp(0.65 * normal(rng, n)),
        interest=interest.astype(np.int32),
        shared=common,
        taste=taste,
        policy=policy,
        thrift=config.thrift_mean + config.thrift_sd * _by_channel(config, stream(seed, "thrift"), n),
        clicky=config.clicky_sd * _by_channel(config, stream(seed, "clicky"), n),
        topic=normal(rng, n, config.topics),
        buyer=config.buyer_sd * (0.7 * normal(rng, n) + 0.7 * normal(rng, AGES)[age]),
        returner=config.refund_user_sd * normal(rng, n),
    )


def _interests(config: WorldConfig, rng: np.random.Generator, age: np.ndarray, city: np.ndarray) -> np.ndarray:
    """(users, interests) categories, by popularity and by what people of that age and city like."""
    popular = np.log(zipf(config.categories, 0.3))
    of_age, of_city = normal(rng, AGES, config.categories), normal(rng, CITIES, config.categories)
    weight = np.exp(popular + config.profile * (of_age[:, None] + 0.7 * of_city[None]))  # (ages, cities, categories)
    total = np.cumsum(weight.reshape(AGES * CITIES, -1).astype(np.float64), axis=1)
    total = np.minimum(total / total[:, -1:], 1 - 1e-12) + np.arange(AGES * CITIES)[:, None]
    cell = (age * CITIES + city)[:, None]
    at = np.searchsorted(total.ravel(), rng.random((len(age), config.interests)) * (1 - 1e-9) + cell, side="right")
    return np.clip(at - cell * config.categories, 0, config.categories - 1)


def _by_channel(config: WorldConfig, rng: np.random.Generator, n: int) -> Floats:
    """(3, users): a number of each person, in ads and for posts partly the same."""
    base = normal(rng, n)
    ads, _ = shared(rng, base, normal(rng, n), config.channel_corr)
    posts, _ = shared(rng, base, normal(rng, n), config.entity_corr)
    return np.stack([base, ads, posts])
