"""Retrieval and policies: what can be shown on a day, to whom, and what is chosen of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.simulation.chance import Floats, Ints, Mask, gumbel, zipf
from recommend.simulation.people import BASE
from recommend.simulation.truth import Truth

NEVER = np.float32(-1e9)
PICKS = 5  # categories of a session: four of interest, one at random
ANYWHERE = 0.5  # share of long listings that are retrieved for their popularity alone
EXPLORED = 0.3  # share of the picks that follow popularity instead of interest


@dataclass(frozen=True, slots=True)
class Pool:
    """Ids in order of category; ``total`` are their cumulative weights, ``start`` where each category begins."""

    ids: Ints
    start: np.ndarray
    total: np.ndarray

    @staticmethod
    def of(ids: Ints, category: Ints, weight: Floats | None, categories: int) -> Pool:
        """A pool of living items; without weights all are alike."""
        order = np.argsort(category[ids], kind="stable")
        ids = ids[order].astype(np.int32)
        w = np.ones(len(ids)) if weight is None else weight[ids].astype(np.float64)
        start = np.searchsorted(category[ids], np.arange(categories + 1))
        return Pool(ids, start, np.concatenate([[0.0], np.cumsum(w)]))

    def draw(self, rng: np.random.Generator, category: Ints, anywhere: float = 0.0) -> Ints:
        """One id of each wanted category, by weight; of all with that probability or where the category is empty."""
        low, high = self.total[self.start[category]], self.total[self.start[category + 1]]
        empty = (high <= low) | (rng.random(category.shape) < anywhere)
        low, high = np.where(empty, 0, low), np.where(empty, self.total[-1], high)
        target = low + rng.random(category.shape) * (high - low) * (1 - 1e-12)
        at = np.searchsorted(self.total, target.ravel(), side="right") - 1
        return self.ids[np.clip(at, 0, len(self.ids) - 1)].reshape(category.shape)


@dataclass(frozen=True, slots=True)
class Market:
    """The stock that is on sale on a day."""

    long: Pool
    short: Pool
    ads: Pool
    posts: Pool

    @staticmethod
    def on(truth: Truth, day: int, sold: Floats) -> Market:
        """Pools of the things that are alive; advertised things are long or short alike."""
        i, p, size = truth.items, truth.posts, truth.config.categories
        alive = truth.alive(day, sold)
        posts = np.flatnonzero((p.created <= day) & (p.leaves > day))

        def pool(which: Mask, weight: Floats | None = None) -> Pool:
            items = np.flatnonzero(which)
            return Pool.of(items if len(items) else np.flatnonzero(i.long), i.category, weight, size)

        # An advertised class gets half of the ads' candidates, whatever its number of things.
        ads = alive & i.ad
        weights, singles = float(i.weight[ads & i.long].sum()), int((ads & ~i.long).sum())
        share = np.where(i.long, i.weight / max(weights, 1e-9), 1 / max(singles, 1))
        return Market(
            pool(alive & i.long, i.weight),
            pool(alive & ~i.long),
            pool(ads, share.astype(np.float32)),
            Pool.of(posts if len(posts) else np.arange(len(p.created)), p.category, None, size),
        )


def session_picks(truth: Truth, rng: np.random.Generator, user: Ints) -> Ints:
    """(sessions, PICKS) categories into which retrieval looks: interests, popularity, and one at random."""
    size = truth.config.categories
    interests = truth.users.interest[BASE][user[:, None], rng.integers(0, truth.config.interests, (len(user), PICKS))]
    popular = np.cumsum(zipf(size, 0.5) / zipf(size, 0.5).sum())
    other = np.minimum(np.searchsorted(popular, rng.random(interests.shape), side="right"), size - 1)
    picks = np.where(rng.random(interests.shape) < EXPLORED, other, interests)
    picks[:, -1] = rng.integers(0, size, len(user))
    return picks.astype(np.int32)


def organic(
    truth: Truth, rng: np.random.Generator, market: Market, user: Ints, picks: Ints, count: int, k: int
) -> tuple[Ints, Mask]:
    """(pages, k) things and which of them are no repetition: the best of ``count`` by a partial taste, with noise."""
    n_long = round(count * truth.config.long_share)
    pick = np.resize(np.arange(picks.shape[1]), count)
    long = market.long.draw(rng, picks[:, pick[:n_long]], 0.0 if picks.shape[1] == 1 else ANYWHERE)
    ids = np.concatenate([long, market.short.draw(rng, picks[:, pick[n_long:]])], axis=1)
    score = policy_score(truth, user, ids) + np.float32(truth.config.organic_noise) * gumbel(rng, *ids.shape)
    return chosen(ids, score, k)


def policy_score(truth: Truth, user: Ints, ids: Ints) -> Floats:
    """(pages, n) what the policies' model says: a part of the taste, and quality."""
    u = truth.users.policy[user]
    dims = truth.config.dims * 5 // 8
    match = np.einsum("pd,pnd->pn", u[:, :dims], truth.items.vector[:, :dims][ids])
    return (1.5 * match + 0.3 * truth.items.quality[BASE][ids]).astype(np.float32)


def chosen(ids: Ints, score: Floats, k: int) -> tuple[Ints, Mask]:
    """The k best of each page, best first, and which stand there for the first time."""
    score = np.where(repeated(ids), NEVER, score)
    best = np.argpartition(-score, k - 1, axis=1)[:, :k]
    inside = np.argsort(-np.take_along_axis(score, best, axis=1), axis=1)
    best = np.take_along_axis(best, inside, axis=1)
    return np.take_along_axis(ids, best, axis=1), np.take_along_axis(score, best, axis=1) > NEVER / 2


def repeated(ids: Ints) -> Mask:
    """True where an id stood already further left in its row."""
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, axis=1)
    again = np.zeros(ids.shape, dtype=bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    out = np.empty_like(again)
    np.put_along_axis(out, order, again, axis=1)
    return out
