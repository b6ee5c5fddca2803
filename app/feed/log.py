"""The store's own feed as a log to train on (``recommend.cascade.logged``), one partition a day.

Labels are what is known when the log is written; an order that comes later stands in the next log.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.feed.items import CONTENT, milliseconds
from app.market.promotions import read_calendar
from app.store.db import Store
from app.store.tables import FeedEventRow, FeedItemRow, FeedPageRow, FeedPostRow, FeedRow, OrderRow
from recommend.cascade.logged import Bought, LoggedPage, LogRows
from recommend.data.schema import CALENDAR

PAGES_AT_ONCE = 500


@dataclass(frozen=True)
class Written:
    """Rows of a log by table, and its days."""

    rows: dict[str, int]
    days: int


def write_log(store: Store, out: Path) -> Written:
    """Write what was reported as seen into a folder."""
    log = LogRows(CONTENT)
    with store.read() as session:
        considered = set(session.scalars(select(FeedPageRow.id).where(FeedPageRow.candidates.is_not(None))))
        for page, rows, posts in _pages(session):
            seen = [row for row in rows if row.seen_at is not None]
            _add(session, log, page, seen, [post for post in posts if post.seen_at is not None])
            if seen and page.id in considered:
                log.add_candidates(_logged(page), page.candidates or {})
        ids = sorted({*log.items, *log.bids})
        for start in range(0, len(ids), PAGES_AT_ONCE):  # what was known of things when they came
            part = FeedItemRow.item_id.in_(ids[start : start + PAGES_AT_ONCE])
            log.items |= {row.item_id: row.known for row in session.scalars(select(FeedItemRow).where(part))}
    log.name()
    days = sorted(log.tables["impression"])
    count = log.write(out, days[0] if days else 0)
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


def _logged(page: FeedPageRow) -> LoggedPage:
    return LoggedPage(milliseconds(page.at), page.visitor, page.known)


def _add(session: Session, log: LogRows, page: FeedPageRow, rows: list[FeedRow], posts: list[FeedPostRow]) -> None:
    """Impressions of a page, with their clicks, carts and orders."""
    log.begin()
    of_page = _logged(page)
    for post in posts:
        clicked_ms = None if post.clicked_at is None else milliseconds(post.clicked_at)
        log.add_post(of_page, post.known, post.position, clicked_ms)
    ids = [row.id for row in rows]
    at: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for event in session.scalars(select(FeedEventRow).where(FeedEventRow.row_id.in_(ids))):
        at[event.row_id][event.kind] = milliseconds(event.at)
    orders = {o.row_id: o for o in session.scalars(select(OrderRow).where(OrderRow.row_id.in_(ids)))}
    for row in rows:
        order, bought = orders.get(row.id), None
        if order is not None:
            refunded_ms = -1 if order.refunded_at is None else milliseconds(order.refunded_at)
            bought = Bought(row.id, milliseconds(order.at), order.amount or 0.0, refunded_ms)
        log.add_item(of_page, row.known, row.scores, (row.position, row.reason), at[row.id], bought)
