"""The log's tables, day by day, from a finished simulation. Nothing here decides an outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from recommend.data.schema import CODES, FLOATS, IDS
from recommend.data.world.chance import Ints
from recommend.data.world.config import DAY_MS, HOUR_MS
from recommend.data.world.loop import Rows, World
from recommend.data.world.pages import ITEM, POST

Table = dict[str, Any]
LONGEST = 50  # clicks kept of each kind
_SPAN = np.int64(1) << 40  # more milliseconds than any world has: user * _SPAN + time orders by user, then time


def day_tables(world: World) -> Iterator[tuple[str, int, Table]]:
    """(table, day, columns) of everything that is logged; events lie in the day on which they happened."""
    yield from _things(world)
    yield from _impressions(world)
    yield from _events(world)
    yield from _ranking(world)


def _impressions(world: World) -> Iterator[tuple[str, int, Table]]:
    rows, items, posts = world.rows, world.truth.items, world.truth.posts
    calendar, users = world.truth.calendar, world.config.users
    clicked = rows["click"]
    histories = {}
    for kind, column in ((ITEM, "item"), (POST, "post")):
        at = np.flatnonzero(clicked & (rows["entity"] == kind))
        histories[kind] = clicks_of(rows["user"][at], rows["click_ms"][at], rows[column][at], users)
    for day, part in _days(rows["time"], world.config.days):
        r = {name: values[part] for name, values in rows.items()}
        is_item = r["entity"] == ITEM
        item, post = r["item"], r["post"]
        listed = np.where(is_item, items.listed_ms[item], posts.created_ms[post])
        yield (
            "impression",
            day,
            {
                "impression_id": np.arange(part.start, part.stop),
                "request_id": r["page"],
                "time_ms": r["time"],
                "day": r["day"],
                "hour": r["time"] % DAY_MS // HOUR_MS,
                "user_id": r["user"],
                "entity": r["entity"],
                "item_id": item,
                "post_id": post,
                "seller_id": np.where(is_item, items.seller[item], posts.author[post]),
                "category": r["category"],
                "condition": np.where(is_item, items.condition[item], -1),
                "price": r["price"].astype(np.float32),
                "price_bucket": np.where(is_item, items.price_bucket[item], -1),
                "stock": r["stock"],
                "single": is_item & items.single[item],
                "item_age_h": ((r["time"] - listed) / HOUR_MS).astype(np.float32),
                "channel": r["channel"],
                "policy": r["policy"],
                "is_ad": r["ad"],
                "position": r["position"],
                "propensity": r["propensity"],
                "promotion": calendar.promotion[r["day"]],
                "days_to_promotion": calendar.days_to_promotion[r["day"]],
                **_history(histories, world, r["page"], r["user"], r["time"]),
                "dwell_s": r["dwell"],
                "privileged": _matrix(r["privileged"]),
                "click": r["click"],
                "cart": r["cart"],
                "order": r["order"],
                "refund": r["refund"],
            },
        )


def _history(histories: dict[int, Clicks], world: World, page: Ints, user: Ints, time: Ints) -> Table:
    """Ragged columns; rows of a page share its history, so it is found once a page and repeated."""
    items = world.truth.items
    first = np.flatnonzero(np.diff(page, prepend=page[:1] - 1))
    of_page = np.searchsorted(first, np.arange(len(page)), side="right") - 1
    flat, offsets = _repeat(*before(histories[ITEM], user[first], time[first]), of_page)
    clicked, lengths = histories[ITEM].shown_id[flat], np.diff(offsets)
    age = (np.repeat(time, lengths) - histories[ITEM].time[flat]) / HOUR_MS
    post_flat, post_offsets = _repeat(*before(histories[POST], user[first], time[first]), of_page)
    return {
        "history_item": ragged(clicked, offsets, IDS.value_type),
        "history_category": ragged(items.category[clicked], offsets, CODES.value_type),
        "history_single": ragged(items.single[clicked].astype(np.int32), offsets, CODES.value_type),
        "history_age_h": ragged(age.astype(np.float32), offsets, FLOATS.value_type),
        "history_post": ragged(histories[POST].shown_id[post_flat], post_offsets, IDS.value_type),
    }


def _repeat(flat: Ints, offsets: Ints, of_page: Ints) -> tuple[Ints, Ints]:
    """Ragged rows of pages, repeated for each row of the page."""
    lengths = np.diff(offsets)[of_page]
    out = np.concatenate([[0], np.cumsum(lengths)])
    place = np.arange(out[-1]) - np.repeat(out[:-1] - offsets[:-1][of_page], lengths)
    return flat[place], out


def _events(world: World) -> Iterator[tuple[str, int, Table]]:
    rows, orders = world.rows, world.orders
    clicks = np.flatnonzero(rows["click"])
    more = {"post_id": rows["post"][clicks], "channel": rows["channel"][clicks]}
    yield from _event("click", rows, clicks, rows["click_ms"][clicks], rows["time"][clicks], more)
    carts = np.flatnonzero(rows["cart"])
    yield from _event("cart", rows, carts, rows["cart_ms"][carts], rows["time"][carts], {})
    number, row = np.arange(len(orders["row"])), orders["row"]
    amount = rows["price"][row].astype(np.float32)
    bought = {"order_id": number, "amount": amount}
    yield from _event("order", rows, row, orders["time"], rows["click_ms"][row], bought)
    back = np.flatnonzero(orders["refunded"])
    returned = {"order_id": number[back], "amount": amount[back]}
    yield from _event("refund", rows, row[back], orders["refund_time"][back], orders["time"][back], returned)


def _event(table: str, rows: Rows, row: Ints, time: Ints, cause: Ints, more: Table) -> Iterator[tuple[str, int, Table]]:
    order = np.argsort(time, kind="stable")
    columns = {
        "impression_id": row,
        "user_id": rows["user"][row],
        "item_id": rows["item"][row],
        "time_ms": time,
        "day": time // DAY_MS,
        "delay_ms": time - cause,
        **more,
    }
    columns = {name: values[order] for name, values in columns.items()}
    for day, part in _days(columns["time_ms"]):
        yield table, day, {name: values[part] for name, values in columns.items()}


def _ranking(world: World) -> Iterator[tuple[str, int, Table]]:
    items = world.truth.items
    for table, source in (("candidate", world.candidates), ("auction", world.auctions)):
        shared = {
            "request_id": source["page"],
            "time_ms": source["time"],
            "day": source["day"],
            "user_id": source["user"],
            "item_id": source["item"],
            "bid": source["bid"],
            "rank": source["rank"],
        }
        if table == "candidate":
            own = {
                "policy": np.where(source["uniform"], 2, 1),
                "rank_score": source["score"],
                "shown": source["shown"],
            }
        else:
            own = {
                "auction_id": np.arange(len(source["page"])),
                "seller_id": items.seller[source["item"]],
                "predicted_ctr": source["score"],
                "ecpm": source["ecpm"],
                "won": source["shown"],
                "price_per_click": np.where(source["shown"], source["price"], 0).astype(np.float32),
            }
        columns = shared | own
        for day, part in _days(columns["time_ms"]):
            yield table, day, {name: values[part] for name, values in columns.items()}


def _things(world: World) -> Iterator[tuple[str, int, Table]]:
    users, items, posts = world.truth.users, world.truth.items, world.truth.posts
    rank = np.argsort(np.argsort(users.activity, kind="stable"), kind="stable")
    columns = {
        "user_id": np.arange(len(users.city)),
        "age_group": users.age_group,
        "city": users.city,
        "activity": rank * 10 // len(rank),
        "joined_ms": users.joined_ms,
    }
    yield "user", 0, columns
    # What was there before the log starts lies in day 0, with its true (negative) moment.
    for day, part in _days(np.maximum(items.listed_ms, 0)):
        yield (
            "item",
            day,
            {
                "item_id": np.arange(part.start, part.stop),
                "seller_id": items.seller[part],
                "category": items.category[part],
                "condition": items.condition[part],
                "price": items.price[part].astype(np.float32),
                "price_bucket": items.price_bucket[part],
                "stock": items.stock[part],
                "single": items.single[part],
                "is_ad": items.ad[part],
                "bid": items.bid[part],
                "listed_ms": items.listed_ms[part],
                "content": _matrix(items.content[part]),
            },
        )
    for day, part in _days(np.maximum(posts.created_ms, 0)):
        yield (
            "post",
            day,
            {
                "post_id": np.arange(part.start, part.stop),
                "author_id": posts.author[part],
                "topic": posts.topic[part],
                "item_id": posts.item[part],
                "created_ms": posts.created_ms[part],
                "length": posts.length[part],
                "content": _matrix(posts.content[part]),
            },
        )


def _matrix(values: np.ndarray) -> pa.Array:
    offsets = np.arange(len(values) + 1) * values.shape[1]
    return ragged(np.ascontiguousarray(values).ravel(), offsets, FLOATS.value_type)


def _days(time: Ints, days: int | None = None) -> Iterator[tuple[int, slice]]:
    """(day, rows) of ascending times, without empty days."""
    if not len(time):
        return
    last = int(time[-1] // DAY_MS) + 1 if days is None else days
    cut = np.searchsorted(time, np.arange(last + 1) * DAY_MS)
    for day in range(last):
        if cut[day] < cut[day + 1]:
            yield day, slice(int(cut[day]), int(cut[day + 1]))


@dataclass(frozen=True, slots=True)
class Clicks:
    """All clicks of one kind in order of (user, time)."""

    key: Ints
    first: Ints  # (users + 1,) where each user begins
    time: Ints
    shown_id: Ints


def clicks_of(user: Ints, time: Ints, shown_id: Ints, users: int) -> Clicks:
    """Order the clicks once; every request then finds its own by bisection."""
    key = user * _SPAN + time
    order = np.argsort(key, kind="stable")
    return Clicks(key[order], np.searchsorted(user[order], np.arange(users + 1)), time[order], shown_id[order])


def before(clicks: Clicks, user: Ints, time: Ints) -> tuple[Ints, Ints]:
    """Flat indices into ``clicks`` and the offsets (n + 1,) of the last ``LONGEST`` clicks before each ``time``."""
    stop = np.searchsorted(clicks.key, user * _SPAN + time, side="left")
    start = np.maximum(clicks.first[user], stop - LONGEST)
    offsets = np.concatenate([[0], np.cumsum(stop - start)])
    flat = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - start, stop - start)
    return flat, offsets


def ragged(values: np.ndarray, offsets: Ints, kind: pa.DataType) -> pa.Array:
    """An Arrow list column."""
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values).cast(kind))
