"""The store's own feed as a log to train on: the tables and columns of ``recommend.data.schema``, one partition a day.

What a model reads was written down when the page was made, not looked up afterwards, so that nothing of the future is
in it. Labels are what is known when the log is written; an order that comes later stands in the next log.

Posts are rows of the entity "post" beside those of things. A post has no price, no stock and no seller but its author;
its channel is that of posts (``video``), so that models of things can tell the two apart.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.feed.items import CONTENT, milliseconds
from app.market.promotions import read_calendar
from app.store.db import Store
from app.store.tables import FeedCandidatesRow, FeedEventRow, FeedItemRow, FeedPageRow, FeedPostRow, FeedRow, OrderRow
from recommend.cascade.request import ADS, DAY_MS, FEED, VIDEO
from recommend.data.schema import CALENDAR, ENTITIES, POLICIES, TABLES, columns, conform, day_file

Row = dict[str, Any]
PAGES_AT_ONCE = 500
POST = ENTITIES.index("post")
ORGANIC = POLICIES.index("organic")
NOT_OF_POSTS = {
    "item_id": -1, "condition": 0, "price": 0.0, "price_bucket": 0, "stock": 0, "single": False, "is_ad": False,
    "propensity": 1.0, "cart": False, "order": False, "refund": False,
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """Rows of a log by table, and its days."""

    rows: dict[str, int]
    days: int


def write_log(store: Store, out: Path) -> Written:
    """Write what was reported as seen into a folder."""
    with store.read() as session:
        log = _Log(session)
        for page, rows, posts in _pages(session):
            log.add_page(
                page,
                [row for row in rows if row.seen_at is not None],
                [post for post in posts if post.seen_at is not None],
            )
        log.add_what_was_named()
    days = sorted(log.tables["impression"])
    first = days[0] if days else 0  # things and people belong to no day; they stand on the log's first
    count: dict[str, int] = {}
    for name, by_day in log.tables.items():
        for day, table_rows in (by_day or {first: []}).items():
            table = conform(name, {column: [row[column] for row in table_rows] for column in columns(name)})
            file = day_file(out, name, day or first)
            file.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, file, write_page_checksum=True)
            count[name] = count.get(name, 0) + table.num_rows
    calendar = read_calendar(store).promotions
    if calendar:  # also those that were declared when their days were over, which no page knew
        promoted = [day for promotion in calendar for day in promotion.numbers]
        (out / CALENDAR).write_text(json.dumps(promoted), encoding="utf-8")
    return Written(count, len(days))


def _pages(session: Session) -> Iterator[tuple[FeedPageRow, list[FeedRow], list[FeedPostRow]]]:
    pages = session.scalars(select(FeedPageRow).order_by(FeedPageRow.at, FeedPageRow.id)).all()
    for start in range(0, len(pages), PAGES_AT_ONCE):
        part = pages[start : start + PAGES_AT_ONCE]
        ids = [page.id for page in part]
        rows, posts = defaultdict(list), defaultdict(list)
        for row in session.scalars(select(FeedRow).where(FeedRow.page_id.in_(ids)).order_by(FeedRow.position)):
            rows[row.page_id].append(row)
        of_posts = select(FeedPostRow).where(FeedPostRow.page_id.in_(ids)).order_by(FeedPostRow.position)
        for post in session.scalars(of_posts):
            posts[post.page_id].append(post)
        for page in part:
            yield page, rows[page.id], posts[page.id]


class _Log:
    """Rows by table and day (0: of none), and what they name: things, the latest bid of each, visitors, posts."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.tables: dict[str, dict[int, list[Row]]] = {name: defaultdict(list) for name in TABLES}
        self.items: dict[int, Row] = {}
        self.bids: dict[int, float] = {}
        self.posts: dict[int, Row] = {}
        self.visitors: set[int] = set()
        self.requests = self.impressions = 0
        self.considered = set(session.scalars(select(FeedCandidatesRow.page_id)))

    def add_page(self, page: FeedPageRow, rows: list[FeedRow], posts: list[FeedPostRow]) -> None:
        """Impressions of a page, with their clicks, carts and orders."""
        self.requests += 1
        for post in posts:
            self._add_post(page, post)
        ids = [row.id for row in rows]
        events = self.session.scalars(select(FeedEventRow).where(FeedEventRow.row_id.in_(ids)))
        at = {(event.row_id, event.kind): event.at for event in events}
        orders = {o.row_id: o for o in self.session.scalars(select(OrderRow).where(OrderRow.row_id.in_(ids)))}
        for row in rows:
            self._add_item(page, row, at.get((row.id, "click")), at.get((row.id, "cart")), orders.get(row.id))
        if rows and page.id in self.considered:
            self._add_candidates(page)

    def add_what_was_named(self) -> None:
        """Things, posts and visitors; of things what was known when they came, as far as that was written down."""
        ids = sorted({*self.items, *self.bids})
        for start in range(0, len(ids), PAGES_AT_ONCE):
            part = FeedItemRow.item_id.in_(ids[start : start + PAGES_AT_ONCE])
            self.items |= {row.item_id: row.known for row in self.session.scalars(select(FeedItemRow).where(part))}
        for item_id, facts in sorted(self.items.items()):
            bid = self.bids.get(item_id, 0.0)
            content = facts["content"] or [0.0] * CONTENT
            self._add("item", {**facts, "item_id": item_id, "is_ad": bid > 0, "bid": bid, "content": content})
        for _, facts in sorted(self.posts.items()):
            self._add("post", {**facts, "item_id": -1, "content": facts["content"] or [0.0] * CONTENT})
        for visitor in sorted(self.visitors):
            self._add("user", {"user_id": visitor, "age_group": 0, "city": 0, "activity": 0, "joined_ms": 0})

    def _add(self, table: str, row: Row) -> None:
        self.tables[table][row.get("day", 0)].append(row)

    def _impression(self, page: FeedPageRow, row: FeedRow | FeedPostRow, **values: Any) -> Row:
        self.impressions += 1
        self.visitors.add(page.visitor)
        of_page = {"history_post": [], **page.known, "user_id": page.visitor, "request_id": self.requests}
        facts = {**of_page, **row.known, "impression_id": self.impressions, "position": row.position}
        impression = {**facts, **_when(page.at), "dwell_s": 0.0, "privileged": [], **values}
        self._add("impression", impression)
        return impression

    def _add_post(self, page: FeedPageRow, row: FeedPostRow) -> None:
        facts, clicked = row.known, row.clicked_at
        self.posts.setdefault(int(facts["post_id"]), facts)
        of_post = {**NOT_OF_POSTS, "entity": POST, "seller_id": facts["author_id"], "channel": VIDEO, "policy": ORGANIC}
        impression = self._impression(page, row, **of_post, click=clicked is not None)
        if clicked is not None:
            self._add("click", {**impression, **_when(clicked, page.at)})

    def _add_item(
        self, page: FeedPageRow, row: FeedRow, clicked: datetime | None, carted: datetime | None, order: OrderRow | None
    ) -> None:
        item_id, ad = int(row.known["item_id"]), row.reason == "ad"
        listed = milliseconds(page.at) - int(row.known["item_age_h"] * 3_600_000)
        self.items.setdefault(item_id, {**row.known, "listed_ms": listed})
        self.bids[item_id] = row.scores["bid"] or self.bids.get(item_id, 0.0)
        # An order without a reported click was a click all the same: nobody buys what they did not open.
        clicked = clicked or (order.at if order else None)
        impression = self._impression(
            page,
            row,
            entity=0,
            post_id=-1,
            channel=ADS if ad else FEED,
            policy=POLICIES.index(row.scores.get("policy", "ads" if ad else "organic")),
            is_ad=ad,
            propensity=row.scores.get("propensity", 1.0),
            click=clicked is not None,
            cart=carted is not None,
            order=order is not None,
            refund=order is not None and order.refunded_at is not None,
        )
        if clicked is not None:
            self._add("click", {**impression, **_when(clicked, page.at)})
        if carted is not None:
            self._add("cart", {**impression, **_when(carted, page.at)})
        if order is not None and clicked is not None:
            bought = {**impression, "order_id": row.id, "amount": order.amount or 0.0}
            self._add("order", {**bought, **_when(order.at, clicked)})
            if order.refunded_at is not None:
                self._add("refund", {**bought, **_when(order.refunded_at, order.at)})

    def _add_candidates(self, page: FeedPageRow) -> None:
        """Candidates of the page, with their bids."""
        row = self.session.get_one(FeedCandidatesRow, page.id)
        same = {"request_id": self.requests, "user_id": page.visitor, **_when(page.at)}
        names = ("item_id", "policy", "pctr", "bid", "rank", "shown")
        for item_id, policy, pctr, bid, rank, on_page in zip(*(row.columns[n] for n in names), strict=True):
            self.bids[item_id] = bid or self.bids.get(item_id, 0.0)
            candidate = {**same, "item_id": item_id, "policy": POLICIES.index(policy), "rank_score": pctr, "bid": bid}
            self._add("candidate", {**candidate, "rank": rank, "shown": on_page})


def _when(at: datetime, cause: datetime | None = None) -> dict[str, int]:
    """The columns of a moment, and how long after its cause it came."""
    time_ms = milliseconds(at)
    delay_ms = max(time_ms - milliseconds(cause or at), 0)
    return {"time_ms": time_ms, "day": time_ms // DAY_MS, "delay_ms": delay_ms}
