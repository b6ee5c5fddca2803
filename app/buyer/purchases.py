"""The page of a buyer's orders and their states."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.buyer.cards import SMALL, photo
from app.buyer.page import html_page, remember
from app.buyer.visitor import visitor_of
from app.market.orders import Order
from app.routing import Deps
from app.seller import words
from listing.schema import Listing

HERE = "/feed/purchases"
MOST = 100
GONE = "A listing that is gone"
_STATES = {"open": "Waiting for the seller", "completed": "Handed over", "refunded": "Refunded"}
pages = APIRouter(include_in_schema=False)


@pages.get(HERE)
def purchases(request: Request, services: Deps) -> Response:
    """The visitor's own orders, the newest first; strangers are led to the sign-in form where people sign in."""
    visitor = visitor_of(request)
    if not visitor.may_buy:
        return RedirectResponse(f"/sign-in?then={HERE}", 303)
    orders = services.orders.mine(visitor.id, "buyer", MOST) if visitor.recognised else []
    public = {x.id: x for x in services.listings.comparables([order.listing_id for order in orders])}
    cards = [_order_card(order, public.get(order.listing_id)) for order in orders]
    return remember(request, html_page(request, visitor, "purchases", then=HERE, orders=cards, most=MOST), visitor)


def _order_card(order: Order, listing: Listing | None) -> dict[str, Any]:
    """An order as its buyer reads it. ``listing``: None once it is not public any more."""
    ended = order.refunded_at or order.completed_at
    return {
        "title": order.title or GONE,
        "price": words.money(order.amount, order.currency),
        "state": order.state,
        "pill": _STATES[order.state],
        "bought": f"{order.at:%-d %B %Y}",
        "ended": f"{ended:%-d %B %Y}" if ended else "",
        "url": f"/l/{listing.id}" if listing is not None else "",
        "photo": photo(listing, 0, SMALL) if listing is not None and listing.photos else None,
    }
