"""What everybody may know of a seller: since when they are here, what they sold, what they have on sale."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.buyer.cards import card
from app.buyer.filters import read
from app.buyer.page import base_of, html_page, remember
from app.buyer.visitor import visitor_of
from app.market.shop import NO_SELLER
from app.routing import Deps
from app.views import AppError

PER_PAGE = 24
pages = APIRouter(include_in_schema=False)


@pages.get("/feed/sellers/{public_id}")
def seller_page(request: Request, services: Deps, public_id: str) -> Response:
    """A seller by the id that everybody may know."""
    visitor, page = visitor_of(request), read(request.query_params).page
    try:
        seller = services.shop.seller(public_id[:64], visitor.id, first=(page - 1) * PER_PAGE, count=PER_PAGE)
    except AppError as missing:
        if missing.http_status not in (404, 422):  # 422: the database cannot even look for it
            raise
        return html_page(request, visitor, "seller", 404, then="/feed", seller=None, missing=NO_SELLER)
    here = f"/feed/sellers/{seller.id}"
    response = html_page(
        request,
        visitor,
        "seller",
        then=here,
        seller=seller,
        cards=[card(listing) for listing in seller.listings],
        here=here,
        page=page,
        pages=-(-seller.on_sale // PER_PAGE),
        base=base_of(request),
    )
    return remember(request, response, visitor)
