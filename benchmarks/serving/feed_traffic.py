"""Simulated visitors and buyers against a live server's feed, over HTTP.

    python -m benchmarks.serving.feed_traffic fill --home HOME --listings 2000       # before the server starts
    python -m benchmarks.serving.feed_traffic play --url http://127.0.0.1:7860 --seconds 60 --rate 20
    python -m benchmarks.serving.feed_traffic age --home HOME --hours 24             # while no server runs

``fill`` writes listings without photos into the store of an empty home. ``play`` lets visitors come at a rate (pages a
second, Poisson), each with two categories that they like and a limit to their money; they look at pages, click, put
into the cart, buy, and report all of it. One JSON line at the end: latencies, answers by status, clicks, orders.
``age`` moves all that was written so far into the past, so that a log of several days can be played in minutes.
"""

from __future__ import annotations

import argparse
import json
import secrets
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import select

from app.accounts.sellers import Sellers
from app.settings import load_settings
from app.store.db import open_store
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, ListingRow, OrderRow, SellerRow, now
from listing.taxonomy import load_taxonomy

COLOURS = ("navy", "black", "white", "red", "green", "grey")


def fill(home: Path, listings: int, seed: int) -> None:
    """Listings of fifty sellers, published over the last two days."""
    rng = np.random.default_rng(seed)
    store = open_store(load_settings({}, home=home).store_url)
    Sellers(store, None).named("me")
    categories = sorted(load_taxonomy().categories)
    with store.write() as session:
        session.add_all([SellerRow(id=f"seller{n:03d}", name=f"seller{n:03d}") for n in range(50)])
        session.flush()
        for n in range(listings):
            category, colour = str(rng.choice(categories)), str(rng.choice(COLOURS))
            session.add(
                ListingRow(
                    id=f"ipl-{n:024d}",
                    seller_id=f"seller{int(rng.integers(50)):03d}",
                    category=category,
                    title=f"{colour.capitalize()} {category.lower()}",
                    description=f"{colour.capitalize()} {category.lower()}, worn a few times.",
                    attributes={"colour": colour},
                    price=round(float(rng.lognormal(2.7, 0.6)), 2),
                    currency="EUR",
                    stock=1 if rng.random() < 0.85 else 8,
                    published_at=now() - timedelta(hours=float(rng.uniform(0, 47))),
                )
            )
    store.engine.dispose()


def age(home: Path, hours: float) -> None:
    """Move pages, events, orders and the listings' publishing into the past."""
    store = open_store(load_settings({}, home=home).store_url)
    by = timedelta(hours=hours)
    with store.write() as session:
        moved = {
            FeedPageRow: ["at"],
            FeedRow: ["seen_at"],
            FeedEventRow: ["at"],
            OrderRow: ["at", "completed_at", "refunded_at"],
            ListingRow: ["published_at", "created_at"],
        }
        for table, names in moved.items():
            for row in session.scalars(select(table)):
                for name in names:
                    if getattr(row, name) is not None:
                        setattr(row, name, getattr(row, name) - by)
    store.engine.dispose()


@dataclass
class Told:
    """What the visitors met with."""

    pages_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    clicks: int = 0
    orders: int = 0
    late: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Visit:
    """One visitor; ``number`` decides the taste."""

    def __init__(self, client: httpx.Client, number: int, told: Told, categories: list[str]) -> None:
        rng = np.random.default_rng(number)
        self.client, self.name, self.told = client, f"visitor{number:04d}", told
        self.likes = set(rng.choice(categories, 2, replace=False).tolist())
        self.money = float(rng.lognormal(3.0, 0.5))

    def come(self, rng: np.random.Generator) -> None:
        """Look at a page, and do what comes of it."""
        began = time.perf_counter()
        answer = self._ask("GET", f"/v1/feed/{self.name}")
        if answer is None or answer.status_code != 200:
            return
        with self.told.lock:
            self.told.pages_ms.append(1000 * (time.perf_counter() - began))
        page = answer.json()
        events = []
        for place in page["places"]:
            listing = place["listing"]
            if listing is None:  # a post
                continue
            events.append({"kind": "impression", "page_id": page["id"], "listing_id": listing["id"]})
            chance = 0.3 if listing["category"] in self.likes else 0.02
            if rng.random() >= chance:
                continue
            events.append({"kind": "click", "page_id": page["id"], "listing_id": listing["id"]})
            if rng.random() < 0.2 and listing["price"] is not None and listing["price"] <= self.money:
                self._buy(page["id"], listing)
        if events:
            self._ask("POST", "/v1/events", {"visitor": self.name, "events": events})
        with self.told.lock:
            self.told.clicks += sum(e["kind"] == "click" for e in events)

    def _buy(self, page: str, listing: dict[str, Any]) -> None:
        body = {"listing_id": listing["id"], "price": listing["price"], "buyer": self.name, "page_id": page}
        answer = self._ask("POST", "/v1/orders", body, {"Idempotency-Key": secrets.token_hex(8)})
        with self.told.lock:
            self.told.orders += answer is not None and answer.status_code == 201
            self.told.late += answer is not None and answer.status_code == 409

    def _ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        try:
            answer = self.client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            with self.told.lock:
                self.told.statuses[type(error).__name__] += 1
            return None
        with self.told.lock:
            self.told.statuses[str(answer.status_code)] += 1
        return answer


def play(url: str, seconds: float, rate: float, visitors: int, seed: int) -> Told:
    """Visitors come as a Poisson stream, whatever the server makes of it."""
    rng, told = np.random.default_rng(seed), Told()
    categories = sorted(load_taxonomy().categories)
    limits = httpx.Limits(max_connections=64)
    with httpx.Client(base_url=url, timeout=30, limits=limits) as client, ThreadPoolExecutor(48) as pool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            visit = Visit(client, int(rng.integers(visitors)), told, categories)
            pool.submit(visit.come, np.random.default_rng(int(rng.integers(2**32))))
            time.sleep(float(rng.exponential(1 / rate)))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fill", "play", "age"))
    parser.add_argument("--home", type=Path)
    parser.add_argument("--listings", type=int, default=2_000)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--url", default="http://127.0.0.1:7860")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20, help="pages a second")
    parser.add_argument("--visitors", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.what != "play":
        if args.home is None:
            parser.error("name the server's home with --home")
        if args.what == "fill":
            fill(args.home, args.listings, args.seed)
        else:
            age(args.home, args.hours)
        return
    told = play(args.url, args.seconds, args.rate, args.visitors, args.seed)
    p50, p99 = np.percentile(told.pages_ms, [50, 99]) if told.pages_ms else (float("nan"), float("nan"))
    print(
        json.dumps(
            {
                "pages": len(told.pages_ms),
                "pages_per_second": round(len(told.pages_ms) / args.seconds, 1),
                "p50_ms": round(float(p50), 1),
                "p99_ms": round(float(p99), 1),
                "answers": dict(told.statuses),
                "clicks": told.clicks,
                "orders": told.orders,
                "sold_already": told.late,
            }
        )
    )


if __name__ == "__main__":
    main()
