"""The cascade: sources -> pre-ranking -> ranking -> auction -> mixing -> a page, with everything that explains it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from recommend.cascade.auction import auction
from recommend.cascade.catalog import Catalog, Item
from recommend.cascade.mixing import AD_SLOTS, Exposure, mix
from recommend.cascade.posts import ROLE as POSTS
from recommend.cascade.posts import Posts, ShownPost, around, slots
from recommend.cascade.request import HOUR_MS, Moment
from recommend.cascade.scoring import SIMPLE, Models, PreRanker, Scores, click_scores, conversions, post_scores
from recommend.cascade.sources import Neighbours, Sources
from recommend.cascade.visitors import Visitor, Visitors

SHARES = {"new": 0.3, "content": 0.35, "category": 0.2, "popular": 0.15}


@dataclass(frozen=True)
class FeedConfig:
    """Sizes of the stages and what a page is worth.

    Attributes:
        candidates, ranked, size: things that reach pre-ranking, ranking, the page.
        order_worth: of an order that stays, in clicks; 0 ranks by clicks alone.
        reserve: lowest price of an ad's click.
        uniform_ads: share of the pages whose ads are drawn from all that could take part.
        explained: ranked things kept in the trace beside the page.
        at_once: pages made at the same time; further requests wait, which is faster than sharing the cores.
    """

    candidates: int = 2_000
    ranked: int = 200
    size: int = 20
    order_worth: float = 4.0
    reserve: float = 0.02
    uniform_ads: float = 0.0
    explained: int = 30
    at_once: int = 2
    exposure: Exposure = field(default_factory=Exposure)
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))


@dataclass(frozen=True)
class Shown:
    """A thing in the trace: on the page when ``position`` is not None."""

    item_id: int
    position: int | None
    reason: str  # ranked | exploration | ad | fell: why
    sources: tuple[str, ...]
    pre_rank: int
    pre_score: float
    rank: int
    pctr: float
    pcvr: float | None
    score: float
    bid: float
    ecpm: float | None
    price_per_click: float | None
    seller_id: int
    category: int
    single: bool
    stock: int
    age_h: float
    impressions: int
    policy: str = "organic"  # organic | ads | uniform: who chose it
    propensity: float = 1.0  # of an ad: with which such a page shows it


@dataclass(frozen=True)
class Ranked:
    """(n,) what the ranking stage considered: first as things to be shown for nothing, then those that bid as ads."""

    item_id: np.ndarray
    policy: np.ndarray  # of str: organic | ads | uniform
    pctr: np.ndarray
    bid: np.ndarray  # 0 for what is not considered as an ad
    rank: np.ndarray  # 0-based, of the organic things and of the ads
    shown: np.ndarray


@dataclass(frozen=True)
class Slate:
    """A page and its trace. ``counts`` and ``ms`` go by stage; ``models`` says what scored, by role."""

    user_id: int
    moment: Moment
    page: tuple[Shown, ...]
    fell: tuple[Shown, ...]
    counts: dict[str, int]
    ms: dict[str, float]
    models: dict[str, str]
    degraded: tuple[str, ...]
    ranked: Ranked
    posts: tuple[ShownPost, ...] = ()


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
        self._rng = np.random.default_rng(seed)
        self._workers = ThreadPoolExecutor(self.config.at_once, thread_name_prefix="feed")

    def close(self) -> None:
        """Let the workers go."""
        self._workers.shutdown()

    def put(self, item: Item, moment: Moment) -> None:
        """A thing is on sale, or has changed: it can be shown by the next request."""
        row = self.catalog.put(item)
        content = np.asarray(item.content, np.float32)
        if content.any():  # a thing of which nothing is known is nobody's neighbour
            self.neighbours.put(item.item_id, content)
        else:
            self.neighbours.remove(item.item_id)
        self.pre_ranker.put(row, moment)

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

    def clicked(self, user_id: int, item_id: int, moment: Moment) -> None:
        """A visitor opened a thing."""
        self.visitors.clicked(user_id, item_id, self.catalog, moment.time_ms)
        self.catalog.clicked([item_id], moment.time_ms)

    def slate(self, user_id: int, moment: Moment, size: int | None = None) -> Slate:
        """A page for a visitor. Impressions are not counted here but by ``shown``, when the page was seen."""
        # First come, first served: a semaphore would let some visitors wait for seconds.
        return self._workers.submit(self._slate, user_id, moment, size).result()

    def _slate(self, user_id: int, moment: Moment, size: int | None) -> Slate:
        config, clock = self.config, _Clock()
        size = min(size or config.size, config.ranked)
        visitor = self.visitors.get(user_id)
        found = self.sources.find(visitor, moment.time_ms, config.candidates)
        usual = np.concatenate(list(found.values())) if found else np.empty(0, np.int64)
        if config.exposure.share * config.exposure.beyond > 0:
            found["unseen"] = self.sources.unseen(moment.time_ms, config.exposure, config.ranked // 10)
        rows = np.unique(np.concatenate(list(found.values()))) if found else np.empty(0, np.int64)
        rows = rows[np.argsort(-self.catalog.get("listed_ms", rows), kind="stable")]  # among equals the newest first
        clock.lap("sources")
        pre = self.pre_ranker.score(rows, visitor, moment) if len(rows) else None
        bids = self.catalog.get("bid", rows)
        values = pre.order if pre is not None else np.empty(0)
        # Ads are pre-ranked by expected revenue, beside the organic things: clicks alone would starve the auction.
        alone = ~np.isin(rows, usual)  # what no source found takes no other thing's place
        values_found, bids_found = np.where(alone, -1.0, values), np.where(alone, 0.0, bids)
        unseen = np.flatnonzero(np.isin(rows, found.get("unseen", usual[:0])))
        chosen = self._survivors(values_found, bids_found, config.ranked)
        extra = unseen[~np.isin(unseen, chosen)]
        if len(extra):  # at most a tenth of the ranked things, as for ads, and not on top of them
            chosen = self._survivors(values_found, bids_found, config.ranked - len(extra))
            extra = unseen[~np.isin(unseen, chosen)][: config.ranked - len(chosen)]
        beyond = np.concatenate([alone[chosen], np.ones(len(extra), bool)])
        chosen = np.concatenate([chosen, extra])
        clock.lap("pre_ranking")
        ranked = rows[chosen]
        click = click_scores(self.models, "ranking", self.catalog, ranked, visitor, moment)
        order = conversions(self.models, self.catalog, ranked, visitor, moment)
        worth = config.order_worth if order.by != "none" else 0.0
        score = click.values * (1 + worth * order.values)
        clock.lap("ranking")
        bid = self.catalog.get("bid", ranked)
        paying = np.flatnonzero(bid >= config.reserve)
        ads = click_scores(self.models, "ads", self.catalog, ranked[paying], visitor, moment)
        free = len([s for s in AD_SLOTS if s < size])
        outcome = auction(ads.values, bid[paying], free, config.reserve, config.uniform_ads, self._rng)
        clock.lap("auction")
        age_h = np.maximum(moment.time_ms - self.catalog.get("listed_ms", ranked), 0) / HOUR_MS
        impressions = self.catalog.get("impressions", ranked)
        new = (impressions < config.exposure.enough) & (age_h < config.exposure.young_h)
        seller = self.catalog.get("seller_id", ranked)
        winners = [int(i) for i in paying[outcome.winners]]
        posts, of_posts = self._posts(visitor, moment, size)
        places = mix(score, impressions, new, seller, winners, size - len(posts), config.exposure, self._rng, beyond)
        # Sold between retrieval and here: never shown, whatever the stages thought of it.
        alive = self.catalog.on_sale(ranked)
        places = [place for place in places if alive[place.candidate]]
        clock.lap("mixing")

        rank_of = np.empty(len(ranked), np.int64)
        rank_of[np.argsort(-score, kind="stable")] = np.arange(len(ranked))
        pre_rank = np.empty(len(rows), np.int64)
        pre_rank[np.argsort(-values, kind="stable")] = np.arange(len(rows))
        ecpm = dict(zip(paying.tolist(), outcome.ecpm.tolist(), strict=True))
        paid = dict(zip(winners, zip(outcome.price.tolist(), outcome.propensity.tolist(), strict=True), strict=True))
        chooser = "uniform" if outcome.uniform else "ads"
        ids = self.catalog.get("item_id", ranked)
        sources = {name: set(got.tolist()) for name, got in found.items()}
        stock, category = self.catalog.get("stock", ranked), self.catalog.get("category", ranked)
        single = self.catalog.get("single", ranked)

        def explain(i: int, position: int | None, reason: str) -> Shown:
            row, ad = int(ranked[i]), reason == "ad"
            return Shown(
                item_id=int(ids[i]),
                position=position,
                reason=reason,
                sources=tuple(name for name, got in sources.items() if row in got),
                pre_rank=int(pre_rank[chosen[i]]),
                pre_score=float(values[chosen[i]]),
                rank=int(rank_of[i]),
                pctr=float(click.values[i]),
                pcvr=None if order.by == "none" else float(order.values[i]),
                score=float(score[i]),
                bid=float(bid[i]),
                ecpm=ecpm.get(i),
                price_per_click=paid[i][0] if ad else None,
                seller_id=int(seller[i]),
                category=int(category[i]),
                single=bool(single[i]),
                stock=int(stock[i]),
                age_h=float(age_h[i]),
                impressions=int(impressions[i]),
                policy=chooser if ad else "organic",
                propensity=paid[i][1] if ad else 1.0,
            )

        of_things, at = around(len(places), slots(size, len(posts)))
        shown_posts = tuple(replace(post, position=n) for post, n in zip(posts, at, strict=True))
        page = tuple(explain(p.candidate, n, p.reason) for n, p in zip(of_things, places, strict=True))
        on_page = {p.candidate for p in places}
        others = [int(i) for i in np.argsort(-score, kind="stable") if int(i) not in on_page][: config.explained]
        fell = tuple(explain(i, None, self._why(i, alive, seller, places, rank_of)) for i in others)
        clock.lap("trace")
        used = {"pre_ranking": pre.by if pre else "-", "ranking": click.by, "conversion": order.by, "ads": ads.by}
        simpler = [("pre_ranking", pre is None or pre.degraded), ("ranking", click.degraded),
                   ("conversion", order.degraded), ("ads", ads.degraded)]  # fmt: skip
        if click.knowledge is not None:  # so is whether a ranker that reads knowledge had any
            used["knowledge"] = click.knowledge.by
            simpler.append(("knowledge", click.knowledge.missing))
        if moment.promotion:  # whether it has a copy of its own is seen on the page
            used["promotion"] = order.by if order.copy else "none"
            simpler.append(("promotion", not order.copy))
        if posts:
            used[POSTS] = of_posts.by
            simpler.append((POSTS, of_posts.degraded))
        counts = {
            "live": len(self.catalog),
            "candidates": len(rows),
            "ranked": len(ranked),
            "page": len(page) + len(posts),
        }
        degraded = tuple(role for role, is_so in simpler if is_so)
        as_ads = {p.candidate for p in places if p.reason == "ad"}
        considered = Ranked(
            item_id=np.concatenate([ids, ids[paying]]),
            policy=np.repeat(["organic", chooser], [len(ids), len(paying)]),
            pctr=np.concatenate([click.values, ads.values]),
            bid=np.concatenate([np.zeros(len(ids)), bid[paying]]),
            rank=np.concatenate([rank_of, np.argsort(np.argsort(-outcome.ecpm, kind="stable"))]),
            shown=np.concatenate([np.isin(np.arange(len(ids)), list(on_page - as_ads)), np.isin(paying, list(as_ads))]),
        )
        return Slate(user_id, moment, page, fell, counts, clock.ms, used, degraded, considered, shown_posts)

    def _posts(self, visitor: Visitor, moment: Moment, size: int) -> tuple[list[ShownPost], Scores]:
        """The best posts for the page's places for them; their positions are still to be set."""
        among = self.posts.candidates(visitor)
        scores = post_scores(self.models, self.posts, among, visitor, moment) if among else Scores(np.empty(0), SIMPLE)
        best = np.argsort(-scores.values, kind="stable")[: len(slots(size, len(among)))]
        age = [max(moment.time_ms - p.created_ms, 0) / HOUR_MS for p in among]
        seen = self.posts.impressions
        return [ShownPost(among[i], 0, float(scores.values[i]), age[i], seen(among[i].post_id)) for i in best], scores

    def shown(self, item_ids: list[int], moment: Moment) -> None:
        """A page was seen: its things have one impression more."""
        self.catalog.shown(item_ids, moment.time_ms)

    @staticmethod
    def _survivors(values: np.ndarray, bids: np.ndarray, most: int) -> np.ndarray:
        """Places of at most ``most`` candidates that reach ranking: by pCTR, a tenth of them by pCTR x bid."""
        if len(values) <= most:
            return np.arange(len(values))
        money = values * bids
        for_ads = min(most // 10, int((money > 0).sum()))
        best_ads = np.argsort(-money, kind="stable")[:for_ads]
        rest = np.argsort(-values, kind="stable")
        return np.concatenate([best_ads, rest[~np.isin(rest, best_ads)][: most - for_ads]])

    @staticmethod
    def _why(i: int, alive: np.ndarray, seller: np.ndarray, places: list, rank_of: np.ndarray) -> str:
        if not alive[i]:
            return "fell: sold meanwhile"
        of_seller = sum(seller[p.candidate] == seller[i] for p in places)
        last = max((rank_of[p.candidate] for p in places if p.reason == "ranked"), default=-1)
        if rank_of[i] < last and of_seller:
            return f"fell: {of_seller} of this seller on the page already"
        if rank_of[i] < last:
            return "fell: made room for exploration or an ad"
        return f"fell: rank {rank_of[i] + 1} is below the last on the page"


class _Clock:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.ms[stage] = 1000 * (now - self._last)
        self._last = now
