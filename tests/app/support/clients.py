"""Clients of the API without the page, and what most tests do with them: at once, or later, as a browser reads."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient

from app.accounts.passwords import hash_password
from app.accounts.sellers import Sellers
from app.store.db import open_store
from app.store.tables import SellerRow
from app.views import AppError
from app.web.server import create_app
from tests.fakes import jpeg

PASSWORD = "long enough"


_hashed = cache(hash_password)


def add_accounts(url, names, password=PASSWORD, stored=None, operators=""):
    """Accounts in the store at ``url``; a hash takes a fifth of a second, so that a run makes each once."""
    store = open_store(url)
    sellers = Sellers(store)
    for name in names:
        seller = sellers.named(name)
        with store.write() as session:
            row = session.get(SellerRow, seller.id)
            row.password, row.operator = stored or _hashed(password, name), name in operators.split(",")
    store.engine.dispose()


class People:
    """Several people on one server with accounts."""

    def __init__(self, build, names, page, **settings):
        self.services = build(sellers=names, **settings)
        self.app = create_app(self.services, page=page)

    def client(self, **named):
        """Of nobody."""
        return TestClient(self.app, base_url="http://localhost", **named)

    def bearer(self, name):
        return {"Authorization": f"Bearer {self.services.sellers.new_token(self.services.sellers.named(name))}"}

    def signed(self, name):
        """With a token."""
        return self.client(headers=self.bearer(name))

    def browser(self, name):
        """Signed in by the form; nobody for None."""
        made = self.client(follow_redirects=False)
        if name:
            made.post("/sign-in", data={"name": name, "password": PASSWORD})
        return made


def client_of(services, **named):
    return TestClient(create_app(services, page=False), base_url="http://localhost", **named)


def draft(client, count=1, **fields):
    files = [("photos", (f"{n}.jpg", jpeg((n * 20, 60, 60)), "image/jpeg")) for n in range(count)]
    return client.post("/v1/drafts", files=files, data=fields)


def published(client, **body):
    made = draft(client).json()["id"]
    return client.post("/v1/listings", json={"draft_id": made, "price": 10, **body}).json()


def code(response):
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message"}
    return response.status_code, response.json()["error"]["code"]


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What calls gave that began at the same moment; an AppError counts as its code."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return call()
        except AppError as error:
            return error.code

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def becomes(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What a condition says as soon as it is true, or at the end of the time."""
    until = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < until:
        time.sleep(0.02)
    return answer


class Tags(HTMLParser):
    """The tags and event attributes that a browser would make of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()
        self.addresses: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if not (tag == "script" and re.match(r"/\w", dict(attrs).get("src") or "")):  # one of the pages' own
            self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}
        self.addresses |= {value or "" for name, value in attrs if name in ("href", "src")}


def harmless(html: str) -> bool:
    found = Tags(html)
    foreign = [a for a in found.addresses if not a.startswith(("/", "data:image/", "#"))]
    return not found.handlers and "script" not in found.tags and not foreign
