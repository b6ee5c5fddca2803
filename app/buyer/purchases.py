"""The page of a buyer's orders and their states, and of their favourites."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.buyer.cards import card, order_card
from app.buyer.page import html_page, remember
from app.buyer.visitor import visitor_of
from app.routing import Deps

HERE = "/feed/purchases"
MOST = 100
pages = APIRouter(include_in_schema=False)


@pages.get(HERE)
def purchases(request: Request, services: Deps) -> Response:
    """The visitor's own orders, the newest first; strangers are led to the sign-in form where people sign in."""
    visitor = visitor_of(request)
    if not visitor.may_buy:
        return RedirectResponse(f"/sign-in?then={HERE}", 303)
    orders = services.orders.mine(visitor.id, "buyer", MOST) if visitor.recognised else []
    public = {x.id: x for x in services.listings.comparables([order.listing_id for order in orders])}
    unread = services.messages.unread(visitor.id) if orders else {}
    cards = [order_card(order, public.get(order.listing_id), unread.get(order.id, 0)) for order in orders]
    liked = services.listings.comparables(services.likes.of(visitor.id)[:MOST]) if visitor.recognised else []
    page = html_page(request, visitor, "purchases", then=HERE, orders=cards, most=MOST, liked=[card(x) for x in liked])
    return remember(request, page, visitor)
