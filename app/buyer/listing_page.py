"""A listing as buyers see it: one page, rendered here, without a script and without internal ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.accounts.authentication import request_seller
from app.routing import Deps, Id
from app.seller import words
from app.templates import render
from app.views import AppError
from listing.schema import Listing

STATES = {**words.STATUSES, "removed": "Not on sale"}
PAGE = Path(__file__).with_name("templates") / "page.html"
pages = APIRouter(include_in_schema=False)


@pages.get("/l/{listing_id}")
def listing_page(request: Request, services: Deps, listing_id: Id) -> Response:
    """An own listing in whatever state, or a public one of somebody else; who is not signed in is sent to the form."""
    headers = {"Cache-Control": "no-store"}
    try:
        seller = request_seller(request)
        listing = services.listings.shown(seller.id, listing_id)
    except AppError as error:
        if error.http_status == 401 and "authorization" not in request.headers:
            return RedirectResponse("/sign-in", 303)
        if error.http_status != 404:
            raise
        return HTMLResponse(render(PAGE, listing=None, missing=str(error)), 404, headers)
    shown = _words(listing, own=listing.seller_id == seller.id)
    return HTMLResponse(render(PAGE, listing=shown, missing=""), headers=headers)


def _words(listing: Listing, *, own: bool) -> dict[str, Any]:
    """What the page says of a listing, in words."""
    sold_out = listing.status == "active" and listing.stock == 0
    facts = {**listing.attributes, **({"condition_grade": listing.condition} if listing.condition else {})}
    return {
        "title": listing.title,
        "description": listing.description,
        "price": words.money(listing.price, listing.currency),
        "category": words.category_label(listing.category),
        "state": "Sold" if sold_out else STATES[listing.status],
        "on_sale": listing.status == "active" and not sold_out,
        "hidden": own and listing.status in ("removed", "draft", "review", "refused"),
        "facts": [(words.attribute_label(name), words.value_label(value)) for name, value in facts.items()],
        "photos": [f"/v1/photos/{photo.id}" for photo in listing.photos],
    }
