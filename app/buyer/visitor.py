"""Visitors of the pages for buyers: whoever is signed in, else a browser by a random id in a cookie."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from fastapi import Request

from app.accounts.authentication import from_elsewhere, request_seller
from app.accounts.login_attempts import network
from app.routing import services_of
from app.views import AppError

COOKIE = "ipl_visitor"
PREFIX = "visitor-"  # no seller's id begins like this
NO_COOKIE = "This needs a cookie, which your browser did not send; allow cookies for this page and try again."
_TOKEN = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Visitor:
    """Somebody at a page for buyers.

    id: under which feed, orders and messages know them. seller: whose own listings they see, empty for nobody.
    recognised: signed in, or the browser sent the cookie. may_buy: signed in, or this is the single-user mode.
    here: a browser sent the request from a page of this server, from no page at all, or it was no browser.
    token: the cookie's.
    """

    id: str
    seller: str
    recognised: bool
    here: bool
    may_buy: bool
    token: str = ""

    @property
    def logged(self) -> bool:
        """True where their pages are written down: another site, a preview or a crawler must not do that."""
        return self.recognised and self.here

    def check(self) -> str:
        """Their id, for whoever wants to write. Raises AppError (403): the browser keeps no cookie."""
        if not self.recognised:
            raise AppError("no_cookie", NO_COOKIE, 403)
        return self.id

    def check_may_buy(self) -> str:
        """The id under which they buy, ask and save. Raises AppError (401, 403)."""
        if not self.may_buy:
            raise AppError("sign_in", "Please sign in first.", 401)
        return self.check()


def visitor_of(request: Request) -> Visitor:
    """Visitor who sent the request. Raises AppError (401) for a token that is not valid."""
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


def address_of(request: Request) -> str:
    """The network of a stranger's address, which counts as one."""
    return network(request.client.host if request.client else "")
