"""Result pages of the three channels: what is retrieved, who is shown to whom and where, by which policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.data.schema import CHANNELS, ENTITIES, POLICIES
from recommend.data.world.chance import Floats, Ints
from recommend.data.world.click_model import ClickModel
from recommend.data.world.config import WorldConfig
from recommend.data.world.policies import AD_SLOTS, NEVER, Auction, auction, known_dims, noisy_top, partial_taste
from recommend.data.world.users import ADS, BASE, POSTS, Users

ROWS = 10
ITEM, POST = ENTITIES.index("item"), ENTITIES.index("post")
FEED, SEARCH, AD_CHANNEL, VIDEO = (CHANNELS.index(name) for name in ("feed", "search", "ads", "video"))
ORGANIC, ADS_POLICY, UNIFORM = (POLICIES.index(name) for name in ("organic", "ads", "uniform"))


@dataclass(frozen=True, slots=True)
class Pages:
    """(pages, 10) arrays of one channel's pages in a tick; ``page`` numbers them within the tick."""

    page: Ints
    user: Ints
    entity: int
    shown_id: Ints  # item or post id
    channel: Ints
    policy: Ints
    propensity: Floats
    valid: np.ndarray


@dataclass(frozen=True, slots=True)
class Considered:
    """Ads that a feed page considered: candidate ids (pages, n) and what the auction made of them."""

    page: Ints
    user: Ints
    item: Ints
    barred: np.ndarray
    auction: Auction


@dataclass(frozen=True, slots=True)
class Pool:
    """Ids in order of category; ``start[c]:start[c + 1]`` are those of category c."""

    ids: Ints
    start: Ints


@dataclass(slots=True)
class Market:
    """What is on sale in a tick, as retrieval sees it."""

    single: Pool
    many: Pool
    ads: Pool
    posts: Pool


class PageMaker:
    """Fills pages: retrieval, then the channel's policy."""

    def __init__(self, truth: ClickModel, vectors: Floats, rng: np.random.Generator) -> None:
        self.config: WorldConfig = truth.config
        self.users: Users = truth.users
        self.items, self.posts = truth.items, truth.posts
        self._rng = rng
        organic = known_dims(self.config, "organic")
        self._likes = preference(truth.users.taste[BASE][:, organic], vectors[:, organic])
        self._by_category = np.argsort(self.items.category, kind="stable")
        self._posts_by_category = np.argsort(self.posts.category, kind="stable")

    def market(self, sold_ms: Ints, start: int, end: int) -> Market:
        """Items that are listed at ``start``, not sold, and not withdrawn before ``end``."""
        items, posts, size = self.items, self.posts, self.config.categories
        alive = (items.listed_ms <= start) & (items.leaves_ms >= end) & (sold_ms > start)
        shown = (posts.created_ms <= start) & (posts.leaves_ms >= end)

        def of_items(which: np.ndarray) -> Pool:
            return pool_of(self._by_category, items.category, alive & which, size)

        return Market(
            single=of_items(items.single),
            many=of_items(~items.single),
            ads=of_items(items.ad),
            posts=pool_of(self._posts_by_category, posts.category, shown, size),
        )

    def feed(self, market: Market, page: Ints, user: Ints) -> tuple[Pages, Considered]:
        """Eight organic rows and two ads; the ads never repeat an organic row of the page."""
        config, n = self.config, len(user)
        organic, propensity, valid = self._organic(market, user, None, ROWS - len(AD_SLOTS))
        wanted = draw_categories(self._rng, self._likes, user, config.ad_candidates)
        ads = draw(self._rng, market.ads, wanted, 0.4)
        barred = repeated(np.concatenate([organic, ads], axis=1))[:, organic.shape[1] :]
        taste = self.users.taste[ADS if config.policies_differ else BASE][user]
        appeal = partial_taste(taste, self.items.vector[ads], known_dims(config, "ads"))
        result = auction(self._rng, config, appeal + 0.3 * self.items.quality[ads], self.items.bid[ads], barred)
        is_ad = np.isin(np.arange(ROWS), AD_SLOTS)
        rows: dict[str, np.ndarray] = {
            "shown_id": np.empty((n, ROWS), dtype=np.int64),
            "propensity": np.empty((n, ROWS), dtype=np.float32),
            "valid": np.empty((n, ROWS), dtype=bool),
        }
        shown_barred = np.take_along_axis(barred, result.shown, axis=1)
        of_ads = (np.take_along_axis(ads, result.shown, axis=1), result.propensity, ~shown_barred)
        for name, left, right in zip(rows, (organic, propensity, valid), of_ads, strict=True):
            rows[name][:, ~is_ad], rows[name][:, is_ad] = left, right
        policy = np.where(is_ad[None], np.where(result.uniform, UNIFORM, ADS_POLICY)[:, None], ORGANIC)
        channel = np.broadcast_to(np.where(is_ad, AD_CHANNEL, FEED), (n, ROWS))
        pages = Pages(page, user, ITEM, rows["shown_id"], channel, policy, rows["propensity"], rows["valid"])
        return pages, Considered(page, user, ads, barred, result)

    def search(self, market: Market, page: Ints, user: Ints) -> Pages:
        """Ten rows of one category that the user asked for."""
        category = draw_categories(self._rng, self._likes, user, 1)
        shown_id, propensity, valid = self._organic(market, user, category, ROWS)
        return self._plain(page, user, ITEM, shown_id, SEARCH, propensity, valid)

    def video(self, market: Market, page: Ints, user: Ints) -> Pages:
        """Ten posts."""
        wanted = draw_categories(self._rng, self._likes, user, self.config.organic_candidates)
        found = draw(self._rng, market.posts, wanted, 0.5)
        dims = known_dims(self.config, "organic")
        score = partial_taste(self.users.taste[POSTS][user], self.posts.vector[found], dims)
        score = np.where(repeated(found), NEVER, score + 0.5 * self.posts.quality[found])
        shown_id, propensity, valid = self._choose(found, score.astype(np.float32), ROWS)
        return self._plain(page, user, POST, shown_id, VIDEO, propensity, valid)

    def _organic(self, market: Market, user: Ints, category: Ints | None, k: int) -> tuple[Ints, Floats, np.ndarray]:
        config, n = self.config, self.config.organic_candidates
        many = round(n * config.many_share)
        if category is None:
            wanted = draw_categories(self._rng, self._likes, user, n)
        else:
            wanted = np.broadcast_to(category, (len(user), n))
        anywhere = 0.3 if category is None else 0.0
        found = np.concatenate(
            [
                draw(self._rng, market.many, wanted[:, :many], anywhere),
                draw(self._rng, market.single, wanted[:, many:], anywhere),
            ],
            axis=1,
        )
        score = partial_taste(self.users.taste[BASE][user], self.items.vector[found], known_dims(config, "organic"))
        score = score + 0.5 * self.items.quality[found]
        return self._choose(found, np.where(repeated(found), NEVER, score).astype(np.float32), k)

    def _choose(self, found: Ints, score: Floats, k: int) -> tuple[Ints, Floats, np.ndarray]:
        columns, propensity = noisy_top(self._rng, score, k, self.config.organic_noise)
        shown_id = np.take_along_axis(found, columns, axis=1)
        return shown_id, propensity, np.take_along_axis(score, columns, axis=1) > NEVER / 2

    @staticmethod
    def _plain(
        page: Ints, user: Ints, entity: int, shown_id: Ints, channel: int, propensity: Floats, valid: np.ndarray
    ) -> Pages:
        shape = shown_id.shape
        return Pages(page, user, entity, shown_id, np.full(shape, channel), np.full(shape, ORGANIC), propensity, valid)


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
