"""One arm through the days of a market: pages by the live feed's own cascade, its log, its nights, what was sold."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import ndtri

from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.logged import (
    Bought,
    LoggedPage,
    LogRows,
    candidates,
    item_facts,
    item_scores,
    post_facts,
    request_facts,
)
from recommend.cascade.page import Slate
from recommend.cascade.registry import Registry
from recommend.cascade.request import DAY_MS
from recommend.cascade.scoring import Models, Serving
from recommend.data.schema import conform, day_file
from recommend.research.market.arms import OTHER_CHANCE, RULES, Arm
from recommend.research.market.nights import Nights
from recommend.research.market.rules import rule
from recommend.research.market.town import CONTENT, PAGE, Town, Visit

STATE = "state.json"
OPENS_MS, CARTS_MS, BUYS_MS = 5_000, 20_000, 60_000  # after the page: a click, for each place; after it, cart and order
CONSIDERED = 10  # every so many pages keep their candidates, where a model is trained on them
SEEN, CLICK, POST_SEEN, POST_CLICK, SOLD = range(5)
Event = tuple[int, int, int, int]  # kind, moment, visitor, thing or post
BACK = ("impression_id", "user_id", "item_id", "order_id", "order_ms", "time_ms", "seen_ms")  # of what came back


@dataclass
class Record:
    """What came of the days that are measured.

    Attributes:
        sold: (moment, thing, price, whether it came back). shown, first: of each thing, impressions so far by page and
            the moment of its first click.
    """

    sold: list[tuple[int, int, float, bool]] = field(default_factory=list)
    shown: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    first: dict[int, int] = field(default_factory=dict)
    pages: int = 0
    clicks: int = 0
    post_clicks: int = 0
    revenue: float = 0.0  # of ads
    regret: list[float] = field(default_factory=list)
    cpu_s: float = 0.0  # without what people do and what judges a page
    training_s: float = 0.0
    faults: dict[str, str] = field(default_factory=dict)


class Player:
    """An arm in a town.

    Args:
        folder: gets the arm's log and models.
    """

    def __init__(self, town: Town, arm: Arm, folder: Path) -> None:
        self.town, self.arm, self.folder, self.log = town, arm, folder, folder / "log"
        self.feed = Feed(CONTENT, Models(Registry(folder / "models", healthy)), arm.feed(), town.seed)
        if arm.rank in RULES and arm.rank != "popularity":
            self.feed.models.serve("ranking", Serving(rule(arm.rank, town)))
        self.nights = Nights(arm, self.feed, self.log, town.seed, town.rules.learns)
        self.rows = LogRows(CONTENT)
        self.record = Record()
        self.events: list[Event] = []
        self._next = self._next_post = self._orders = 0
        self._leaves: list[tuple[int, int]] = []
        self._came_back: list[list[int]] = []  # columns of ``BACK``
        self._posts = sorted(town.posts, key=lambda p: p[0].created_ms)
        self._leaving_posts: list[tuple[int, int]] = []

    def close(self) -> None:
        """Let its workers and its log go."""
        self.feed.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def live(self, days: range, nights: bool, say: Callable[[int], None]) -> None:
        """Play the days; ``nights``: models are trained before each. ``say`` hears of each day that is over."""
        began = time.process_time()
        for day in days:
            if nights and self.arm.models and (day - days.start) % self.town.rules.nights == 0:
                at = time.process_time()
                self._keep_log(day)
                self.nights.train(day)
                self.record.training_s += time.process_time() - at
            with self._not_counted():
                visits = self.town.visits(day)
            for visit in visits:
                self._until(visit.time_ms)
                self._visit(visit)
            self._until((day + 1) * DAY_MS - 1)
            say(day)
        self._keep_log(days.stop)
        self.record.cpu_s += time.process_time() - began
        self.record.faults = {role: f"{said} ({nights} nights)" for role, (said, nights) in self.nights.faults.items()}

    @contextmanager
    def _not_counted(self) -> Iterator[None]:
        """What is no work of a feed."""
        began = time.process_time()
        yield
        self.record.cpu_s -= time.process_time() - began

    def _until(self, time_ms: int) -> None:
        """Things and posts that come and go before a moment."""
        town, feed, came = self.town, self.feed, []
        while self._next < len(town.listed_ms) and town.listed_ms[self._next] <= time_ms:
            came.append(self._next)
            heappush(self._leaves, (int(town.leaves_ms[self._next]), self._next))
            self._next += 1
        feed.put_many([town.item(n, self.arm.content) for n in came], town.moment(time_ms))
        while self._leaves and self._leaves[0][0] <= time_ms:
            feed.remove(heappop(self._leaves)[1])
        while self._next_post < len(self._posts) and self._posts[self._next_post][0].created_ms <= time_ms:
            post, leaves = self._posts[self._next_post]
            feed.posts.put(post)
            heappush(self._leaving_posts, (leaves, post.post_id))
            self._next_post += 1
        while self._leaving_posts and self._leaving_posts[0][0] <= time_ms:
            feed.posts.remove(heappop(self._leaving_posts)[1])

    def _visit(self, visit: Visit) -> None:
        """A page is made, seen, clicked, bought from, and written down."""
        feed, moment, who = self.feed, self.town.moment(visit.time_ms), visit.visitor
        known = request_facts(feed.visitors.get(who), moment)
        slate = feed.slate(who, moment, PAGE)
        page = LoggedPage(visit.time_ms, who, known)
        self.rows.begin()
        with self._not_counted():
            self._regret(visit, slate)
        for place in (p for p in slate.posts if p.position < visit.cards):
            self._see_post(visit, page, place)
        lines = [line for line in slate.page if line.position is not None and line.position < visit.cards]
        ids = np.array([line.item_id for line in lines])
        if not lines:
            return
        facts = [item_facts(line, feed.catalog) for line in lines]
        ads = np.array([line.reason == "ad" for line in lines])
        positions = np.array([line.position for line in lines])
        with self._not_counted():
            clicked, carted, bought = self._wants(visit, ids, ads, positions)
        self._see(ids.tolist(), who, visit.time_ms)
        for i, line in enumerate(lines):
            at: dict[str, int] = {}
            order, back_ms = None, -1
            if clicked[i]:
                at["click"] = visit.time_ms + OPENS_MS * (int(positions[i]) + 1)
                self._click(int(ids[i]), who, at["click"], line.price_per_click if ads[i] else None)
            if carted[i]:
                at["cart"] = at["click"] + CARTS_MS
            if bought[i]:
                order, back_ms = self._buy(int(ids[i]), visit, at["click"] + BUYS_MS)
            placed = (int(positions[i]), line.reason)
            row = self.rows.add_item(page, facts[i], item_scores(line), placed, at, order)
            if order is not None and back_ms >= 0:
                self._came_back.append([row, who, int(ids[i]), order.order_id, order.time_ms, back_ms, visit.time_ms])
        if "copr" in self.arm.models.values() and self.rows.requests % CONSIDERED == 0:
            self.rows.add_candidates(page, candidates(slate))
        self.record.pages += 1
        self.record.clicks += int(clicked.sum())

    def _wants(
        self, visit: Visit, ids: np.ndarray, ads: np.ndarray, positions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) what of a page's things is clicked, put into the cart, ordered."""
        crowd, who = self.town.crowd, visit.visitor
        p_order, p_cart = crowd.orders(who, ids, visit.time_ms)
        p = {"click": crowd.clicks(who, ids, ads, positions, visit.time_ms), "cart": p_cart, "order": p_order}
        click, cart, order = (self.town.draw(self._chance(w), visit.number, ids) < of for w, of in p.items())
        return click, click & cart, click & order

    def _chance(self, what: str) -> str:
        return f"{what} {OTHER_CHANCE}" if self.arm.chance else what

    def _see(self, ids: list[int], who: int, time_ms: int) -> None:
        for n in ids:
            self.record.shown[n].append(time_ms)
        self.feed.add_impressions(who, ids, time_ms)
        self.events += [(SEEN, time_ms, who, n) for n in ids]

    def _click(self, n: int, who: int, time_ms: int, price: float | None) -> None:
        self.record.first.setdefault(n, time_ms)
        self.record.revenue += price or 0.0
        self.feed.clicked(who, n, self.town.moment(time_ms))
        self.events.append((CLICK, time_ms, who, n))

    def _buy(self, n: int, visit: Visit, time_ms: int) -> tuple[Bought | None, int]:
        """The order, and when it comes back (-1: never); nothing of what somebody else has bought."""
        if not self.feed.take(n):
            return None, -1
        one, price = np.array([n]), float(self.town.price[n])
        back = self.town.draw(self._chance("refund"), visit.number, one)[0] < self.town.crowd.refund(visit.visitor, n)
        wait = np.exp(1.3 * ndtri(self.town.draw("wait", visit.number, one)[0])) * DAY_MS
        self.record.sold.append((time_ms, n, price, bool(back)))
        self.events.append((SOLD, time_ms, visit.visitor, n))
        self._orders += 1
        return Bought(self._orders, time_ms, price), time_ms + int(min(wait, 14 * DAY_MS)) if back else -1

    def _see_post(self, visit: Visit, page: LoggedPage, place: Any) -> None:
        n, who, feed = np.array([place.post.post_id]), visit.visitor, self.feed
        with self._not_counted():
            p = self.town.crowd.post_clicks(who, n, np.array([place.position]))
            clicked = bool(self.town.draw(self._chance("post"), visit.number, n)[0] < p[0])
        at = visit.time_ms + OPENS_MS * (place.position + 1) if clicked else None
        self.rows.add_post(page, post_facts(place), place.position, at)
        feed.posts.add_impression(int(n[0]))
        self.events.append((POST_SEEN, visit.time_ms, who, int(n[0])))
        if at is not None:
            self.record.post_clicks += 1
            feed.posts.clicked(int(n[0]), feed.visitors.get(who), self.town.moment(at))
            self.events.append((POST_CLICK, at, who, int(n[0])))

    def _regret(self, visit: Visit, slate: Slate) -> None:
        """Of every fourth page: what share of the best page's expected clicks its things do not have."""
        if visit.number % 4 or not slate.page:
            return
        every = self.feed.catalog.get("item_id", self.feed.catalog.live())
        none = np.zeros(len(every), bool)
        p = self.town.crowd.clicks(visit.visitor, every, none, np.zeros(len(every), int), visit.time_ms)
        here = [line.item_id for line in slate.page if line.reason != "ad"]
        mine = p[np.isin(every, here)].sum()
        best = np.sort(p)[::-1][: len(here)].sum()
        self.record.regret.append(float(1 - mine / best))

    def _keep_log(self, day: int) -> None:
        """Write the log until the start of a day, with what came back and what is for sale by then."""
        self.rows.write(self.log, 0)
        back = [row for row in self._came_back if row[5] < day * DAY_MS]
        self._came_back = [row for row in self._came_back if row[5] >= day * DAY_MS]
        self._refunded({name: np.array(of) for name, of in zip(BACK, zip(*back, strict=True), strict=False)})
        n = int(np.searchsorted(self.town.listed_ms, day * DAY_MS))
        o, t = self.town.offers, self.town
        content = t.content[:n] if self.arm.content else np.zeros((n, CONTENT), np.float32)
        _write(self.log, "item", {
            "item_id": np.arange(n), "seller_id": o.seller[:n], "category": o.category[:n],
            "condition": o.condition[:n], "price": t.price[:n], "price_bucket": np.zeros(n, int),
            "stock": t.pieces[:n], "single": t.pieces[:n] == 1, "is_ad": t.bid[:n] > 0, "bid": t.bid[:n],
            "listed_ms": t.listed_ms[:n], "content": list(content)})  # fmt: skip
        posts = [p for p, _ in t.posts]
        _write(self.log, "post", {
            **{name: [getattr(p, name) for p in posts] for name in ("post_id", "author_id", "topic")},
            **{name: [getattr(p, name) for p in posts] for name in ("created_ms", "length", "content")},
            "item_id": [-1] * len(posts)})  # fmt: skip

    def _refunded(self, back: dict[str, np.ndarray]) -> None:
        """Orders that came back: files of refunds, and their flags among the impressions."""
        if not back:
            return
        amount = self.town.price[back["item_id"]]
        every = {**back, "day": back["time_ms"] // DAY_MS, "delay_ms": back["time_ms"] - back.pop("order_ms"),
                 "amount": amount}  # fmt: skip
        for day in np.unique(every["day"]):
            names = ("impression_id", "user_id", "item_id", "order_id", "time_ms", "day", "delay_ms", "amount")
            _write(self.log, "refund", {n: every[n][every["day"] == day] for n in names}, int(day))
        seen = back["seen_ms"] // DAY_MS
        for day in np.unique(seen):
            file = day_file(self.log, "impression", int(day))
            table = pq.ParquetFile(file).read()
            flag = np.isin(table["impression_id"].to_numpy(), back["impression_id"][seen == day])
            flag |= table["refund"].to_numpy(zero_copy_only=False)
            at = table.schema.get_field_index("refund")
            _replace(file, table.set_column(at, table.schema.field(at), pa.array(flag)))

    def save(self) -> None:
        """Keep what an arm needs to go on from here, beside the log."""
        state = {"requests": self.rows.requests, "impressions": self.rows.impressions, "orders": self._orders,
                 "came_back": self._came_back, "events": self.events}  # fmt: skip
        draft = self.folder / f"{STATE}.part"
        draft.write_text(json.dumps(state), encoding="utf-8")
        draft.replace(self.folder / STATE)

    def go_on(self, before: Path) -> None:
        """Take over the log and the state that another player saved: what was seen, clicked and bought by then."""
        state = json.loads((before / STATE).read_text(encoding="utf-8"))
        shutil.copytree(before / "log", self.log, copy_function=os.link)
        self.rows.requests, self.rows.impressions = state["requests"], state["impressions"]
        self.rows.written, self._orders, self._came_back = True, state["orders"], state["came_back"]
        feed = self.feed
        for (kind, time_ms, who), of in groupby(state["events"], lambda e: tuple(e[:3])):
            numbers = [event[3] for event in of]
            if kind in (SEEN, POST_SEEN):
                self._until(time_ms)
            if kind == SEEN:
                feed.add_impressions(who, numbers, time_ms)
                continue
            for n in numbers:
                if kind == CLICK:
                    feed.clicked(who, n, self.town.moment(time_ms))
                elif kind == SOLD:
                    feed.take(n)
                elif kind == POST_SEEN:
                    feed.posts.add_impression(n)
                else:
                    feed.posts.clicked(n, feed.visitors.get(who), self.town.moment(time_ms))
        self._until(self.town.rules.before * DAY_MS - 1)


def _write(log: Path, table: str, rows: dict[str, Any], day: int = 0) -> None:
    file = day_file(log, table, day)
    file.parent.mkdir(parents=True, exist_ok=True)
    _replace(file, conform(table, rows))


def _replace(file: Path, table: pa.Table) -> None:
    """A new file in the place of one, which may be the common log's as well: that one stays as it is."""
    draft = file.with_suffix(".part")
    pq.write_table(table, draft, write_page_checksum=True)
    os.replace(draft, file)
