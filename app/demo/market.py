"""What people do in the demo, through a server's services: sell, look, click, buy, ask, hand over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from sqlalchemy import select

from app.accounts.sellers import ONE_PERSON
from app.demo.crowd import NAMES, SELLERS, name_of, seller_of
from app.demo.items import Offer, items
from app.demo.pipeline import DemoPipeline
from app.feed.items import milliseconds
from app.services import Services
from app.store.clock import now
from app.store.tables import KeyRow, ListingRow
from app.views import AppError
from listing.intake.photos import intake
from listing.schema import Listing
from recommend.simulation.crowd import Crowd

PAGE = 20
KEY = "demo-thing-"  # before an offer's number: the key with which it was published
HANDED_OVER = 0.7  # share of a day's orders that are handed over on the next one
ASKED = 0.02  # of the clicks that lead to no order
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

    pipeline: the services' own, which learns what the photos show. offers: all that will ever be for sale, by number.
    """

    services: Services
    pipeline: DemoPipeline
    crowd: Crowd
    offers: Sequence[Offer]
    rng: np.random.Generator
    listed: dict[str, int] = field(default_factory=dict)  # listing -> number of the offer
    to_refund: set[str] = field(default_factory=set)  # listings that were bought and will be sent back
    orders: int = 0
    clicks: int = 0

    def restore(self) -> None:
        """Read from the store what was put on sale before this start."""
        with self.services.store.read() as session:
            query = select(KeyRow.listing_id, KeyRow.key, KeyRow.at).where(KeyRow.key.startswith(KEY))
            for listing, key, moment in session.execute(query):
                self._list(listing, int(key.removeprefix(KEY)), moment)

    def _list(self, listing: str, number: int, moment: datetime) -> None:
        self.listed[listing] = number
        self.crowd.listed(number, milliseconds(moment))

    def seller(self, number: int) -> str:
        """Seller of an offer; the first one is the person who uses this machine."""
        seller = seller_of(number)
        return self.services.sellers.named(NAMES[seller] if seller else ONE_PERSON).id

    def on_sale(self) -> list[int]:
        """Numbers of the offers on sale."""
        query = select(ListingRow.id).where(ListingRow.status == "active")
        with self.services.store.read() as session:
            return [self.listed[x] for x in session.scalars(query) if x in self.listed]

    def sell_next(self) -> None:
        """Put up the next offer, of an item that is on sale as rarely as any: what was bought comes back some day."""
        every = len(items())
        copies = Counter(number % every for number in self.on_sale())
        past = Counter(number % every for number in self.listed.values())
        left = [n for i in range(every) if (n := i + every * past[i]) < len(self.offers)]
        if left:
            self.sell(self.offers[min(left, key=lambda n: (copies[n % every], n))])

    def sell(self, offer: Offer) -> Listing:
        """Publish an offer with its price, as its seller would: photo, draft, price, publish."""
        photos = intake([offer.item.photo])
        for photo in photos:
            self.pipeline.expect(photo.ref.id, offer)
        seller = self.seller(offer.number)
        *_, draft = self.services.draft_writer.start(seller, photos, offer.note)
        price = {"price": f"{offer.price:.2f}"}
        listing = self.services.publisher.edit_and_publish(seller, draft.draft_id, price, key=f"{KEY}{offer.number}")
        self._list(listing.id, offer.number, now())
        if offer.advertised:
            self.services.feed.place_ad(seller, listing.id, float(self.rng.choice(BIDS)))
        return listing

    def visit(self, visitor: int) -> None:
        """One page: what comes into view, what is clicked, now and then an order or a question."""
        name, services, moment = name_of(visitor), self.services, milliseconds(now())
        page = services.feed.page(name, PAGE)
        places = [(p, p.listing) for p in page.places if p.listing is not None and p.listing.id in self.listed]
        places = places[: self.crowd.cards_in_view(self.rng, len(places))]
        if not places:
            return
        offers = np.array([self.listed[x.id] for _, x in places])
        ads = np.array([p.reason == "ad" for p, _ in places])
        clicked = self.rng.random(len(offers)) < self.crowd.clicks(visitor, offers, ads, np.arange(len(offers)), moment)
        p_order, p_cart = self.crowd.orders(visitor, offers, moment)
        carted = clicked & (self.rng.random(len(offers)) < p_cart)
        bought = clicked & (self.rng.random(len(offers)) < p_order)
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
        name = name_of(visitor)
        try:
            self.services.orders.buy(name, listing.id, f"{name}-{listing.id}", page_id, price=listing.price)
            self.orders += 1
            if self.rng.random() < self.crowd.refund(visitor, self.listed[listing.id]):
                self.to_refund.add(listing.id)
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
        """Sellers hand over what was bought, or take it back; whoever uses this machine has theirs to do."""
        for name in NAMES[1:SELLERS]:
            seller = self.services.sellers.named(name).id
            for order in self.services.orders.waiting(seller):
                if order.listing_id not in self.listed or self.rng.random() > HANDED_OVER:
                    continue
                self.services.orders.complete(seller, order.id)
                if order.listing_id in self.to_refund:
                    self.services.orders.refund(seller, order.id)
