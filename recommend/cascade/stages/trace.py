"""The trace: what stands on the page and why, what fell, and which model scored."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from recommend.cascade.catalog import Catalog, among
from recommend.cascade.page import PageState, Ranked, Slate, TraceLine
from recommend.cascade.posts import ROLE as POSTS
from recommend.cascade.posts import around, slots


class Trace:
    """Writes the page and its explanation.

    Args:
        explained: ranked items kept beside the page.
    """

    name = "trace"

    def __init__(self, catalog: Catalog, explained: int) -> None:
        self.catalog, self.explained = catalog, explained

    def __call__(self, page: PageState) -> None:
        """Fill ``page.slate``."""
        lines = _Lines(page, self.catalog, self.explained)
        of_items, of_posts = around(len(page.places), slots(page.size, len(page.posts)))
        posts = tuple(replace(post, position=n) for post, n in zip(page.posts, of_posts, strict=True))
        on_page = tuple(lines.line(p.candidate, n, p.reason) for n, p in zip(of_items, page.places, strict=True))
        counts = {
            "live": len(self.catalog),
            "candidates": len(page.rows),
            "ranked": len(page.ranked),
            "page": len(on_page) + len(posts),
        }
        models, degraded = _models(page)
        page.slate = Slate(
            user_id=page.visitor.user_id,
            moment=page.moment,
            page=on_page,
            explained=lines,
            counts=counts,
            ms=page.ms,
            models=models,
            degraded=degraded,
            posts=posts,
        )


class _Lines:
    """Lines of the trace for one page. What all of them read is turned into plain numbers at once."""

    def __init__(self, page: PageState, catalog: Catalog, explained: int) -> None:
        self.page, self.explained = page, explained
        self.rank, pre_rank = _ranks(page.score), _ranks(page.pre_score)
        self.ids = catalog.get("item_id", page.ranked)
        columns = {
            "item_id": self.ids,
            "pre_rank": pre_rank[page.chosen],
            "pre_score": page.pre_score[page.chosen],
            "rank": self.rank,
            "pctr": page.click.values,
            "score": page.score,
            "bid": page.bid,
            "seller_id": page.seller,
            "age_h": page.age_h,
            "impressions": page.impressions,
            **{name: catalog.get(name, page.ranked) for name in ("category", "single", "stock")},
        }
        self.facts = {name: values.tolist() for name, values in columns.items()}
        self.pcvr = None if page.order.by == "none" else page.order.values.tolist()
        self.in_source = {name: among(page.ranked, rows).tolist() for name, rows in page.sources.items()}
        self.ecpm = dict(zip(page.bidding.tolist(), page.outcome.ecpm.tolist(), strict=True))
        terms = zip(page.outcome.price.tolist(), page.outcome.propensity.tolist(), strict=True)
        self.terms = dict(zip(page.winners, terms, strict=True))
        self.chooser = "uniform" if page.outcome.uniform else "ads"
        self.of_seller = Counter(self.facts["seller_id"][p.candidate] for p in page.places)
        self.last = max((self.facts["rank"][p.candidate] for p in page.places if p.reason == "ranked"), default=-1)

    def line(self, i: int, position: int | None, reason: str) -> TraceLine:
        """The i-th ranked item."""
        price, propensity = self.terms[i] if reason == "ad" else (None, 1.0)
        return TraceLine(
            position=position,
            reason=reason,
            sources=tuple(name for name, in_source in self.in_source.items() if in_source[i]),
            pcvr=None if self.pcvr is None else self.pcvr[i],
            ecpm=self.ecpm.get(i),
            price_per_click=price,
            policy=self.chooser if reason == "ad" else "organic",
            propensity=propensity,
            **{name: values[i] for name, values in self.facts.items()},
        )

    def fell(self) -> tuple[TraceLine, ...]:
        """The best ranked items that are not on the page."""
        on_page = {place.candidate for place in self.page.places}
        order = np.argsort(-self.page.score, kind="stable").tolist()
        return tuple(
            self.line(i, None, self.why_not(i)) for i in [i for i in order if i not in on_page][: self.explained]
        )

    def why_not(self, i: int) -> str:
        """Why the i-th ranked item is not on the page."""
        if not self.page.alive[i]:
            return "fell: sold meanwhile"
        rank, of_seller = self.facts["rank"][i], self.of_seller[self.facts["seller_id"][i]]
        if rank < self.last and of_seller:
            return f"fell: {of_seller} of this seller on the page already"
        if rank < self.last:
            return "fell: made room for exploration or an ad"
        return f"fell: rank {rank + 1} is below the last on the page"

    def considered(self) -> Ranked:
        """All ranked items: first as organic ones, then those that bid as ads."""
        page, ids, bidding = self.page, self.ids, self.page.bidding
        ads = [p.candidate for p in page.places if p.reason == "ad"]
        organic = [p.candidate for p in page.places if p.reason != "ad"]
        return Ranked(
            item_id=np.concatenate([ids, ids[bidding]]),
            policy=np.repeat(["organic", self.chooser], [len(ids), len(bidding)]),
            pctr=np.concatenate([page.click.values, page.ads.values]),
            bid=np.concatenate([np.zeros(len(ids)), page.bid[bidding]]),
            rank=np.concatenate([self.rank, np.argsort(np.argsort(-page.outcome.ecpm, kind="stable"))]),
            displayed=np.concatenate([np.isin(np.arange(len(ids)), organic), np.isin(bidding, ads)]),
        )


def _ranks(score: np.ndarray) -> np.ndarray:
    """(n,) 0-based rank of each, best first."""
    rank = np.empty(len(score), np.int64)
    rank[np.argsort(-score, kind="stable")] = np.arange(len(score))
    return rank


def _models(page: PageState) -> tuple[dict[str, str], tuple[str, ...]]:
    """The scoring models by role, and the roles in which a simpler way had to do."""
    pre, click, order, ads = page.pre, page.click, page.order, page.ads
    used = {
        "pre_ranking": (pre.by, pre.degraded) if pre else ("-", True),
        "ranking": (click.by, click.degraded),
        "conversion": (order.by, order.degraded),
        "ads": (ads.by, ads.degraded),
    }
    if click.knowledge is not None:  # so is whether a ranker that reads knowledge had any
        used["knowledge"] = (click.knowledge.by, click.knowledge.missing)
    if page.posts:
        used[POSTS] = (page.post_scores.by, page.post_scores.degraded)
    return {role: by for role, (by, _) in used.items()}, tuple(role for role, (_, simpler) in used.items() if simpler)
