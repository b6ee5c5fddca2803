"""Authentication by the headers of a request alone: nothing of its body is received before."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import State
from starlette.types import Scope

from app.accounts.bounded import Bounded, BoundedExecutor
from app.accounts.login_attempts import network
from app.accounts.sellers import ONE_PERSON, Seller, Sellers
from app.accounts.sessions import Sessions
from app.views import AppError

COOKIE = "ipl_session"
# /ops only leads to /ops/, which asks.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/sign-in", "/sign-out", "/ops"})
VISITORS = re.compile(r"/feed(?:/.*)?|/l/.*")  # open as well; who is signed in is known there
SAFE = ("GET", "HEAD", "OPTIONS")
TOKEN_SECONDS = 1.0  # for so long a token counts that was just withdrawn; each route looks it up again
BUSY = ("The server is busy; ask again in a moment.", 1)
_MAX_REMEMBERED = 10_000


def page_user(request: Request, state: State | None = None) -> str | None:
    """The signed-in name, or None. ``state`` is the app's; a request inside a mounted app has another one."""
    state = state or request.app.state
    sellers: Sellers = state.sellers
    if sellers.single:
        return ONE_PERSON  # without the store, so that the page opens while that is away
    sessions: Sessions = state.sessions
    return sessions.read(request.cookies.get(COOKIE))


def request_seller(request: Request) -> Seller:
    """Seller by token or cookie, or the one person on loopback. Raises AppError (401): it is nobody's."""
    sellers: Sellers = request.app.state.sellers
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if token:
        seller = sellers.by_token(token.strip()) if kind.lower() == "bearer" else None
        if seller is None:
            raise AppError("bad_token", "This token is not valid; make one with ./ipl accounts token NAME.", 401)
        return seller
    return sellers.for_page(page_user(request))


@dataclass(frozen=True)
class Caller:
    """Whom a request counts for: ``key`` is a seller's name where ``signed_in``, else an address."""

    key: str
    signed_in: bool


class Tokens:
    """Sellers by their tokens: looked up in the store in threads of their own, and remembered for a second by digest.

    Tokens that were valid before do not wait behind those that never were, so that garbage keeps nobody out.
    """

    def __init__(self, sellers: Sellers) -> None:
        self._sellers = sellers
        self._answers: Bounded[str, tuple[float, Seller | None]] = Bounded(_MAX_REMEMBERED)
        self._proven: Bounded[str, None] = Bounded(_MAX_REMEMBERED)
        self._executors = {True: BoundedExecutor("tokens", 4, 256, BUSY)}
        self._executors[False] = BoundedExecutor("new-tokens", 1, 16, BUSY)

    async def seller(self, token: str) -> Seller | None:
        """The token's seller, or None. Raises AppError: too many look-ups wait (429), the store is away (503)."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        answer = self._remembered(digest)
        if answer is None:
            answer = await self._executors[digest in self._proven].start(lambda: self._look_up(digest, token))
        return answer[1]

    def _remembered(self, digest: str) -> tuple[float, Seller | None] | None:
        answer = self._answers.get(digest)
        return answer if answer is not None and time.monotonic() - answer[0] < TOKEN_SECONDS else None

    def _look_up(self, digest: str, token: str) -> tuple[float, Seller | None]:
        answer = self._remembered(digest)  # another request may have asked for it meanwhile
        if answer is None:
            asked = time.monotonic()
            answer = (asked, self._sellers.by_token(token))
            self._answers.put(digest, answer)
            if answer[1] is not None:
                self._proven.put(digest, None)
            else:
                self._proven.pop(digest, None)
        return answer


class Authenticator:
    """Lets a request in or says why not. ``visitors``: whether the pages for buyers are open to everybody."""

    def __init__(self, state: State, visitors: bool) -> None:
        self._state, self._sellers, self._visitors = state, state.sellers, visitors
        self._tokens = Tokens(self._sellers)
        self._cookies = BoundedExecutor("cookies", 2, 256, BUSY)

    async def caller(self, scope: Scope, headers: Mapping[str, str]) -> Caller:
        """The caller; open addresses are for everybody. Raises AppError (401): nobody is signed in, or a bad token."""
        path = scope["path"]
        if path in OPEN_PATHS:
            return Caller(address_of(scope), False)
        if self._sellers.single:
            return Caller(ONE_PERSON, True)
        kind, _, token = headers.get("authorization", "").partition(" ")
        bearer = kind.lower() == "bearer"
        if token and (bearer or path.startswith("/v1/")):  # a proxy in front of the page may have a password of its own
            seller = await self._tokens.seller(token.strip()) if bearer else None
            if seller is None:
                raise AppError("bad_token", "This token is not valid; ask the server's operator for another.", 401)
            return Caller(seller.name, True)
        request = Request(scope)
        cookie = COOKIE in request.cookies  # its account is looked up in the store
        name = await self._cookies.start(lambda: page_user(request, self._state)) if cookie else None
        if name is None and self._visitors and VISITORS.fullmatch(path):
            return Caller(address_of(scope), False)
        if name is None:
            raise AppError("sign_in", "Please sign in first.", 401)
        return Caller(name, True)


def address_of(scope: Scope) -> str:
    """The network of the address that asks, which counts as one stranger."""
    return network(str((scope.get("client") or ("unknown",))[0]))


def from_elsewhere(method: str, headers: Mapping[str, str], host: str) -> bool:
    """True where a browser sent it for another site. Without such headers it is a program, which nobody can lure."""
    if method in SAFE and headers.get("authorization", "").lower().startswith("bearer "):
        return False  # no picture and no link on another site can add a token
    site = headers.get("sec-fetch-site")
    if site == "cross-site" or (method in SAFE and site not in (None, "same-origin", "none")):
        return True
    named = ("origin", "referer") if method in SAFE and site is None else ("origin",)
    return any(name in headers and _host_of(headers[name]) != host for name in named)


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return None
