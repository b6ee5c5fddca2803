"""The cascade: retrieve -> pre-rank -> rank -> auction -> mix -> trace; a page, with everything that explains it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from recommend.cascade.catalog import Catalog, Facts, Item
from recommend.cascade.page import FeedConfig, PageState, Slate, Stage
from recommend.cascade.posts import Posts
from recommend.cascade.request import Moment
from recommend.cascade.scoring import Models
from recommend.cascade.stages.auction import Auction
from recommend.cascade.stages.mix import Mix
from recommend.cascade.stages.pre_rank import PreRank, PreRanker
from recommend.cascade.stages.rank import Rank
from recommend.cascade.stages.retrieve import Neighbours, Retrieve, Sources
from recommend.cascade.stages.trace import Trace
from recommend.cascade.visitors import Visitors


class Feed:
    """One live feed. Every public method may be called from any thread.

    Args:
        content: numbers of a content vector.
        models: what scores; empty ones degrade to popularity.
        seed: of the draws of exploration.
    """

    def __init__(self, content: int, models: Models, config: FeedConfig | None = None, seed: int = 0) -> None:
        self.config = config or FeedConfig()
        self.catalog, self.visitors, self.models = Catalog(content), Visitors(), models
        self.neighbours = Neighbours(content)
        self.sources = Sources(self.catalog, self.neighbours, self.config.shares)
        self.pre_ranker = PreRanker(self.catalog, models)
        self.posts = Posts(content)
        rng = np.random.default_rng(seed)
        self.stages: tuple[Stage, ...] = (
            Retrieve(self.catalog, self.sources, self.config),
            PreRank(self.catalog, self.pre_ranker, self.config.ranked),
            Rank(self.catalog, models, self.config),
            Auction(self.config, rng),
            Mix(self.catalog, self.posts, models, self.config.exposure, rng),
            Trace(self.catalog, self.config.explained),
        )
        # A page is computed on one core: the others make the next ones.
        self._workers = ThreadPoolExecutor(self.config.at_once, "feed", torch.set_num_threads, (1,))

    def close(self) -> None:
        """Let the workers go."""
        self._workers.shutdown()

    def put(self, item: Item, moment: Moment) -> None:
        """A thing is on sale, or has changed: it can be shown by the next request."""
        self.put_many([item], moment)

    def put_many(self, items: Sequence[Item], moment: Moment) -> None:
        """Things are on sale, or have changed; each at most once."""
        if not items:
            return
        rows = np.array([self.catalog.put(item) for item in items])
        content = self.catalog.content(rows)
        described = np.asarray(content.any(1))  # a thing of which nothing is known is nobody's neighbour
        self.neighbours.put(np.array([item.item_id for item in items])[described], content[described])
        for item, has in zip(items, described, strict=True):
            if not has:
                self.neighbours.remove(item.item_id)
        self.pre_ranker.put(rows, moment)

    def remove(self, item_id: int) -> None:
        """A thing is off sale: no later page shows it."""
        self.catalog.remove(item_id)
        self.neighbours.remove(item_id)

    def take(self, item_id: int) -> bool:
        """Sell a piece; True for as many callers as there are pieces."""
        sold = self.catalog.take(item_id)
        if sold and item_id not in self.catalog:
            self.neighbours.remove(item_id)
        return sold

    def clicked(self, user_id: int, item_id: int, moment: Moment, facts: Facts | None = None) -> None:
        """A visitor opened a thing; ``facts`` as in ``Catalog.clicked``."""
        self.visitors.clicked(user_id, item_id, self.catalog, moment.time_ms)
        self.catalog.clicked([item_id], moment.time_ms, user_id, facts)

    def slate(self, user_id: int, moment: Moment, size: int | None = None) -> Slate:
        """A page for a visitor. Impressions are not counted here but by ``add_impressions``, when the page was seen."""
        return self.considered(user_id, moment, size).slate

    def considered(self, user_id: int, moment: Moment, size: int | None = None) -> PageState:
        """A page with everything that the stages filled in on its way."""
        # First come, first served: a semaphore would let some visitors wait for seconds.
        return self._workers.submit(self._make, user_id, moment, size).result()

    def add_impressions(self, user_id: int, item_ids: list[int], time_ms: int, facts: Facts | None = None) -> None:
        """A visitor saw a page of that time: one impression more of its items; ``facts`` as in ``Catalog.clicked``."""
        self.catalog.add_impressions(item_ids, time_ms, user_id, facts)

    def _make(self, user_id: int, moment: Moment, size: int | None) -> PageState:
        page = PageState(self.visitors.get(user_id), moment, min(size or self.config.size, self.config.ranked))
        for stage in self.stages:
            began = time.perf_counter()
            stage(page)
            page.ms[stage.name] = 1000 * (time.perf_counter() - began)
        return page
