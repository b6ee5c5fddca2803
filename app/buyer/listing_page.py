"""A listing as buyers see it: to read, to buy, to ask about, to report. Rendered here, without internal ids."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from app.accounts.authentication import request_seller
from app.buyer.cards import LARGE, SMALL, card, product, question, whole
from app.buyer.filters import read
from app.buyer.page import base_of, confirmation, html_page, remember
from app.buyer.scaled import scaled_photo
from app.buyer.visitor import Visitor, address_of, visitor_of
from app.editing.prices import parse_price
from app.feed.pages import Rates
from app.market.messages import LENGTH
from app.routing import Deps, place_order, services_of
from app.store.listing_repo import NOT_THERE
from app.views import AppError
from listing.schema import Listing

SIMILAR = 6
REASONS = {
    "prohibited": "It may not be sold here",
    "counterfeit": "It is a fake",
    "wrong": "It is not as described",
    "fraud": "Somebody wants to cheat",
    "other": "Something else",
}
ASKED = "Your question is with the seller. The answer will stand here."
REPORTED = "Thank you. The people who run this site see your report."
Place = Literal["buy", "ask", "report"]
Text = Annotated[str, Form()]
pages = APIRouter(include_in_schema=False)
strangers_reports = Rates(0.1, burst=100)  # of one address: ten, then one every ten seconds


@pages.get("/l/{listing_id}")
def listing_page(request: Request, services: Deps, listing_id: str) -> Response:
    """A public listing, or an own one in whatever state."""
    visitor = visitor_of(request)
    if visitor.logged and _from_feed(request.headers.get("referer", "")):
        with suppress(AppError):  # a store that is busy or full: the page is shown all the same
            services.feed.opened(visitor.id, listing_id[:64])
    return _page(request, visitor, listing_id)


@pages.post("/l/{listing_id}/buy")
def buy(
    request: Request, services: Deps, listing_id: str, price: Text = "", currency: Text = "", key: Text = ""
) -> Response:
    """Order it at the price that was seen; the same form again is the same order."""
    visitor = visitor_of(request)
    try:
        buyer = visitor.check_may_buy()
        amount = parse_price(price[:40])
        place_order(services, buyer, listing_id[:64], key, price=amount, currency=currency[:3])
    except AppError as error:
        return _page(request, visitor, listing_id, error=("buy", error))
    return RedirectResponse(f"/l/{listing_id}", 303)


@pages.post("/l/{listing_id}/like")
def like(request: Request, services: Deps, listing_id: str) -> Response:
    """Among one's favourites, or no more."""
    visitor = visitor_of(request)
    try:
        services.likes.turn(visitor.check_may_buy(), listing_id[:64])
    except AppError as error:
        return _page(request, visitor, listing_id, error=("buy", error))
    return RedirectResponse(f"/l/{listing_id}", 303)


@pages.post("/l/{listing_id}/ask")
def ask(request: Request, services: Deps, listing_id: str, text: Text = "") -> Response:
    """Ask the seller."""
    visitor = visitor_of(request)
    try:
        sent = services.messages.ask(visitor.check_may_buy(), listing_id[:64], text)
    except AppError as error:
        return _page(request, visitor, listing_id, error=("ask", error), typed={"ask": text})
    return _page(request, visitor, listing_id, done={"ask": confirmation(ASKED, sent.taken_out)})


@pages.post("/l/{listing_id}/report")
def report(request: Request, services: Deps, listing_id: str, reason: Text = "other", text: Text = "") -> Response:
    """Tell the operators what is wrong with it."""
    visitor = visitor_of(request)
    words = f"{REASONS.get(reason, REASONS['other'])}. {text}".strip()
    try:
        if not visitor.seller:
            strangers_reports.check(address_of(request))
        sent = services.messages.report(visitor.check(), listing_id[:64], words)
    except AppError as error:
        return _page(request, visitor, listing_id, error=("report", error), typed={"report": text, "reason": reason})
    return _page(request, visitor, listing_id, done={"report": confirmation(REPORTED, sent.taken_out)})


@pages.get("/l/{listing_id}/photos/{number}")
def listing_photo(
    request: Request, services: Deps, listing_id: str, number: int, width: Annotated[int, Query(alias="w")] = 0
) -> Response:
    """A photo of a listing by its place from 1, scaled to one of the sizes that pages use."""
    try:
        listing = services.listings.visible("", listing_id[:64])
    except AppError:
        listing = services.listings.visible(request_seller(request).id, listing_id[:64])
    path = services.media.path(listing.photos[number - 1].id) if 1 <= number <= len(listing.photos) else None
    if path is None or not path.is_file():
        raise AppError("not_found", "There is no such photo; it may have been deleted.", 404)
    side = next((side for side in (SMALL, LARGE) if 0 < width <= side), 0)
    return scaled_photo(path, side)


def _from_feed(referer: str) -> bool:
    """True where a link of the ranked feed led here; a result of a search says nothing about a place in the feed."""
    try:
        origin = urlsplit(referer)
    except ValueError:
        return False
    return origin.path == "/feed" and not read(dict(parse_qsl(origin.query))).searching


def _page(
    request: Request,
    visitor: Visitor,
    listing_id: str,
    *,
    error: tuple[Place, AppError] | None = None,
    done: Mapping[Place, str] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """The page as it stands now; an error or what was done is said where it was pressed, and what was typed stays."""
    services = services_of(request)
    try:
        listing = services.listings.visible(visitor.seller, listing_id[:65])
    except AppError as missing:
        if missing.http_status not in (404, 422):
            raise
        return html_page(request, visitor, "listing", 404, then="/feed", listing=None, missing=NOT_THERE)
    is_seller, base = listing.seller_id == visitor.seller, base_of(request)
    order = services.orders.placed(visitor.id, listing.id) if visitor.recognised else None
    if visitor.logged:
        services.messages.read_answers(visitor.id, listing.id)
    response = html_page(
        request,
        visitor,
        "listing",
        error[1].http_status if error else 200,
        then=f"/l/{listing.id}",
        listing=whole(listing, is_seller=is_seller),
        is_seller=is_seller and not services.sellers.single,
        order=order,
        likes=services.likes.counts([listing.id]).get(listing.id, 0),
        liked=visitor.recognised and listing.id in services.likes.of(visitor.id),
        key=secrets.token_hex(16),
        questions=[question(m, visitor.id) for m in services.messages.visible(listing.id, visitor.id)],
        seller=services.shop.seller_of(listing.seller_id),
        similar=[card(x) for x in _similar(request, listing, visitor.id)],
        errors={error[0]: str(error[1])} if error else {},
        done=done or {},
        typed={"ask": "", "report": "", "reason": "", **(typed or {})},
        reasons=REASONS,
        most=LENGTH,
        product=product(listing, base),
        base=base,
    )
    return remember(request, response, visitor)


def _similar(request: Request, listing: Listing, reader: str) -> list[Listing]:
    """Listings that look like it; without vectors of its photos, or once it is sold, the newest of its category."""
    services = services_of(request)
    alike = services.feed.similar(listing.id, SIMILAR, reader)
    return alike or services.shop.newest(listing.category, listing.id, SIMILAR, reader)
