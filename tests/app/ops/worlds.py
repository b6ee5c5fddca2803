"""Stores whose truth is known, because they were made from it: faults are put in one by one."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
from sqlalchemy import delete, insert, select

from app.feed.items import CONTENT, category_code
from app.ops.checks import Report
from app.ops.figures import Figures
from app.ops.impressions import window
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, ListingRow, NumberRow, now
from recommend.cascade.catalog import Item
from recommend.cascade.routes import ROLES
from recommend.cascade.scoring import SIMPLE, Serving

MODEL = "din 0001"
COUNT = itertools.count(1)


@dataclass
class World:
    """What a store is made from. As it stands here it is healthy.

    model: whether one serves. off: predicted over true click rate. order: whether predictions follow the true rates.
    starved: share of the new listings that nobody sees. slow: share of the pages that take 400 ms. dark: share of the
    listings that the index knows no photo of. listed: seconds since 1970 when the feed heard of the listings. stale:
    whole days since the last that the model learned, before the hours of today. visitors, pages: how many, and how many
    pages of each. arrive: share of the clicks that are written down.
    """

    model: bool = True
    off: float = 1.0
    order: bool = True
    starved: float = 0.0
    slow: float = 0.0
    dark: float = 0.0
    listed: float = 0.0
    stale: float = 1.0
    visitors: int = 80
    pages: int = 5
    rows: int = 10
    new: int = 60
    seed: int = 0
    failed: bool = False
    arrive: float = 1.0
    made: dict[str, float] = field(default_factory=dict)


def fill(services, world: World) -> World:
    """Empty the store and the feed, then make them so. ``world.made`` is the truth, counted while it is made."""
    rng = np.random.default_rng(world.seed)
    _empty(services)
    seller = services.sellers.named("me").id
    listings = _listings(services, rng, world, seller)
    with services.store.write() as session:
        session.add_all([NumberRow(kind="visitor", key=f"{next(COUNT)}-{v}") for v in range(world.visitors)])
        session.flush()
    if world.model:
        day = int(time.time() // 86_400)
        manifest = {"train_days": [day - 20, day - 1 - int(world.stale)], "model": "din", "installed": time.time()}
        loaded = SimpleNamespace(name=MODEL, version="0001", manifest=manifest)
        for role in ("pre_ranking", "ranking"):
            services.feed.models.serve(role, Serving(loaded))
    if world.failed:
        services.feed.registry.note("failed", "ranking", "0002", "it says the same of everything (click)")
    shown = [x for x in listings if x not in world.made["unseen"]]
    _pages(services, rng, world, shown)
    for n in range(400):
        services.feed.took.append((time.time(), 400.0 if n < round(400 * world.slow) else 20.0))
    return world


def report_of(services, name: str = "24h") -> Report:
    """What the page says of it."""
    return Report(Figures(services, window(name)))


def _empty(services) -> None:
    feed = services.feed
    for item in feed.feed.catalog.get("item_id", feed.feed.catalog.live()).tolist():
        feed.feed.remove(int(item))
    for role in ROLES:
        feed.models.serve(role)
    feed.took.clear()
    (feed.registry.root / "events.jsonl").unlink(missing_ok=True)
    with services.store.write() as session:
        for table in (FeedEventRow, FeedRow, FeedPageRow, ListingRow, NumberRow):
            session.execute(delete(table))


def _listings(services, rng, world: World, seller: str) -> list[str]:
    """New listings of eight to twenty hours ago; a share of them is to be seen by nobody."""
    ids = [f"{next(COUNT):032x}" for _ in range(world.new)]
    unseen = set(ids[: round(world.starved * world.new)])
    dark = set(ids[: round(world.dark * world.new)])
    with services.store.write() as session:
        for n, key in enumerate(ids):
            session.add(ListingRow(id=key, seller_id=seller, category=f"C{n % 4}", title=f"Thing {n}", description="",
                                   attributes={}, price=10.0, currency="EUR",
                                   published_at=now() - timedelta(hours=float(rng.uniform(8, 20)))))  # fmt: skip
    listed = round(world.listed * 1000)
    for n, key in enumerate(ids):
        content = np.zeros(CONTENT) if key in dark else rng.normal(size=CONTENT)
        services.feed.feed.put(Item(10_000 + n, 1, category_code(f"C{n % 4}"), 2, 10.0, 5, 1, True, listed, content),
                               services.feed.moment())  # fmt: skip
    world.made = {"unseen": unseen, "dark": len(dark), "listings": len(ids), "impressions": 0, "clicks": 0}
    return ids


def _pages(services, rng, world: World, shown: list[str]) -> None:
    """Pages of 2.5 to 7 hours ago, whose rows are clicked at their true rate."""
    ranking = MODEL if world.model else SIMPLE
    pages, rows, events, truth, predicted = [], [], [], 0.0, 0.0

    def row(page, listing, place, reason, seen, pctr):
        rows.append({"id": next(COUNT), "page_id": page, "listing_id": listing, "position": place, "reason": reason,
                     "seen_at": seen, "known": {"single": True}, "scores": {"pctr": pctr}})  # fmt: skip
        return rows[-1]["id"]

    def page(visitor, at):
        key = f"{next(COUNT):032x}"
        pages.append({"id": key, "visitor": visitor, "at": at, "known": {}, "models": {"ranking": ranking}})
        return key

    for visitor in range(world.visitors):
        mood = float(rng.lognormal(0, 0.3))  # rows of a visitor are alike
        for _ in range(world.pages):
            at = now() - timedelta(hours=float(rng.uniform(2.5, 7)))
            key = page(visitor, at)
            for place in range(world.rows):
                rate = float(np.clip(mood * rng.beta(2, 12), 0.002, 0.9))
                said = rate if world.order else float(np.clip(rng.beta(2, 12), 0.002, 0.9))
                pctr = min(said * world.off, 1.0)
                listing = shown[int(rng.integers(len(shown)))] if shown else "gone"
                number = row(key, listing, place, "ranked", at, pctr)
                truth, predicted = truth + rate, predicted + pctr
                if rng.random() < rate * world.arrive:
                    events.append({"row_id": number, "kind": "click", "at": at})
    world.made.update(impressions=len(rows), clicks=len(events), pcoc=predicted / truth if truth else float("nan"))
    # Each of those that are shown was seen within its first hours, on a page before the window.
    before = page(0, now() - timedelta(days=3))
    with services.store.write() as session:
        published = dict(session.execute(select(ListingRow.id, ListingRow.published_at)).all())
        for listing in shown:
            row(
                before, listing, 0, "exploration", published[listing] + timedelta(hours=float(rng.uniform(0.1, 5))), 0.1
            )
        for table, made in ((FeedPageRow, pages), (FeedRow, rows), (FeedEventRow, events)):
            if made:
                session.execute(insert(table), made)
