"""Posts in the log to train on: rows of the entity "post" beside those of things, in the columns of the same schema.

A post has no price, no stock and no seller but its author. The channel is that of posts (``video``), so that models of
things can tell the two apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.feed.items import CONTENT, milliseconds
from app.store.tables import FeedPageRow, FeedPostRow
from recommend.cascade.request import DAY_MS, VIDEO
from recommend.data.schema import ENTITIES, POLICIES, columns

Append = Callable[[str, int, dict[str, Any]], None]  # table, day, row
POST = ENTITIES.index("post")
NONE = {
    "item_id": -1, "condition": 0, "price": 0.0, "price_bucket": 0, "stock": 0, "single": False, "is_ad": False,
    "propensity": 1.0, "dwell_s": 0.0, "privileged": [], "cart": False, "order": False, "refund": False,
}  # fmt: skip


def add_post(append: Append, page: FeedPageRow, row: FeedPostRow, number: int, request: int) -> None:
    """A post that was seen, and the click on it if there was one."""
    time_ms = milliseconds(page.at)
    known, day = row.known, time_ms // DAY_MS
    impression = {
        "history_post": [],
        **page.known,
        **NONE,
        "impression_id": number,
        "request_id": request,
        "time_ms": time_ms,
        "day": day,
        "user_id": page.visitor,
        "entity": POST,
        "post_id": known["post_id"],
        "seller_id": known["author_id"],
        "category": known["category"],
        "item_age_h": known["item_age_h"],
        "channel": VIDEO,
        "policy": POLICIES.index("organic"),
        "position": row.position,
        "click": row.clicked_at is not None,
    }
    append("impression", day, {name: impression[name] for name in columns("impression")})
    if row.clicked_at is not None:
        clicked = milliseconds(row.clicked_at)
        append(
            "click",
            clicked // DAY_MS,
            {"impression_id": number, "user_id": page.visitor, "item_id": -1, "time_ms": clicked,
             "day": clicked // DAY_MS, "delay_ms": max(clicked - time_ms, 0), "post_id": known["post_id"],
             "channel": VIDEO},
        )  # fmt: skip


def post_facts(known: dict[str, Any]) -> dict[str, Any]:
    """The post's row in the table of posts."""
    return {
        "post_id": known["post_id"],
        "author_id": known["author_id"],
        "topic": known["topic"],
        "item_id": -1,
        "created_ms": known["created_ms"],
        "length": known["length"],
        "content": known["content"] or [0.0] * CONTENT,
    }
