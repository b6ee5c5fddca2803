"""The page: organic things, ads in their places, and a stated share of places for things that nobody has seen yet.

Most things here are single pieces that live for days. Ranked by predicted clicks alone, a new one may never be shown
before it is stale; the exploration share gives each its first impressions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recommend.cascade.catalog import Catalog
from recommend.cascade.page import AD_SLOTS, Exposure, PageState, Place
from recommend.cascade.posts import PlacedPost, Posts, slots
from recommend.cascade.request import HOUR_MS
from recommend.cascade.scoring import SIMPLE, Models, Scores, post_scores

TIER = 5  # impressions


class Mix:
    """Organic items, ads and posts in their places; what was sold since retrieval is left out."""

    name = "mixing"

    def __init__(
        self, catalog: Catalog, posts: Posts, models: Models, rules: Exposure, rng: np.random.Generator
    ) -> None:
        self.catalog, self.posts, self.models, self.rules, self.rng = catalog, posts, models, rules, rng

    def __call__(self, page: PageState) -> None:
        """Fill ``page.posts``, ``page.places`` and what is known of the ranked items."""
        get, ranked = self.catalog.get, page.ranked
        page.age_h = np.maximum(page.moment.time_ms - get("listed_ms", ranked), 0) / HOUR_MS
        page.impressions, page.seller = get("impressions", ranked), get("seller_id", ranked)
        new = (page.impressions < self.rules.enough) & (page.age_h < self.rules.young_h)
        self._choose_posts(page)
        size = page.size - len(page.posts)
        places = mix(
            page.score, page.impressions, new, page.seller, page.winners, size, self.rules, self.rng, page.beyond
        )
        page.alive = self.catalog.on_sale(ranked)
        page.places = [place for place in places if page.alive[place.candidate]]

    def _choose_posts(self, page: PageState) -> None:
        """The best posts for the page's places for them; their positions are still to be set."""
        among, moment = self.posts.candidates(page.visitor), page.moment
        scores = Scores(np.empty(0), SIMPLE)
        if among:
            scores = post_scores(self.models, self.posts, among, page.visitor, moment)
        best = np.argsort(-scores.values, kind="stable")[: len(slots(page.size, len(among)))]
        page.post_scores = scores
        page.posts = [
            PlacedPost(
                among[i],
                0,
                float(scores.values[i]),
                max(moment.time_ms - among[i].created_ms, 0) / HOUR_MS,
                self.posts.impressions(among[i].post_id),
            )
            for i in best
        ]


def mix(
    score: np.ndarray,
    impressions: np.ndarray,
    new: np.ndarray,
    seller: np.ndarray,
    ads: Sequence[int],
    size: int,
    rules: Exposure,
    rng: np.random.Generator,
    beyond: np.ndarray | None = None,
) -> list[Place]:
    """Fill a page.

    Args:
        score: (n,) value of each ranked candidate.
        impressions: (n,) of each so far: what explores is taken from the least shown, in tiers of ``TIER``, best first.
        new: (n,) which are new by the rules.
        seller: (n,) their sellers.
        ads: places among the candidates of the ads that won, best first; none of them stands on the page twice.
        size: places of the page.
        rng: decides how many places explore when the share is no whole number of places, and where they stand.
        beyond: (n,) which are here for exploration alone (``Exposure.beyond``); None: none is.

    Returns:
        At most ``size`` places, in order.
    """
    slots = [slot for slot, _ in zip((s for s in AD_SLOTS if s < size), ads, strict=False)]
    organic = size - len(slots)
    taken = set(ads[: len(slots)])
    order = [int(i) for i in np.argsort(-score, kind="stable") if i not in taken]
    exploring = _whole(rules.share * organic, rng)
    count: dict[int, int] = {}

    def choose(among: list[int], most: int, chosen: list[int]) -> list[int]:
        picked: list[int] = []
        for i in among:
            if len(picked) == most:
                break
            if i not in chosen and count.get(int(seller[i]), 0) < rules.per_seller:
                count[int(seller[i])] = count.get(int(seller[i]), 0) + 1
                picked.append(i)
        return picked

    young = sorted((i for i in order if new[i]), key=lambda i: int(impressions[i]) // TIER)
    far = [i for i in young if beyond is not None and beyond[i]]
    far_count = _whole(rules.beyond * exploring, rng) if far else 0
    fresh = choose(far, far_count, [])
    fresh += choose([i for i in young if i not in far], exploring - len(fresh), [])
    fresh += choose(far, exploring - len(fresh), fresh)  # where sources found too few new things
    best = choose(order, organic - len(fresh), fresh)
    if len(best) + len(fresh) < organic:  # too few sellers: better a full page than a rule
        best += [i for i in order if i not in best and i not in fresh][: organic - len(fresh) - len(best)]
    page = [Place(i, "ranked") for i in best]
    for i in fresh:
        page.insert(int(rng.integers(0, len(page) + 1)), Place(i, "exploration"))
    for slot, ad in zip(slots, ads, strict=False):
        page.insert(min(slot, len(page)), Place(int(ad), "ad"))
    return page[:size]


def _whole(places: float, rng: np.random.Generator) -> int:
    """A whole number whose mean is ``places``."""
    return int(places) + int(rng.random() < places - int(places))
