"""Sellers and buyers who use the API while servers are killed, and try again as people do; answers are noted."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from tests.fakes import jpeg

HANG_SECONDS = 60.0
GIVE_UP_SECONDS = 150.0
EXPECTED = frozenset({200, 201, 204, 404, 409})


@dataclass
class Offer:
    """A listing as its seller was last told.

    stock: pieces when it came. off: ``removed`` or ``deleted`` once its seller was told so. sold: a buyer was told so.
    """

    id: str
    key: str
    draft: str
    title: str
    price: float
    stock: int
    bid: float = 0.0
    leaving: bool = False
    off: str = ""
    sold: bool = False

    @property
    def on_sale(self) -> bool:
        """Whether nobody was told anything else."""
        return not (self.leaving or self.off or self.sold)


@dataclass
class Promises:
    """What people were told, and what went wrong.

    orders: order and listing by buyer and key. refused: buyer and key of wishes that were answered with a no.
    """

    offers: dict[str, Offer] = field(default_factory=dict)
    orders: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def check(self, true: bool, otherwise: str) -> None:
        if not true:
            with self.lock:
                self.wrong.append(otherwise)


class Person(threading.Thread):
    """Does one act after the other until it is told to leave; each request is repeated, with any server, until it has
    an answer that is one."""

    def __init__(self, urls: Sequence[str], name: str, promises: Promises, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.urls, self.promises, self.dice = urls, promises, random.Random(seed)
        self.leave = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=HANG_SECONDS) as self.client:
            while not self.leave.wait(self.dice.uniform(0, 0.1)):
                try:
                    self.act()
                except Exception as error:
                    self.promises.check(False, f"{self.name}: {type(error).__name__} {error}")

    def act(self) -> None:
        raise NotImplementedError

    def word(self) -> str:
        """A word; numbers would look like a telephone's and be taken out of the index."""
        return "".join(self.dice.choices("abcdefgh", k=9))

    def ask(self, method: str, path: str, **named: object) -> httpx.Response:
        """The answer, after as many tries as it takes; everything but a clear "try again" is an answer."""
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                answer = self.client.request(method, self.dice.choice(self.urls) + path, **named)  # type: ignore[arg-type]
            except httpx.TimeoutException:
                self.promises.check(False, f"{method} {path} hung for {HANG_SECONDS} s")
                continue
            except httpx.TransportError:
                self.promises.note("no connection")
                time.sleep(0.2)
                continue
            self.promises.slowest = max(self.promises.slowest, time.monotonic() - began)
            self.promises.note(str(answer.status_code))
            if answer.status_code in (429, 503) and "retry-after" in answer.headers:
                time.sleep(min(float(answer.headers["retry-after"]), 0.5))
                continue
            expected = answer.status_code in EXPECTED
            self.promises.check(expected, f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return answer
        raise TimeoutError(f"{method} {path} never had an answer")


class Seller(Person):
    """Publishes, edits, advertises and withdraws; each listing has one seller thread, who so knows how it stands."""

    def act(self) -> None:
        mine = [t for t in list(self.promises.offers.values()) if t.key.startswith(f"{self.name} ") and t.on_sale]
        acts: list[Callable[[list[Offer]], None]] = [self.publish, self.edit, self.advertise, self.withdraw, self.again]
        choice = self.dice.choices(acts, (4, 3, 1, 1, 1))[0]
        (choice if mine else self.publish)(mine)

    def publish(self, _: list[Offer]) -> None:
        shade = tuple(self.dice.randrange(200) for _ in range(3))
        files = {"photos": ("a.jpg", jpeg(shade), "image/jpeg")}  # type: ignore[arg-type]
        draft = self.ask("POST", "/v1/drafts", files=files).json()["id"]
        key, title = f"{self.name} {draft}", f"thing {self.word()}"
        price = float(self.dice.randrange(1, 100))
        body = {"draft_id": draft, "title": title, "price": price}
        listing = self.ask("POST", "/v1/listings", json=body, headers={"Idempotency-Key": key}).json()
        pieces = self.dice.choice((1, 1, 1, 3))
        if pieces > 1:
            self.ask("PATCH", f"/v1/listings/{listing['id']}", json={"stock": pieces})
        offer = Offer(listing["id"], key, draft, title, price, pieces)
        self.promises.check(offer.id not in self.promises.offers, f"{offer.id} was given to two drafts")
        self.promises.offers[offer.id] = offer
        self.promises.note("published")

    def edit(self, mine: list[Offer]) -> None:
        offer = self.dice.choice(mine)
        title, price = f"changed {self.word()}", float(self.dice.randrange(1, 100))
        answer = self.ask("PATCH", f"/v1/listings/{offer.id}", json={"title": title, "price": price})
        self.promises.check(answer.status_code == 200, f"{offer.id} is lost: {answer.text[:200]}")
        offer.title, offer.price = title, price
        self.promises.note("edited")

    def advertise(self, mine: list[Offer]) -> None:
        offer, bid = self.dice.choice(mine), self.dice.randrange(1, 50) / 100
        answer = self.ask("PUT", f"/v1/listings/{offer.id}/ad", json={"bid": bid})
        self.promises.check(answer.status_code == 204, f"{offer.id} is lost: {answer.text[:200]}")
        offer.bid = bid

    def withdraw(self, mine: list[Offer]) -> None:
        offer = self.dice.choice(mine)
        offer.leaving = True
        if self.dice.random() < 0.5:
            answer = self.ask("PATCH", f"/v1/listings/{offer.id}", json={"status": "removed"})
            self.promises.check(answer.status_code == 200, f"{offer.id} is lost: {answer.text[:200]}")
            offer.off = "removed"
        else:
            answer = self.ask("DELETE", f"/v1/listings/{offer.id}")  # 404: an earlier try went through
            if answer.status_code == 409:  # bought meanwhile: it stays until the order has ended
                self.promises.check(answer.json()["error"]["code"] == "open_orders", answer.text[:200])
                offer.leaving = False
                return
            offer.off = "deleted"
        self.promises.note("withdrawn")

    def again(self, mine: list[Offer]) -> None:
        offer = self.dice.choice(mine)
        body = {"draft_id": offer.draft, "title": "never", "price": 1}
        answer = self.ask("POST", "/v1/listings", json=body, headers={"Idempotency-Key": offer.key})
        self.promises.check(answer.json().get("id") == offer.id, f"the key of {offer.id} gave {answer.text[:200]}")


class Buyer(Person):
    """Looks at pages and orders; several buyers want the same ones."""

    def act(self) -> None:
        act = self.dice.choices([self.order, self.look, self.repeat], (4, 2, 1))[0]
        act()

    def look(self) -> None:
        page = self.ask("GET", f"/v1/feed/{self.name}", params={"size": 10}).json()
        for place in page["places"]:
            self.promises.check(place["listing"]["status"] == "active", f"a page shows {place['listing']['status']}")
        if page["places"]:
            listing = self.dice.choice(page["places"])["listing"]["id"]
            event = {"kind": "click", "page_id": page["id"], "listing_id": listing}
            self.ask("POST", "/v1/events", json={"visitor": self.name, "events": [event]})

    def order(self) -> None:
        wanted = [t for t in list(self.promises.offers.values()) if not t.sold]
        if not wanted:
            return
        # The newest, withdrawn ones too: most buyers are after the same ones.
        offer, key = self.dice.choice(wanted[-4:]), f"{time.monotonic_ns()}"
        was_off = bool(offer.off)
        price = offer.price
        answer = self.buy(offer.id, key, price)
        body = answer.json()
        if answer.status_code == 201:
            self.promises.check(body["amount"] == price, f"{offer.id} was sold at a price that nobody saw: {body}")
            self.promises.check(not was_off, f"{offer.id} was sold after it was withdrawn")
            self.promises.orders[self.name, key] = (body["id"], offer.id)
            self.promises.note("ordered")
        else:
            self.promises.refused.add((self.name, key))
            self.promises.note("refused")
        if answer.status_code == 201 or body["error"]["code"] != "price_changed":  # its seller may just have changed it
            offer.sold = offer.sold or offer.stock == 1 or answer.status_code == 409

    def buy(self, listing: str, key: str, price: float | None = None) -> httpx.Response:
        """A wish at that price; one that is repeated needs none."""
        body = {"listing_id": listing, "buyer": self.name, "price": price}
        return self.ask("POST", "/v1/orders", json=body, headers={"Idempotency-Key": key})

    def repeat(self) -> None:
        wishes = [wish for wish in list(self.promises.orders) if wish[0] == self.name]
        if not wishes:
            return
        wish = self.dice.choice(wishes)
        order, listing = self.promises.orders[wish]
        answer = self.buy(listing, wish[1])
        self.promises.check(answer.json().get("id") == order, f"{wish} gave another order: {answer.text[:200]}")
