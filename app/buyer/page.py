"""Every page for buyers: its head, stylesheet and script, and the cookie by which a browser is recognised."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from markupsafe import Markup

from app.buyer.visitor import COOKIE, Visitor
from app.market.messages import count_buyers_news, count_news
from app.routing import one_of, services_of
from app.templates import render
from app.theme import STATIC, script, stylesheet
from app.views import AppError

COOKIE_DAYS = 180
FOLDER = Path(__file__).with_name("templates")
TAKEN_OUT = "This was taken out of it: {}. Buyers and sellers write to each other here."
pages = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)


def html_page(
    request: Request, visitor: Visitor, name: str, status: int = 200, *, then: str, **values: Any
) -> HTMLResponse:
    """The template ``NAME.html`` below the head that all of them share; ``then``: where signing in leads back to."""
    head = {**_news_for(request, visitor), "visitor": visitor, "then": then, "version": _version()}
    html = render(FOLDER / f"{name}.html", **head, **values)
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})


def remember(request: Request, response: Response, visitor: Visitor) -> Response:
    """Give a browser its cookie, if it needs one and has none."""
    if visitor.token and not visitor.recognised:
        secure = services_of(request).settings.secure_cookies or request.url.scheme == "https"
        age = COOKIE_DAYS * 86_400
        response.set_cookie(COOKIE, visitor.token, max_age=age, httponly=True, samesite="lax", secure=secure)
    return response


def base_of(request: Request) -> str:
    """The address at which this server was asked, without a slash at its end."""
    base = str(request.base_url).rstrip("/")
    secure = services_of(request).settings.secure_cookies  # behind a proxy with a certificate
    return f"https://{base.partition('://')[2]}" if secure else base


def preview(base: str) -> Markup:
    """What a link to our pages looks like elsewhere: name, sentence, picture."""
    properties = {
        "site_name": "IPL",
        "type": "website",
        "title": "IPL: used things, one of each",
        "description": "Photos become an honest listing, and the listing finds its buyer.",
        "image": f"{base}/feed/icon.png",
    }
    tags = (Markup('<meta property="og:{}" content="{}">').format(*each) for each in properties.items())
    head = Markup('<meta name="twitter:card" content="summary"><link rel="icon" href="/feed/icon.png">')
    return head + Markup("").join(tags)


@pages.get("/feed/icon.png")
def icon() -> Response:
    """Our picture."""
    return FileResponse(STATIC / "icon.png", headers={"Cache-Control": "max-age=86400"})


@pages.get(f"/feed/buyer.{{kind:{one_of('buyer_file', ['css', 'js'])}}}")
def file(kind: str) -> Response:
    """The look of the pages for buyers, and their one script."""
    of = {"css": "text/css", "js": "text/javascript"}[kind]
    return Response(_files()[kind], media_type=of, headers={"Cache-Control": "max-age=86400"})


@cache
def _files() -> dict[str, str]:
    return {"css": stylesheet("buyer"), "js": script("buyer")}


@cache
def _version() -> str:
    """Changes with stylesheet and script, so that browsers may keep them."""
    return hashlib.sha256("".join(_files().values()).encode()).hexdigest()[:12]


def confirmation(words: str, taken_out: Sequence[str]) -> str:
    """What was done, and which contact data were taken out on the way."""
    contacts = ", ".join(f"“{text}”" for text in taken_out)
    return f"{words} {TAKEN_OUT.format(contacts)}" if contacts else words


def _news_for(request: Request, visitor: Visitor) -> dict[str, Any]:
    """What waits for the visitor as a seller and as a buyer, in the head of each page; nothing if unreadable."""
    store, buys = services_of(request).store, visitor.recognised and visitor.may_buy
    try:
        return {
            "news": count_news(store, visitor.seller) if visitor.seller else 0,
            "answers": count_buyers_news(store, visitor.id) if buys else 0,
        }
    except AppError as error:
        log.warning("the head of a page goes without its count: %s", error)
        return {"news": 0, "answers": 0}
