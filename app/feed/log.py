"""The store's own feed as a log to train on: the tables and columns of ``recommend.data.schema``, one partition a day.

What a model reads was written down when the page was made, not looked up afterwards, so that nothing of the future is
in it. Labels are what is known when the log is written; an order that comes later stands in the next log.
"""

from __future__ import annotations

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
from app.feed.post_log import add_post, post_facts
from app.store.db import Store
from app.store.tables import FeedCandidatesRow, FeedEventRow, FeedItemRow, FeedPageRow, FeedPostRow, FeedRow, OrderRow
from recommend.cascade.request import ADS, DAY_MS, FEED
from recommend.data.schema import POLICIES, TABLES, columns, conform, day_file

Rows = dict[str, list[Any]]
PAGES_AT_ONCE = 500


@dataclass(frozen=True)
class Written:
    """Rows of a log by table, and its days."""

    rows: dict[str, int]
    days: int


@dataclass(frozen=True)
class _Outcome:
    clicked: datetime | None = None
    carted: datetime | None = None
    order: OrderRow | None = None


def write_log(store: Store, out: Path, seen_only: bool = True) -> Written:
    """Write the log into a folder.

    Args:
        seen_only: leave out what was on a page but was never reported as seen.
    """
    tables: dict[str, dict[int, Rows]] = {name: defaultdict(_empty(name)) for name in TABLES}
    items: dict[int, dict[str, Any]] = {}
    bids: dict[int, float] = {}
    visitors: set[int] = set()
    posts: dict[int, dict[str, Any]] = {}
    request = number = 0

    def append(table: str, day: int, values: dict[str, Any]) -> None:
        _append(tables[table][day], values)

    with store.read() as session:
        considered = set(session.scalars(select(FeedCandidatesRow.page_id)))
        for page, rows, of_posts in _pages(session):
            request += 1
            kept = [row for row in rows if row.seen_at is not None or not seen_only]
            for post in of_posts:
                if post.seen_at is not None or not seen_only:
                    visitors.add(page.visitor)
                    posts.setdefault(int(post.known["post_id"]), post.known)
                    number += 1
                    add_post(append, page, post, number, request)
            outcomes = _outcomes(session, kept)
            for row in kept:
                visitors.add(page.visitor)
                item_id = int(row.known["item_id"])
                listed = milliseconds(page.at) - int(row.known["item_age_h"] * 3_600_000)
                items.setdefault(item_id, {**row.known, "listed_ms": listed})
                bids[item_id] = row.scores["bid"] or bids.get(item_id, 0.0)
                number += 1
                _add(tables, page, row, outcomes.get(row.id, _Outcome()), number, request)
            if kept and page.id in considered:
                _add_candidates(session, tables, page, request, bids)
        items |= _as_they_came(session, {*items, *bids})
    for item_id in sorted(items):
        _append(tables["item"][0], _item(item_id, items[item_id], bids.get(item_id, 0.0)))
    for post_id in sorted(posts):
        append("post", 0, post_facts(posts[post_id]))
    for visitor in sorted(visitors):
        _append(tables["user"][0], {"user_id": visitor, "age_group": 0, "city": 0, "activity": 0, "joined_ms": 0})
    days = sorted(tables["impression"])
    count: dict[str, int] = {}
    for name, by_day in tables.items():
        for day in by_day or {days[0] if days else 0: _empty(name)()}:
            table = conform(name, by_day[day])
            # Things and people belong to no day; they stand on the log's first.
            file = day_file(out, name, day or (days[0] if days else 0))
            file.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, file, write_page_checksum=True)
            count[name] = count.get(name, 0) + table.num_rows
    return Written(count, len(days))


def _pages(session: Session) -> Iterator[tuple[FeedPageRow, list[FeedRow], list[FeedPostRow]]]:
    pages = session.scalars(select(FeedPageRow).order_by(FeedPageRow.at, FeedPageRow.id)).all()
    for start in range(0, len(pages), PAGES_AT_ONCE):
        part = pages[start : start + PAGES_AT_ONCE]
        query = select(FeedRow).where(FeedRow.page_id.in_([p.id for p in part])).order_by(FeedRow.position)
        rows = defaultdict(list)
        for row in session.scalars(query):
            rows[row.page_id].append(row)
        posts = defaultdict(list)
        of_posts = (
            select(FeedPostRow).where(FeedPostRow.page_id.in_([p.id for p in part])).order_by(FeedPostRow.position)
        )
        for post in session.scalars(of_posts):
            posts[post.page_id].append(post)
        for page in part:
            yield page, rows[page.id], posts[page.id]


def _outcomes(session: Session, rows: list[FeedRow]) -> dict[int, _Outcome]:
    ids = [row.id for row in rows]
    at: dict[tuple[int, str], datetime] = {}
    for event in session.scalars(select(FeedEventRow).where(FeedEventRow.row_id.in_(ids))):
        at[event.row_id, event.kind] = event.at
    orders = {o.row_id: o for o in session.scalars(select(OrderRow).where(OrderRow.row_id.in_(ids)))}
    return {i: _Outcome(at.get((i, "click")), at.get((i, "cart")), orders.get(i)) for i in ids}


def _add(
    tables: dict[str, dict[int, Rows]], page: FeedPageRow, row: FeedRow, came: _Outcome, number: int, request: int
) -> None:
    time_ms = milliseconds(page.at)
    day = time_ms // DAY_MS
    ad = row.reason == "ad"
    # An order without a reported click was a click all the same: nobody buys what they did not open.
    clicked = came.clicked or (came.order.at if came.order else None)
    known = {**page.known, **{k: v for k, v in row.known.items() if k != "content"}}
    impression = {
        **known,
        "impression_id": number,
        "request_id": request,
        "time_ms": time_ms,
        "day": day,
        "user_id": page.visitor,
        "entity": 0,
        "post_id": -1,
        "channel": ADS if ad else FEED,
        "policy": POLICIES.index(row.scores.get("policy", "ads" if ad else "organic")),
        "is_ad": ad,
        "position": row.position,
        "propensity": row.scores.get("propensity", 1.0),
        "history_post": page.known.get("history_post", []),
        "dwell_s": 0.0,
        "privileged": [],
        "click": clicked is not None,
        "cart": came.carted is not None,
        "order": came.order is not None,
        "refund": came.order is not None and came.order.refunded_at is not None,
    }
    _append(tables["impression"][day], {name: impression[name] for name in columns("impression")})
    base = {"impression_id": number, "user_id": page.visitor, "item_id": int(row.known["item_id"])}
    if clicked is not None:
        _append(tables["click"][milliseconds(clicked) // DAY_MS],
                {**base, **_when(clicked, time_ms), "post_id": -1, "channel": impression["channel"]})  # fmt: skip
    if came.carted is not None:
        _append(tables["cart"][milliseconds(came.carted) // DAY_MS], {**base, **_when(came.carted, time_ms)})
    if came.order is not None and clicked is not None:
        amount = came.order.amount or 0.0
        more = {"order_id": row.id, "amount": amount}
        bought = milliseconds(came.order.at)
        _append(tables["order"][bought // DAY_MS], {**base, **_when(came.order.at, milliseconds(clicked)), **more})
        if came.order.refunded_at is not None:
            back = came.order.refunded_at
            _append(tables["refund"][milliseconds(back) // DAY_MS], {**base, **_when(back, bought), **more})


def _when(at: datetime, cause_ms: int) -> dict[str, int]:
    time_ms = milliseconds(at)
    return {"time_ms": time_ms, "day": time_ms // DAY_MS, "delay_ms": max(time_ms - cause_ms, 0)}


def _add_candidates(
    session: Session, tables: dict[str, dict[int, Rows]], page: FeedPageRow, request: int, bids: dict[int, float]
) -> None:
    """What was considered for the page; ``bids`` gets the latest bid of each thing."""
    row = session.get_one(FeedCandidatesRow, page.id)
    time_ms = milliseconds(page.at)
    same = {"request_id": request, "time_ms": time_ms, "day": time_ms // DAY_MS, "user_id": page.visitor}
    names = ("item_id", "policy", "pctr", "bid", "rank", "shown")
    for item_id, policy, pctr, bid, rank, shown in zip(*(row.columns[n] for n in names), strict=True):
        bids[item_id] = bid or bids.get(item_id, 0.0)
        _append(
            tables["candidate"][time_ms // DAY_MS],
            {**same, "item_id": item_id, "policy": POLICIES.index(policy), "rank_score": pctr, "bid": bid,
             "rank": rank, "shown": shown},
        )  # fmt: skip


def _as_they_came(session: Session, ids: set[int]) -> dict[int, dict[str, Any]]:
    """What was known of things when they came; of those that came before this was written down nothing."""
    found: dict[int, dict[str, Any]] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), PAGES_AT_ONCE):
        part = wanted[start : start + PAGES_AT_ONCE]
        for row in session.scalars(select(FeedItemRow).where(FeedItemRow.item_id.in_(part))):
            found[row.item_id] = row.known
    return found


def _item(item_id: int, known: dict[str, Any], bid: float) -> dict[str, Any]:
    return {
        "item_id": item_id,
        **{n: known[n] for n in ("seller_id", "category", "condition", "price", "price_bucket", "stock", "single")},
        "is_ad": bid > 0,
        "bid": bid,
        "listed_ms": known["listed_ms"],
        "content": known["content"] or [0.0] * CONTENT,
    }


def _empty(table: str) -> Any:
    return lambda: {column.name: [] for column in TABLES[table]}


def _append(rows: Rows, values: dict[str, Any]) -> None:
    for name, column in rows.items():
        column.append(values[name])
