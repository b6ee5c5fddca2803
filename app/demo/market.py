"""What people do in the demo, through a server's services: sell, look, click, buy, ask, hand over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from sqlalchemy import select

from app.accounts.sellers import ONE_PERSON
from app.demo.crowd import NAMES, SELLERS, Crowd
from app.demo.known import KnownThings
from app.demo.things import Thing
from app.services import Services
from app.store.clock import now
from app.store.tables import KeyRow
from app.views import AppError
from listing.intake.photos import intake
from listing.schema import Listing

PAGE = 20
KEY = "demo-thing-"  # before a thing's number: the key with which it was published
HANDED_OVER = 0.7  # share of a day's orders that are handed over on the next one
ASKED = 0.02  # of the clicks that lead to no order
ADVERTISED = 12  # one thing of so many
BIDS = (0.05, 0.1, 0.2, 0.4)  # for a click
QUESTIONS = (
    ("Is it still available?", "Yes, it is."),
    ("Could you send it next week?", "Yes, on Monday."),
    ("Is the colour as on the photo?", "It is, in daylight."),
    ("Would you take a little less?", "Not for now, sorry."),
    ("Does it smell of smoke?", "No, we do not smoke."),
    ("How long have you had it?", "About two years."),
)


@dataclass
class Market:
    """Everybody on one server.

    pipeline: the services' own, which is told what the photos show. things: all that will ever be for sale, by number.
    """

    services: Services
    pipeline: KnownThings
    crowd: Crowd
    things: Sequence[Thing]
    rng: np.random.Generator
    listed: dict[str, int] = field(default_factory=dict)  # listing -> number of the thing
    unwanted: set[str] = field(default_factory=set)  # listings that were bought and will be given back
    orders: int = 0
    clicks: int = 0

    def remember(self) -> None:
        """What was sold here before, after a start."""
        with self.services.store.read() as session:
            query = select(KeyRow.listing_id, KeyRow.key, KeyRow.at).where(KeyRow.key.startswith(KEY))
            for listing, key, moment in session.execute(query):
                self._listed(listing, int(key.removeprefix(KEY)), moment)

    def _listed(self, listing: str, thing: int, moment: datetime) -> None:
        self.listed[listing] = thing
        self.crowd.listed(thing, moment)

    def seller(self, thing: int) -> str:
        """Whose thing it is; the first seller is the one person who uses this machine."""
        number = self.crowd.seller(thing)
        return self.services.sellers.named(NAMES[number] if number else ONE_PERSON).id

    def sell(self, thing: Thing, photos: Sequence[bytes]) -> Listing:
        """Publish a thing with its price, as its seller would: photos, draft, price, publish."""
        taken = intake(photos)
        for photo in taken:
            self.pipeline.tell(photo.ref.id, thing)
        seller = self.seller(thing.number)
        values = {"price": f"{thing.price:.2f}", **({"title": thing.title} if thing.title else {})}
        *_, draft = self.services.draft_writer.start(seller, taken, thing.note)
        listing = self.services.publisher.edit_and_publish(seller, draft.draft_id, values, key=f"{KEY}{thing.number}")
        self._listed(listing.id, thing.number, now())
        if thing.seed % ADVERTISED == 0:
            self.services.feed.place_ad(seller, listing.id, float(self.rng.choice(BIDS)))
        return listing

    def visit(self, visitor: int) -> None:
        """One page: what comes into view, what is clicked, now and then an order or a question."""
        name, services, moment = self.crowd.name(visitor), self.services, now()
        page = services.feed.page(name, PAGE)
        places = [(p, p.listing) for p in page.places if p.listing is not None and p.listing.id in self.listed]
        places = places[: self.crowd.seen(self.rng, len(places))]
        if not places:
            return
        things = np.array([self.listed[x.id] for _, x in places])
        ads = np.array([p.reason == "ad" for p, _ in places])
        clicked = self.rng.random(len(things)) < self.crowd.clicks(visitor, things, ads, moment)
        p_order, p_cart = self.crowd.orders(visitor, things, moment)
        carted = clicked & (self.rng.random(len(things)) < p_cart)
        bought = clicked & (self.rng.random(len(things)) < p_order)
        events = [("impression", page.id, x.id, "") for _, x in places]
        for kind, which in (("click", clicked), ("cart", carted)):
            events += [(kind, page.id, places[i][1].id, "") for i in np.flatnonzero(which)]
        services.feed.events(name, events)
        self.clicks += int(clicked.sum())
        for i in np.flatnonzero(bought):
            self._buy(visitor, places[i][1], page.id)
        for i in np.flatnonzero(clicked & ~bought):
            if self.rng.random() < ASKED:
                self._ask(name, places[i][1])

    def _buy(self, visitor: int, listing: Listing, page_id: str) -> None:
        name = self.crowd.name(visitor)
        try:
            self.services.orders.buy(name, listing.id, f"{name}-{listing.id}", page_id, price=listing.price)
            self.orders += 1
            if self.rng.random() < self.crowd.refund(visitor, self.listed[listing.id]):
                self.unwanted.add(listing.id)
        except AppError as error:
            if error.code != "sold":  # somebody else was faster
                raise

    def _ask(self, name: str, listing: Listing) -> None:
        """A question; most are answered at once, those to the person at this machine wait for them."""
        question, answer = QUESTIONS[int(self.rng.integers(len(QUESTIONS)))]
        seller = self.seller(self.listed[listing.id])
        try:
            asked = self.services.messages.ask(name, listing.id, question)
        except AppError as error:
            if error.code not in ("too_many", "not_found"):
                raise
            return
        if seller != self.services.sellers.only().id and self.rng.random() < 0.8:
            self.services.messages.answer(seller, asked.id, answer)

    def hand_over(self) -> None:
        """Sellers hand over what was bought, or take it back; whoever uses this machine has their own to do."""
        for name in NAMES[1:SELLERS]:
            seller = self.services.sellers.named(name).id
            for order in self.services.orders.waiting(seller):
                if order.listing_id not in self.listed or self.rng.random() > HANDED_OVER:
                    continue
                self.services.orders.complete(seller, order.id)
                if order.listing_id in self.unwanted:
                    self.services.orders.refund(seller, order.id)
