"""Ranking: the probability of a click, and what an order is worth beside it."""

from __future__ import annotations

from recommend.cascade.catalog import Catalog
from recommend.cascade.page import PageState
from recommend.cascade.scoring import Models, click_scores, conversions


class Rank:
    """Scores the ranked items.

    Args:
        order_worth: of an order that stays, in clicks.
    """

    name = "ranking"

    def __init__(self, catalog: Catalog, models: Models, order_worth: float) -> None:
        self.catalog, self.models, self.order_worth = catalog, models, order_worth

    def __call__(self, page: PageState) -> None:
        """Fill ``page.click``, ``page.order`` and ``page.score``."""
        page.click = click_scores(self.models, "ranking", self.catalog, page.ranked, page.visitor, page.moment)
        page.order = conversions(self.models, self.catalog, page.ranked, page.visitor, page.moment)
        worth = self.order_worth if page.order.by != "none" else 0.0
        page.score = page.click.values * (1 + worth * page.order.values)
