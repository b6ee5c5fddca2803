"""Who looks at a page for buyers: whoever is signed in, else a browser by a random id in a cookie."""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response

from app.accounts.authentication import from_elsewhere, request_seller
from app.accounts.login_attempts import network
from app.market.news import count_news
from app.routing import services_of
from app.views import AppError

COOKIE, COOKIE_DAYS = "ipl_visitor", 180
PREFIX = "visitor-"  # no seller's id begins like this
NO_COOKIE = "This needs a cookie, which your browser did not send; allow cookies for this page and try again."
_TOKEN = re.compile("[0-9a-f]{32}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Visitor:
    """Somebody at a page for buyers.

    id: under which feed, orders and messages know them. seller: whose own listings they see, empty for nobody.
    known: signed in, or the browser sent the cookie. here: a browser sent the request from a page of this server, from
        no page at all, or it was no browser. may_buy: signed in, or this is the single-user mode. token: the cookie's.
    """

    id: str
    seller: str
    recognised: bool
    here: bool
    may_buy: bool
    token: str = ""

    @property
    def logged(self) -> bool:
        """Whether what they are shown is written down: another site, a preview or a crawler must not do that."""
        return self.recognised and self.here

    def check(self) -> str:
        """Their id, for whoever wants to write. Raises AppError (403): the browser keeps no cookie."""
        if not self.recognised:
            raise AppError("no_cookie", NO_COOKIE, 403)
        return self.id


def visitor_of(request: Request) -> Visitor:
    """Who sent the request. Raises AppError (401) for a token that is not valid."""
    services, headers = services_of(request), request.headers
    ahead = "prefetch" in headers.get("sec-purpose", headers.get("purpose", ""))
    here = not ahead and not from_elsewhere(request.method, headers, headers.get("host", ""))
    try:
        seller = request_seller(request).id
    except AppError as error:
        if error.http_status != 401 or "authorization" in headers:
            raise
        seller = ""
    single = services.sellers.single
    if seller and not single:
        return Visitor(seller, seller, True, here, True)
    sent = request.cookies.get(COOKIE, "")
    recognised = _TOKEN.fullmatch(sent) is not None
    token = sent if recognised else secrets.token_hex(16)
    return Visitor(PREFIX + token, seller, recognised, here, single, token)


def news_for(request: Request, visitor: Visitor) -> int:
    """How many orders and questions wait for whoever looks, in the head of each page; 0 where none can be read."""
    try:
        return count_news(services_of(request).store, visitor.seller) if visitor.seller else 0
    except AppError as error:
        log.warning("the head of a page goes without its count: %s", error)
        return 0


def address_of(request: Request) -> str:
    """What counts as one address of strangers."""
    return network(request.client.host if request.client else "")


def remember(request: Request, response: Response, visitor: Visitor) -> Response:
    """Give a browser its cookie, if it needs one and has none."""
    if visitor.token and not visitor.recognised:
        secure = services_of(request).settings.secure_cookies or request.url.scheme == "https"
        age = COOKIE_DAYS * 86_400
        response.set_cookie(COOKIE, visitor.token, max_age=age, httponly=True, samesite="lax", secure=secure)
    return response
