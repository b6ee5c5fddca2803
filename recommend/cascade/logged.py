"""What a feed writes down of its pages, and the log that is made of it: the tables of ``recommend.data.schema``.

What a model reads was written down when the page was made, not looked up afterwards, so that nothing of the future is
in it. Posts are rows of the entity "post" beside those of things. A post has no price, no stock and no seller but its
author; its channel is that of posts (``video``), so that models of things can tell the two apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from recommend.cascade.catalog import Catalog
from recommend.cascade.page import Slate, TraceLine
from recommend.cascade.posts import PlacedPost
from recommend.cascade.request import ADS, DAY_MS, FEED, HOUR_MS, VIDEO, Moment
from recommend.cascade.visitors import Visitor
from recommend.data.schema import ENTITIES, POLICIES, TABLES, columns, conform, day_file

Row = dict[str, Any]
SCORES = ("pctr", "pcvr", "score", "bid", "ecpm", "price_per_click", "policy", "propensity", "pre_rank", "rank")
POST = ENTITIES.index("post")
ORGANIC = POLICIES.index("organic")
NOT_OF_POSTS = {
    "item_id": -1, "condition": 0, "price": 0.0, "price_bucket": 0, "stock": 0, "single": False, "is_ad": False,
    "propensity": 1.0, "cart": False, "order": False, "refund": False,
}  # fmt: skip


def request_facts(visitor: Visitor, moment: Moment) -> Row:
    """Facts of a request at the moment of its page, as the log's columns."""
    past = list(visitor.history)
    return {
        "hour": moment.hour,
        "promotion": moment.promotion,
        "days_to_promotion": moment.days_to_promotion,
        "history_item": [p.item_id for p in past],
        "history_category": [p.category for p in past],
        "history_single": [int(p.single) for p in past],
        "history_post": [p.post_id for p in visitor.posts],
        "history_age_h": [round((moment.time_ms - p.time_ms) / HOUR_MS, 3) for p in past],
    }


def item_facts(line: TraceLine, catalog: Catalog) -> Row:
    """What was known of a thing on a page."""
    rows = catalog.rows([line.item_id])  # none when it was sold meanwhile
    names = ("condition", "price", "price_bucket")
    facts = {n: catalog.get(n, rows)[0].item() if len(rows) else 0 for n in names}
    content = catalog.content(rows)[0] if len(rows) else np.zeros(catalog.content_size)
    return {
        **{name: getattr(line, name) for name in ("item_id", "seller_id", "category", "single", "stock")},
        "item_age_h": round(line.age_h, 3),
        "content": rounded(content),
        **facts,
    }


def item_scores(line: TraceLine) -> Row:
    """How it was scored."""
    return {name: getattr(line, name) for name in SCORES}


def post_facts(place: PlacedPost) -> Row:
    """What was known of a post on a page."""
    names = ("post_id", "author_id", "category", "topic", "length", "created_ms")
    facts = {name: getattr(place.post, name) for name in names}
    return {**facts, "item_age_h": round(place.age_h, 3), "content": rounded(place.post.content)}


def candidates(slate: Slate) -> dict[str, list[Any]]:
    """Candidates of the ranking stage for a page, by column."""
    ranked = slate.ranked
    return {
        "item_id": ranked.item_id.tolist(),
        "policy": [str(name) for name in ranked.policy],
        "pctr": np.round(ranked.pctr.astype(np.float64), 6).tolist(),
        "bid": np.round(ranked.bid.astype(np.float64), 4).tolist(),
        "rank": ranked.rank.tolist(),
        "shown": ranked.displayed.tolist(),
    }


def rounded(content: Iterable[float] | np.ndarray) -> list[float]:
    """A content vector as it is written down."""
    return [round(v, 4) for v in np.asarray(content, np.float64).tolist()]


@dataclass(frozen=True)
class LoggedPage:
    """A page as it was written down; ``known``: ``request_facts``."""

    time_ms: int
    visitor: int
    known: Row


@dataclass(frozen=True)
class Bought:
    """An order of a thing on a page; ``refunded_ms``: -1 while it stays."""

    order_id: int
    time_ms: int
    amount: float
    refunded_ms: int = -1


class LogRows:
    """Rows of a log by table and day (0: of none), and what they name: things, the latest bid of each, visitors, posts.

    Args:
        content: numbers of a content vector.

    Attributes:
        written: whether files were written before, so that a table without rows needs none.
    """

    def __init__(self, content: int) -> None:
        self.content = content
        self.tables: dict[str, dict[int, list[Row]]] = {name: defaultdict(list) for name in TABLES}
        self.items: dict[int, Row] = {}
        self.bids: dict[int, float] = {}
        self.posts: dict[int, Row] = {}
        self.visitors: set[int] = set()
        self.requests = self.impressions = 0
        self.written = False

    def begin(self) -> None:
        """The rows that follow are of another page."""
        self.requests += 1

    def add_post(self, page: LoggedPage, facts: Row, position: int, clicked_ms: int | None) -> None:
        """A post that was seen on the page."""
        self.posts.setdefault(int(facts["post_id"]), facts)
        of_post = {**NOT_OF_POSTS, "entity": POST, "seller_id": facts["author_id"], "channel": VIDEO, "policy": ORGANIC}
        row = self._impression(page, facts, position, **of_post, click=clicked_ms is not None)
        if clicked_ms is not None:
            self._add("click", {**row, **_when(clicked_ms, page.time_ms)})

    def add_item(
        self, page: LoggedPage, facts: Row, scores: Row, placed: tuple[int, str], at: Mapping[str, int],
        bought: Bought | None = None,
    ) -> int:  # fmt: skip
        """A thing that was seen on the page; returns the number of the impression.

        Args:
            placed: its position, and the reason for which it stood there.
            at: moments of its events (``click``, ``cart``).
        """
        item_id, ad = int(facts["item_id"]), placed[1] == "ad"
        self.items.setdefault(item_id, {**facts, "listed_ms": page.time_ms - int(facts["item_age_h"] * HOUR_MS)})
        self.bids[item_id] = scores["bid"] or self.bids.get(item_id, 0.0)
        # An order without a reported click was a click all the same: nobody buys what they did not open.
        clicked = at.get("click", bought.time_ms if bought else None)
        row = self._impression(
            page,
            facts,
            placed[0],
            entity=0,
            post_id=-1,
            channel=ADS if ad else FEED,
            policy=POLICIES.index(scores.get("policy", "ads" if ad else "organic")),
            is_ad=ad,
            propensity=scores.get("propensity", 1.0),
            click=clicked is not None,
            cart="cart" in at,
            order=bought is not None,
            refund=bought is not None and bought.refunded_ms >= 0,
        )
        for kind, moment in (("click", clicked), ("cart", at.get("cart"))):
            if moment is not None:
                self._add(kind, {**row, **_when(moment, page.time_ms)})
        if bought is not None and clicked is not None:
            order = {**row, "order_id": bought.order_id, "amount": bought.amount}
            self._add("order", {**order, **_when(bought.time_ms, clicked)})
            if bought.refunded_ms >= 0:
                self._add("refund", {**order, **_when(bought.refunded_ms, bought.time_ms)})
        return self.impressions

    def add_candidates(self, page: LoggedPage, of: Mapping[str, list[Any]]) -> None:
        """Candidates of the page (``candidates``), with their bids."""
        same = {"request_id": self.requests, "user_id": page.visitor, **_when(page.time_ms)}
        names = ("item_id", "policy", "pctr", "bid", "rank", "shown")
        for item_id, policy, pctr, bid, rank, on_page in zip(*(of[n] for n in names), strict=True):
            self.bids[item_id] = bid or self.bids.get(item_id, 0.0)
            candidate = {**same, "item_id": item_id, "policy": POLICIES.index(policy), "rank_score": pctr, "bid": bid}
            self._add("candidate", {**candidate, "rank": rank, "shown": on_page})

    def name(self) -> None:
        """Rows of the things, posts and visitors that were named."""
        none = [0.0] * self.content
        for item_id, facts in sorted(self.items.items()):
            bid, content = self.bids.get(item_id, 0.0), facts["content"] or none
            self._add("item", {**facts, "item_id": item_id, "is_ad": bid > 0, "bid": bid, "content": content})
        for _, facts in sorted(self.posts.items()):
            self._add("post", {**facts, "item_id": -1, "content": facts["content"] or none})
        for visitor in sorted(self.visitors):
            self._add("user", {"user_id": visitor, "age_group": 0, "city": 0, "activity": 0, "joined_ms": 0})

    def write(self, out: Path, first: int) -> dict[str, int]:
        """Write what came since the last call into a folder, one file a table and day; rows by table.

        Args:
            first: day of what belongs to none.
        """
        count: dict[str, int] = {}
        for name, by_day in self.tables.items():
            for day, rows in (by_day or ({} if self.written else {first: []})).items():
                table = conform(name, {column: [row[column] for row in rows] for column in columns(name)})
                file = day_file(out, name, day or first)
                file.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(table, file, write_page_checksum=True)
                count[name] = count.get(name, 0) + table.num_rows
            by_day.clear()
        self.written = True
        return count

    def _add(self, table: str, row: Row) -> None:
        self.tables[table][row.get("day", 0)].append(row)

    def _impression(self, page: LoggedPage, facts: Row, position: int, **values: Any) -> Row:
        self.impressions += 1
        self.visitors.add(page.visitor)
        row = {"history_post": [], **page.known, "user_id": page.visitor, "request_id": self.requests, **facts,
               "impression_id": self.impressions, "position": position, **_when(page.time_ms), "dwell_s": 0.0,
               "privileged": [], **values}  # fmt: skip
        self._add("impression", row)
        return row


def _when(time_ms: int, cause_ms: int | None = None) -> dict[str, int]:
    """The columns of a moment, and how long after its cause it came."""
    delay = max(time_ms - (time_ms if cause_ms is None else cause_ms), 0)
    return {"time_ms": time_ms, "day": time_ms // DAY_MS, "delay_ms": delay}
