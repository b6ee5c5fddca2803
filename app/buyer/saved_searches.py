"""Saved searches: their page, and what the page of a search knows of them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.buyer.filters import Filters, read_query
from app.buyer.page import html_page, remember
from app.buyer.visitor import Visitor, visitor_of
from app.market.search.conditions import Wish
from app.market.search.saved_searches import MOST
from app.routing import Deps
from app.services import Services
from app.views import AppError

HERE = "/feed/searches"
pages = APIRouter(include_in_schema=False)


@pages.get(HERE)
def saved_searches(request: Request) -> Response:
    """The visitor's own; strangers are led to the sign-in form where people sign in."""
    visitor = visitor_of(request)
    return _page(request, visitor) if visitor.may_buy else RedirectResponse(f"/sign-in?then={HERE}", 303)


@pages.post(HERE)
def save(request: Request, services: Deps, query: Annotated[str, Form()] = "") -> Response:
    """Save a search; then its page, which says so."""
    visitor = visitor_of(request)
    try:
        filters = read_query(query)
        services.searches.save(visitor.check_may_buy(), filters.wish)
    except AppError as error:
        return _page(request, visitor, error)
    return RedirectResponse(filters.address(1), 303)


@pages.post(f"{HERE}/{{search_id}}/remove")
def remove(request: Request, services: Deps, search_id: str) -> Response:
    """Forget a saved search."""
    visitor = visitor_of(request)
    try:
        services.searches.remove(visitor.check_may_buy(), search_id[:64])
    except AppError as error:
        return _page(request, visitor, error)
    return RedirectResponse(HERE, 303)


def note_opened(services: Services, visitor: Visitor, filters: Filters, at: datetime) -> bool | None:
    """Whether what was looked for ``at`` that time is saved, which opens it; None: it cannot be saved."""
    if not visitor.may_buy or filters.problems or filters.wish == Wish():
        return None
    saved = next((x for x in services.searches.mine(visitor.id) if x.wish == filters.wish), None)
    if saved is not None and visitor.here:
        with suppress(AppError):  # a store that is busy or full: the page is shown all the same
            services.searches.opened(visitor.id, saved.id, at)
    return saved is not None


def _page(request: Request, visitor: Visitor, error: AppError | None = None) -> Response:
    status, errors = (error.http_status, {"save": str(error)}) if error else (200, {})
    return remember(
        request, html_page(request, visitor, "searches", status, then=HERE, errors=errors, most=MOST), visitor
    )
