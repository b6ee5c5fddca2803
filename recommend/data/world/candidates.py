"""Retrieval: what is on sale at a moment, and which of it is considered for a page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.data.world.chance import Ints


@dataclass(frozen=True, slots=True)
class Pool:
    """Ids in order of category; ``start[c]:start[c + 1]`` are those of category c."""

    ids: Ints
    start: Ints


def pool_of(by_category: Ints, category: Ints, alive: np.ndarray, categories: int) -> Pool:
    """The living among ``by_category`` (ids sorted by category)."""
    ids = by_category[alive[by_category]]
    return Pool(ids, np.searchsorted(category[ids], np.arange(categories + 1)))


def preference(taste: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(users, categories): cumulative probability with which retrieval looks into a category, user number added.

    The sum "user + cumulative" makes one ascending vector of all rows, so that one ``searchsorted`` draws for all.
    """
    weight = np.exp(taste @ vectors.T / np.sqrt(vectors.shape[1])).astype(np.float64)
    total = np.cumsum(weight, axis=1)
    return np.minimum(total / total[:, -1:], 1 - 1e-12) + np.arange(len(taste))[:, None]


def draw_categories(rng: np.random.Generator, cumulative: np.ndarray, users: Ints, per_page: int) -> Ints:
    """(pages, per_page) categories after each user's preference."""
    target = rng.random((len(users), per_page)) * (1 - 1e-9) + users[:, None]
    flat = np.searchsorted(cumulative.ravel(), target.ravel(), side="right")
    return np.clip(flat.reshape(target.shape) - users[:, None] * cumulative.shape[1], 0, cumulative.shape[1] - 1)


def draw(rng: np.random.Generator, pool: Pool, category: Ints, anywhere: float) -> Ints:
    """One id for each wanted category; with probability ``anywhere``, or where the category is empty, from all."""
    u = rng.random(category.shape)
    first, size = pool.start[category], pool.start[category + 1] - pool.start[category]
    everywhere = (rng.random(category.shape) < anywhere) | (size == 0)
    if not len(pool.ids):
        return np.full(category.shape, -1)
    place = np.where(everywhere, u * len(pool.ids), first + u * size).astype(np.int64)
    return pool.ids[np.minimum(place, len(pool.ids) - 1)]


def repeated(ids: Ints) -> np.ndarray:
    """True where an id stood already further left in its row (or is -1)."""
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, axis=1)
    again = np.zeros(ids.shape, dtype=bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    out = np.empty_like(again)
    np.put_along_axis(out, order, again, axis=1)
    return out | (ids < 0)
