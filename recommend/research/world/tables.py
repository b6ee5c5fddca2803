"""The world's tables: names and types are the log's (``recommend/data/schema.py``), ids are int32, numbers float32.

Histories are not stored; ``read.py`` joins them from the clicks. Labels are ripe; what was known at a time is a join of
the tables ``order`` and ``refund`` with their ``time_ms``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from recommend.research.world.impressions import ITEM, Rows
from recommend.simulation.chance import Times, normal, stream
from recommend.simulation.config import DAY_MS, HOUR_MS, WorldConfig
from recommend.simulation.truth import Truth

INT, FLOAT, MS, BOOL = pa.int32(), pa.float32(), pa.int64(), pa.bool_()
SMALL = pa.int8()
FLOATS = pa.list_(FLOAT)
IMPRESSION = {
    "impression_id": INT, "request_id": INT, "time_ms": MS, "day": INT, "hour": SMALL, "user_id": INT, "entity": SMALL,
    "item_id": INT, "post_id": INT, "seller_id": INT, "brand": pa.int16(), "category": pa.int16(), "condition": SMALL,
    "price": FLOAT, "price_bucket": SMALL, "single": BOOL, "item_age_h": FLOAT, "age_group": SMALL, "city": SMALL,
    "topic": SMALL, "length": pa.int16(), "channel": SMALL, "policy": SMALL, "is_ad": BOOL, "position": SMALL,
    "promotion": pa.int16(), "promotion_kind": SMALL, "days_to_promotion": pa.int16(),
    "dwell_s": FLOAT, "privileged": FLOATS, "click": BOOL, "cart": BOOL, "order": BOOL, "refund": BOOL,
}  # fmt: skip
EVENT = {"impression_id": INT, "user_id": INT, "item_id": INT, "time_ms": MS, "day": INT, "delay_ms": MS}
SCHEMAS: dict[str, dict[str, pa.DataType]] = {
    "impression": IMPRESSION,
    "click": {**EVENT, "post_id": INT, "category": pa.int16(), "brand": pa.int16(), "single": BOOL, "channel": SMALL},
    "order": {**EVENT, "amount": FLOAT},
    "refund": {**EVENT, "amount": FLOAT},
    "candidate": {
        "request_id": INT, "time_ms": MS, "day": INT, "hour": SMALL, "user_id": INT, "item_id": INT, "seller_id": INT,
        "brand": pa.int16(), "category": pa.int16(), "condition": SMALL, "price_bucket": SMALL, "single": BOOL,
        "item_age_h": FLOAT, "age_group": SMALL, "city": SMALL, "channel": SMALL,
        "promotion_kind": SMALL, "position": SMALL, "bid": FLOAT,
        "rank_score": FLOAT, "pre_score": FLOAT,
    },
    "user": {"user_id": INT, "age_group": SMALL, "city": SMALL, "joined_ms": MS},
    "item": {
        "item_id": INT, "seller_id": INT, "brand": pa.int16(), "category": pa.int16(), "condition": SMALL,
        "price": FLOAT, "price_bucket": SMALL, "single": BOOL, "is_ad": BOOL, "bid": FLOAT, "listed_ms": MS,
        "content": FLOATS,
    },
    "post": {
        "post_id": INT, "author_id": INT, "topic": SMALL, "category": pa.int16(), "length": pa.int16(),
        "created_ms": MS, "content": FLOATS,
    },
}  # fmt: skip


def table(name: str, data: dict[str, Any]) -> pa.Table:
    """An Arrow table of the schema's columns, in their order; matrices become lists."""
    schema = {n: kind for n, kind in SCHEMAS[name].items() if n in data}
    return pa.table([_column(data[n], kind) for n, kind in schema.items()], pa.schema(list(schema.items())))


def _column(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values).cast(kind)
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
    return pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]), flat)


def facts(truth: Truth, user: np.ndarray, item: np.ndarray, time: Times) -> dict[str, Any]:
    """Columns of users, things and calendar for rows (n,) of things."""
    i, u, calendar = truth.items, truth.users, truth.calendar
    day = (time // DAY_MS).astype(np.int32)
    at = np.minimum(day, truth.days - 1)
    return {
        "time_ms": time,
        "day": day,
        "hour": time % DAY_MS // HOUR_MS,
        "user_id": user,
        "item_id": item,
        "seller_id": i.seller[item],
        "brand": i.brand[item],
        "category": i.category[item],
        "condition": i.condition[item],
        "price": i.price[item],
        "price_bucket": i.bucket[item],
        "single": i.single[item],
        "item_age_h": (time / HOUR_MS - 24 * i.listed[item]).clip(0).astype(np.float32),
        "age_group": u.age[user],
        "city": u.city[user],
        "promotion": calendar.promotion[at],
        "promotion_kind": calendar.kind[at],
        "days_to_promotion": calendar.days_to[at],
    }


def impressions(truth: Truth, rows: Rows) -> dict[str, Any]:
    """The table of impressions of a day's rows."""
    posts, is_item = truth.posts, rows["entity"] == ITEM
    data, post = facts(truth, rows["user"], np.maximum(rows["item"], 0), rows["time"]), np.maximum(rows["post"], 0)
    for name in ("item_id", "brand", "condition", "price_bucket"):
        data[name] = np.where(is_item, data[name], -1)
    data["price"], data["single"] = np.where(is_item, data["price"], np.float32(0)), is_item & data["single"]
    data["seller_id"] = np.where(is_item, data["seller_id"], posts.author[post])
    age = (rows["time"] / HOUR_MS - 24 * posts.created[post]).clip(0).astype(np.float32)
    data["item_age_h"], data["category"] = np.where(is_item, data["item_age_h"], age), rows["category"]
    return {
        **data,
        "impression_id": rows["row"],
        "request_id": rows["request"],
        "entity": rows["entity"],
        "post_id": rows["post"],
        "topic": np.where(is_item, -1, posts.topic[post]),
        "length": np.where(is_item, 0, posts.length[post]),
        "channel": rows["channel"],
        "policy": rows["policy"],
        "is_ad": rows["channel"] == 2,
        "position": rows["position"],
        "dwell_s": rows["dwell"],
        "privileged": rows["privileged"],
        **{name: rows[name] for name in ("click", "cart", "order", "refund")},
    }


def clicks(truth: Truth, rows: Rows) -> dict[str, Any]:
    """The table of clicks."""
    r = {name: rows[name][rows["click"]] for name in ("row", "user", "item", "post", "time", "click_ms", "channel")}
    of_item = np.maximum(r["item"], 0)
    no_post = r["item"] >= 0
    return {
        **event(r["row"], r["user"], r["item"], r["click_ms"], r["click_ms"] - r["time"]),
        "post_id": r["post"],
        "category": rows["category"][rows["click"]],
        "brand": np.where(no_post, truth.items.brand[of_item], -1),
        "single": no_post & truth.items.single[of_item],
        "channel": r["channel"],
    }


def event(row: np.ndarray, user: np.ndarray, item: np.ndarray, time: Times, delay: Times) -> dict[str, Any]:
    """Columns of every table of events."""
    names = ("impression_id", "user_id", "item_id", "time_ms", "delay_ms")
    return {**dict(zip(names, (row, user, item, time, delay), strict=True)), "day": time // DAY_MS}


def orders_and_refunds(truth: Truth, rows: Rows) -> dict[str, dict[str, Any]]:
    """The tables of orders and refunds; those after the log's end are among them, with their time."""
    events = {}
    for name, since in (("order", "click_ms"), ("refund", "order_ms")):
        at = np.flatnonzero(rows[name])
        time, item = rows[f"{name}_ms"][at], rows["item"][at]
        events[name] = event(rows["row"][at], rows["user"][at], item, time, time - rows[since][at])
        events[name]["amount"] = truth.items.price[item]
    return events


def standing(truth: Truth, config: WorldConfig) -> dict[str, dict[str, Any]]:
    """Users, things and posts."""
    u, i, p = truth.users, truth.items, truth.posts
    share = np.float32(config.content_signal)

    def content(vector: np.ndarray, name: str) -> np.ndarray:
        noise = normal(stream(truth.seed, name), *vector.shape) / np.float32(np.sqrt(config.dims))
        return np.sqrt(share) * vector + np.sqrt(1 - share) * noise

    item = {
        "item_id": np.arange(len(i.long)),
        "seller_id": i.seller,
        "brand": i.brand,
        "category": i.category,
        "condition": i.condition,
        "price": i.price,
        "price_bucket": i.bucket,
        "single": i.single,
        "is_ad": i.ad,
        "bid": np.where(i.ad, i.bid, np.float32(0)),
        "listed_ms": (i.listed.astype(np.float64) * DAY_MS).astype(np.int64),
        "content": content(i.vector, "content"),
    }
    user = {"user_id": np.arange(len(u.age)), "age_group": u.age, "city": u.city}
    post = {"post_id": np.arange(len(p.topic)), "author_id": p.author, "topic": p.topic, "category": p.category}
    post |= {"length": p.length, "content": content(p.vector, "content/posts")}
    return {
        "user": {**user, "joined_ms": (u.joined.astype(np.float64) * DAY_MS).astype(np.int64)},
        "item": item,
        "post": {**post, "created_ms": (p.created.astype(np.float64) * DAY_MS).astype(np.int64)},
    }
