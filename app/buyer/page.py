"""Every page for buyers: its head, stylesheet and script, and the cookie by which a browser is recognised."""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.buyer.visitor import COOKIE, Visitor
from app.market.messages import count_news
from app.routing import services_of
from app.templates import render
from app.theme import script, stylesheet
from app.views import AppError

COOKIE_DAYS = 180
FOLDER = Path(__file__).with_name("templates")
pages = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)


def html_page(
    request: Request, visitor: Visitor, name: str, status: int = 200, *, then: str, **values: Any
) -> HTMLResponse:
    """The template ``NAME.html`` below the head that all of them share; ``then``: where signing in leads back to."""
    news = _news_for(request, visitor)
    html = render(FOLDER / f"{name}.html", visitor=visitor, news=news, then=then, version=_version(), **values)
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})


def remember(request: Request, response: Response, visitor: Visitor) -> Response:
    """Give a browser its cookie, if it needs one and has none."""
    if visitor.token and not visitor.recognised:
        secure = services_of(request).settings.secure_cookies or request.url.scheme == "https"
        age = COOKIE_DAYS * 86_400
        response.set_cookie(COOKIE, visitor.token, max_age=age, httponly=True, samesite="lax", secure=secure)
    return response


@pages.get("/feed/buyer.css")
def css() -> Response:
    """The look of the pages for buyers."""
    return Response(_files()["css"], media_type="text/css", headers={"Cache-Control": "max-age=86400"})


@pages.get("/feed/buyer.js")
def js() -> Response:
    """Their one script."""
    return Response(_files()["js"], media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})


@cache
def _files() -> dict[str, str]:
    return {"css": stylesheet("buyer"), "js": script("buyer")}


@cache
def _version() -> str:
    """Changes with stylesheet and script, so that browsers may keep them."""
    return hashlib.sha256("".join(_files().values()).encode()).hexdigest()[:12]


def _news_for(request: Request, visitor: Visitor) -> int:
    """Number of orders and questions that wait for the visitor, in the head of each page; 0 if unreadable."""
    try:
        return count_news(services_of(request).store, visitor.seller) if visitor.seller else 0
    except AppError as error:
        log.warning("the head of a page goes without its count: %s", error)
        return 0
