"""The people of the load benchmark: readers, buyers, sellers with photos, an operator. Imported after locust.

Every answer is noted by ``Notes``: what is right, what was refused with 429 and a time to come back, and what is wrong.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gevent
from locust import HttpUser, constant_throughput, task
from locust.contrib.fasthttp import FastHttpUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_WAITING

from listing.taxonomy import load_taxonomy

PHOTO = Path(__file__).resolve().parents[2] / "demo" / "hoodie.jpg"
VISITORS = 500
CATEGORIES = sorted(load_taxonomy().categories)
SOLD = 409  # somebody else was faster, or the price was changed: how a sale of single items goes
AWAY = (0, 502, 503, 504)  # no connection, or the proxy's word for that
QUERIES = ("black hoodie", "red dress size M", "book under 10", "rotes Kleid", "jeans", "nike shoes", "mug", "lampe")


@dataclass
class Notes:
    """Answers of one phase: milliseconds by route, from the first try on, and counts of what was refused, tried again,
    and wrong. ``confirmed``: what people were told is stored, ids by kind. ``retries``: of a call that nobody answers.
    """

    ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)
    no_retry_after: int = 0
    retried: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    confirmed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    retries: int = 0

    def take(self, name: str, status: int, headers: Any, ms: float, right: tuple[int, ...]) -> bool:
        """Note an answer; whether it is a right one."""
        if status in right:
            self.ms[name].append(ms)
            return status < 400
        if status == 429:
            self.refused[name] += 1
            self.no_retry_after += "retry-after" not in {str(key).lower() for key in headers}
        else:
            self.errors[f"{name}: {status}"] += 1
        return False


class Asks:
    """The calls of a user, each noted in the phase that runs (``environment.notes``)."""

    client: Any
    environment: Any
    every: float  # seconds between the beginnings of two visits of one person

    def on_start(self) -> None:
        """People do not come all at once; who has not come yet is not waited for at the end."""
        self._state = LOCUST_STATE_WAITING
        gevent.sleep(random.uniform(0, self.every))
        self._state = LOCUST_STATE_RUNNING

    def ask(self, method: str, path: str, name: str, right: tuple[int, ...] = (200,), **more: Any) -> Any | None:
        """The answer, or None when it was refused or wrong."""
        notes: Notes = self.environment.notes
        began = time.perf_counter()
        for left in reversed(range(notes.retries + 1)):
            with self.client.request(method, path, name=name, catch_response=True, **more) as answer:
                answer.success()  # what is right is decided here
            status = answer.status_code or 0
            if not left or status not in AWAY:
                break
            notes.retried[f"{name}: {status}"] += 1
            gevent.sleep(1)
        ms = 1000 * (time.perf_counter() - began)
        return answer if notes.take(name, status, answer.headers or {}, ms, right) else None

    def note(self, kind: str, key: str) -> None:
        """Somebody was told that it is stored."""
        self.environment.notes.confirmed[kind].add(key)


class Reader(Asks, FastHttpUser):
    """Looks at a page of the feed, reports what was seen and clicked, and now and then buys."""

    abstract = True
    connection_timeout = network_timeout = 60

    @task
    def visit(self) -> None:
        """One visit: two or three calls."""
        name = f"visitor{random.randrange(VISITORS):04d}"
        likes = random.Random(name).sample(CATEGORIES, 2)  # each visitor has a taste, which the feed can learn
        answer = self.ask("GET", f"/v1/feed/{name}", "GET /v1/feed")
        if answer is None:
            return
        page = answer.json()
        listings = [place["listing"] for place in page["places"] if place["listing"]]
        clicked = [x for x in listings if random.random() < (0.3 if x["category"] in likes else 0.04)]
        events = [{"kind": "impression", "page_id": page["id"], "listing_id": x["id"]} for x in listings]
        events += [{"kind": "click", "page_id": page["id"], "listing_id": one["id"]} for one in clicked]
        if events:
            self.ask("POST", "/v1/events", "POST /v1/events", json={"visitor": name, "events": events})
        if clicked and random.random() < 0.2:
            bought = clicked[0]
            body = {"listing_id": bought["id"], "price": bought["price"], "buyer": name, "page_id": page["id"]}
            key = {"Idempotency-Key": secrets.token_hex(8)}
            answer = self.ask("POST", "/v1/orders", "POST /v1/orders", (201, SOLD), json=body, headers=key)
            if answer is not None:
                self.note("orders", answer.json()["id"])


class Searcher(Asks, FastHttpUser):
    """Looks for something by words."""

    abstract = True
    connection_timeout = network_timeout = 60

    @task
    def search(self) -> None:
        """One page of results."""
        self.ask("GET", f"/feed?q={quote(random.choice(QUERIES))}", "GET /feed?q=")


class Seller(Asks, HttpUser):
    """Has a draft written from a photo by the real model, publishes it, changes it, looks for it."""

    abstract = True

    @task
    def sell(self) -> None:
        """One item, from the photo to the shelf."""
        photo = {"photos": ("hoodie.jpg", PHOTO.read_bytes(), "image/jpeg")}
        answer = self.ask("POST", "/v1/drafts", "POST /v1/drafts", (201,), files=photo, data={"note": "Worn twice."})
        if answer is None:
            return
        draft = answer.json()["id"]
        self.note("drafts", draft)
        self.ask("GET", f"/v1/drafts/{draft}", "GET /v1/drafts")
        body = {"draft_id": draft, "title": "A hoodie", "category": "Hoodie", "price": 15}
        answer = self.ask("POST", "/v1/listings", "POST /v1/listings", (201,), json=body)
        if answer is None:
            return
        listing = answer.json()
        self.note("listings", listing["id"])
        self.ask("PATCH", f"/v1/listings/{listing['id']}", "PATCH /v1/listings", json={"price": 12})
        self.ask("GET", f"/v1/photos/{listing['photos'][0]['id']}", "GET /v1/photos")
        self.ask("GET", "/v1/listings?q=hoodie&limit=20", "GET /v1/listings")


class Operator(Asks, FastHttpUser):
    """Looks at the numbers and the tables."""

    abstract = True
    connection_timeout = network_timeout = 60

    @task
    def look(self) -> None:
        """Health, metrics, one exported table."""
        for path in ("/healthz", "/readyz", "/metrics"):
            self.ask("GET", path, f"GET {path}")
        self.ask("GET", "/ops/export/figures.json", "GET /ops/export")


def people(visits: float, searches: float, sells: float, looks: float) -> list[type]:
    """User classes whose rates (of whole visits, a second) add up to the given ones; a rate of 0 leaves them out."""
    classes: list[type] = []
    rates = ((Reader, visits, 0.5), (Searcher, searches, 0.2), (Seller, sells, 0.05), (Operator, looks, 0.2))
    for base, rate, each in rates:
        if rate > 0:
            # Each person is slow, so that one who waits for an answer hardly lowers the rate of all.
            count = max(1, round(rate / each))
            attributes = {"abstract": False, "fixed_count": count, "every": count / rate}
            classes.append(type(base.__name__, (base,), {**attributes, "wait_time": constant_throughput(rate / count)}))
    return classes
