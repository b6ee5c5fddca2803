"""Ranking: the probability of a click, and what an order is worth beside it."""

from __future__ import annotations

import numpy as np

from recommend.cascade.catalog import Catalog
from recommend.cascade.page import FeedConfig, PageState
from recommend.cascade.scoring import Models, click_scores, conversions


class Rank:
    """Scores the ranked items, and as ads those that bid the reserve."""

    name = "ranking"

    def __init__(self, catalog: Catalog, models: Models, config: FeedConfig) -> None:
        self.catalog, self.models, self.config = catalog, models, config

    def __call__(self, page: PageState) -> None:
        """Fill ``page.bid``, ``page.bidding``, ``page.click``, ``page.ads``, ``page.order`` and ``page.score``."""
        rows, who, moment = page.ranked, page.visitor, page.moment
        page.bid = self.catalog.get("bid", rows)
        page.bidding = np.flatnonzero(page.bid >= self.config.reserve)
        page.click, page.ads = click_scores(self.models, self.catalog, rows, page.bidding, who, moment)
        page.order = conversions(self.models, self.catalog, rows, who, moment)
        worth = self.config.order_worth if page.order.by != "none" else 0.0
        page.score = page.click.values * (1 + worth * page.order.values)
