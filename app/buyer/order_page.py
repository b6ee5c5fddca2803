"""The page of an order, for its buyer and for its seller: what became of it, and what they write to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.buyer.cards import line, order_card
from app.buyer.page import confirmation, html_page, remember
from app.buyer.purchases import HERE as PURCHASES
from app.buyer.visitor import Visitor, visitor_of
from app.market.messages import LENGTH
from app.market.orders import Order
from app.routing import Deps, one_of, services_of
from app.views import AppError

ADDRESS = "/feed/orders/{order_id}"
REPORTED = "Thank you. The people who run this site see your report and the last message of the other side."
Place = Literal["state", "write", "report", "block"]
Deed = Literal["write", "report", "block", "cancel", "handed"]
PLACES: dict[Deed, Place] = {
    "write": "write", "report": "report", "block": "block", "cancel": "state", "handed": "state"
}  # fmt: skip
Text = Annotated[str, Form()]
pages = APIRouter(include_in_schema=False)


@pages.get(ADDRESS)
def order_page(request: Request, order_id: str) -> Response:
    """An order that the visitor placed or received."""
    visitor = visitor_of(request)
    if not visitor.may_buy:
        return RedirectResponse(f"/sign-in?then=/feed/orders/{order_id[:64]}", 303)
    return _page(request, visitor, order_id)


@pages.post(f"{ADDRESS}/{{deed:{one_of('deed', PLACES)}}}")
def act(
    request: Request, services: Deps, order_id: str, deed: Deed, text: Text = "", blocked: Text = "yes"
) -> Response:
    """A message or a report of the other side, a call-off, a handing over, a block ("no": everything again)."""

    def do(who: str, order: str) -> str:
        if deed == "write":
            sent = services.messages.write(who, order, text)
            return confirmation("It was sent.", sent.taken_out) if sent.taken_out else ""
        if deed == "report":
            services.messages.report_order(who, order, text)
            return REPORTED
        if deed == "block":
            services.messages.block(who, order, blocked == "yes")
        else:
            (services.orders.cancel if deed == "cancel" else services.orders.complete)(who, order)
        return ""

    return _do(request, order_id, PLACES[deed], do, text)


def _do(request: Request, order_id: str, place: Place, do: Callable[[str, str], str], typed: str = "") -> Response:
    """Act on an order of the visitor's; then its page, where an error, or the sentence that ``do`` gives, is said."""
    visitor = visitor_of(request)
    try:
        who, order = _side(request, visitor, order_id)
        done = do(who, order.id)
    except AppError as error:
        return _page(request, visitor, order_id, error=(place, error), typed={place: typed})
    if done:
        return _page(request, visitor, order_id, done={place: done})
    return RedirectResponse(f"/feed/orders/{order.id}#{place}", 303)


def _side(request: Request, visitor: Visitor, order_id: str) -> tuple[str, Order]:
    """The id under which the visitor has the order, and the order. Raises AppError (403, 404).

    In the single-user mode a browser buys by its cookie and sells as the one person, for which it needs none.
    """
    orders = services_of(request).orders
    try:
        return visitor.check(), orders.get(visitor.id, order_id[:64])
    except AppError as error:
        if error.http_status not in (403, 404) or visitor.seller in ("", visitor.id):
            raise
        return visitor.seller, orders.get(visitor.seller, order_id[:64])


def _page(
    request: Request,
    visitor: Visitor,
    order_id: str,
    *,
    error: tuple[Place, AppError] | None = None,
    done: Mapping[Place, str] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """The page as it stands now; an error or what was done is said where it was pressed, and what was typed stays."""
    services = services_of(request)
    try:
        who, order = _side(request, visitor, order_id)
    except AppError as missing:
        if missing.http_status not in (403, 404):
            raise
        page = html_page(request, visitor, "order", missing.http_status, then=PURCHASES, order=None, missing=missing)
        return remember(request, page, visitor)
    conversation = services.messages.conversation(who, order.id, read=visitor.here)
    listing = next(iter(services.listings.comparables([order.listing_id])), None)
    response = html_page(
        request,
        visitor,
        "order",
        error[1].http_status if error else 200,
        then=f"/feed/orders/{order.id}",
        order=order_card(order, listing),
        lines=[line(said, order) for said in conversation.messages],
        conversation=conversation,
        errors={error[0]: str(error[1])} if error else {},
        done=done or {},
        typed={"write": "", "report": "", **(typed or {})},
        most=LENGTH,
    )
    return remember(request, response, visitor)
