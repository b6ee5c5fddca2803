"""Around every request: who asks, how much at once, host and origin checks, security headers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from urllib.parse import urlencode

from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import MutableHeaders, State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.authentication import OPEN_PATHS, SAFE, VISITORS, Authenticator, Caller, address_of, from_elsewhere
from app.feed.pages import Rates
from app.metrics import Metrics
from app.settings import Settings
from app.views import AppError, Busy
from app.web.errors import refusal
from app.web.request_body import BODY, CONNECTION, Body, BodyRefused, Places, Turns
from app.web.sign_in import THEN
from listing.intake.photos import PhotoLimits

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?|::1")
# Reading these writes: a picture on another site must not be able to do that.
WRITING_GETS = re.compile(r"/v1/feed/|/sign-out|/gradio_api/|/v1/orders/[^/]+/messages$|/v1/listings/[^/]+/questions$")
_STRICT = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# The pages for buyers have one script of their own, which they can do without.
_VISITORS = f"{_STRICT}; script-src 'self'; connect-src 'self'".replace("style-src", "style-src 'self'")
# So have the operator's, whose pictures are written into the page.
_OPERATORS = _VISITORS.replace("img-src 'self'", "img-src 'self' data:")
# Gradio's own page evaluates scripts and styles of its own; nothing may come from, or be sent to, another host.
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}  # behind a proxy with a certificate
# A page that opens where nobody is signed in leads to the form, the seller's to the feed where that is open.
PAGES = re.compile(f"/|/ops/(?!export/).*|{VISITORS.pattern}")
LIMITED, SIGN_IN = "/v1/", "/sign-in"
# What sends photos, or waits in the line of drafts.
DRAFTING = re.compile("/v1/drafts(/[^/]+/(photos|write))?|/v1/listings/[^/]+/photos")
PHOTOS = re.compile("/v1/drafts(/[^/]+/photos)?|/v1/listings/[^/]+/photos")
ONE_PHOTO = ("/v1/posts", "/v1/listings/search", "/feed")
UPLOAD = "/gradio_api/upload"
MAX_OPEN_BYTES, MAX_VISITOR_BYTES, MAX_JSON_BYTES, MAX_FORM_BYTES = 16_000, 200_000, 2_000_000, 1_000_000
BODY_MB = 210.0  # of one request, and for one seller; twice that for everybody
# Of strangers: how many are worked for at a time; how often an address may ask before each request of it waits.
TURNS, STRANGERS_PER_SECOND, STRANGERS_BURST, TOO_OFTEN_SECONDS = 1, 30.0, 4.0, 1.0
DRAFT_BODIES, PAGE_CALLS = 2, 64  # under way for one seller; of drafts until their photos are decoded
STRICT_PATHS = ("/v1/", "/docs", "/healthz", "/readyz", "/metrics", "/openapi.json", "/sign-in", "/feed", "/l/")


class Guard:
    """Pure ASGI (streams pass untouched): who is nobody, foreign, too large, too slow or too many is refused."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, state: State) -> None:
        self.app, self.metrics, self.authenticator = app, metrics, Authenticator(state, settings.visitors)
        self.limit, self.visitors = int(BODY_MB * 1e6), settings.visitors
        # In the single-user mode everybody is the one person, who then has all of the room.
        alone, most, half = state.sellers.single, settings.requests_waiting, settings.requests_per_seller
        self.calls = Places(most, most if alone else half)
        self.open_calls, self.visits = Places(half, max(1, half // 2)), Places(half, max(1, half // 2))
        self.page_calls, self.draft_bodies = Places(None, PAGE_CALLS), Places(None, DRAFT_BODIES)
        self.bytes = Places(2 * self.limit, 2 * self.limit if alone else self.limit)
        photo = PhotoLimits().bytes + MAX_FORM_BYTES
        self.turns, self.rates = Turns(TURNS), Rates(STRANGERS_PER_SECOND, STRANGERS_BURST)
        self.visits_bytes = Places(2 * photo, photo)
        self.open_bytes = Places(None, photo)  # small bodies, of which few are received at a time
        self.headers = {**HEADERS, **(HTTPS_ONLY if settings.secure_cookies else {})}
        further = tuple(h.strip() for h in settings.hosts.split(",") if h.strip())
        self.hosts = (*LOOPBACK, *further) if settings.on_loopback or further else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        send = self._with_headers(scope, send)
        with ExitStack() as places:
            try:
                caller = await self._caller(scope, headers)
                body = await self._admit(scope, headers, receive, caller, places)
                done = nothing if caller.signed_in else await self._turn(scope, caller, places)
            except AppError as error:
                await self._refusal(error, scope)(scope, receive, send)
                return
            await self._pass_on(scope, body, send, done)

    async def _caller(self, scope: Scope, headers: Mapping[str, str]) -> Caller:
        """Who asks. An address of strangers that asks too often is heard later, before any work is done for it."""
        signed_in = False
        try:
            self._check(scope, headers)
            caller = await self.authenticator.caller(scope, headers)
            signed_in = caller.signed_in
            return caller
        finally:
            if not signed_in:
                try:
                    self.rates.check(address_of(scope))
                except Busy:
                    await asyncio.sleep(TOO_OFTEN_SECONDS)
                _still_there(scope)

    async def _turn(self, scope: Scope, caller: Caller, places: ExitStack) -> Callable[[], None]:
        """Wait until a stranger's work may begin; returns what says that it is done. AppError: they have gone."""
        if not VISITORS.fullmatch(scope["path"]):  # little work, which a probe must not wait for; sign-ins have a line
            return nothing
        done = await self.turns.take(caller.key)
        places.callback(done)
        _still_there(scope)
        return done

    def _check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        host, method, path = headers.get("host", ""), scope["method"], scope["path"]
        named = _HOST.fullmatch(host)
        if (host and named is None) or (self.hosts and (named is None or named[1] not in self.hosts)):
            raise AppError("bad_host", "This address is not served here; IPL_HOSTS names further ones.", 400)
        writes = method not in SAFE or WRITING_GETS.match(path) is not None
        if writes and from_elsewhere(method, headers, host):
            raise AppError("bad_origin", "The request came from another site and was refused.", 403)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 18:
            raise AppError("bad_request", "The Content-Length is not a number.", 400)

    def _limit_of(self, method: str, path: str) -> int:
        """Most bytes of a body."""
        if path in OPEN_PATHS:
            return min(MAX_OPEN_BYTES, self.limit)
        if path == UPLOAD or (method == "POST" and PHOTOS.fullmatch(path)):
            return self.limit
        if path in ONE_PHOTO:
            return min(PhotoLimits().bytes + MAX_FORM_BYTES, self.limit)
        return min(MAX_VISITOR_BYTES if VISITORS.fullmatch(path) else MAX_JSON_BYTES, self.limit)

    async def _admit(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, caller: Caller, places: ExitStack
    ) -> Body:
        """Takes the caller's place, which is given back with ``places``; returns what their body is received by."""
        method, path = scope["method"], scope["path"]
        drafting = method == "POST" and DRAFTING.fullmatch(path) is not None
        decoding = places.enter_context(ExitStack())
        length = int(headers.get("content-length", "0"))
        visits = VISITORS.fullmatch(path) is not None
        held = self.bytes if caller.signed_in else self.visits_bytes if visits else self.open_bytes
        body = Body(receive, length, self._limit_of(method, path), held, caller.key, decoding.close)
        places.callback(body.release)
        connection = scope.get(CONNECTION)
        if connection is not None:
            connection.ledger.known(connection, caller.signed_in)
        if not caller.signed_in:
            with connection.ledger.receiving(connection) if connection is not None else nullcontext():
                await body.receive_all()  # whoever is slow takes no place for answers meanwhile
            if path != SIGN_IN:  # tries have a line of their own, in which those who are known come first
                self._take(self.visits if visits else self.open_calls, caller, places)
        elif drafting:  # once its photos are decoded, a draft waits in a line of its own, for as long as that says
            self._take(self.draft_bodies, caller, decoding)
        else:
            self._take(self.calls if path.startswith(LIMITED) else self.page_calls, caller, places)
        scope[BODY] = body
        return body

    def _take(self, kind: Places, caller: Caller, places: ExitStack) -> None:
        # Without this, calls would wait for a worker thread without end, each with its memory.
        if not kind.take(caller.key):
            raise Busy("The server is busy; ask again in a moment.", 1)
        places.callback(kind.give, caller.key)

    def _refusal(self, error: AppError, scope: Scope) -> Response:
        """The answer, after which the connection is closed: nobody reads what is still to come."""
        if error.http_status == 401 and PAGES.fullmatch(scope["path"]) and scope["method"] in SAFE:
            query = scope["query_string"].decode("latin-1")
            address = f"{scope['path']}?{query}" if query else scope["path"]
            if THEN.fullmatch(address):
                return RedirectResponse(f"{SIGN_IN}?{urlencode({'then': address})}", 303)
            return RedirectResponse("/feed" if scope["path"] == "/" and self.visitors else SIGN_IN, 303)
        self.metrics.errors.labels(error.code).inc()
        return refusal(error, scope, {"Connection": "close"})

    async def _pass_on(self, scope: Scope, body: Body, send: Send, done: Callable[[], None]) -> None:
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            # Whoever reads the body may turn our error into one of their own: ours is the one that is sent.
            if body.refused is not None and not answered:
                raise body.refused
            answered = True
            done()  # who reads their answer slowly takes no turn meanwhile
            if message["type"] == "http.response.start" and not body.complete and _has_body(scope):
                MutableHeaders(scope=message).append("connection", "close")
            await send(message)

        try:
            await self.app(scope, body, answer)
        except BodyRefused as refused:
            if not answered:
                await self._refusal(refused.error, scope)(scope, body, send)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        path = scope["path"]
        strict = path.startswith(STRICT_PATHS)
        policy = _VISITORS if VISITORS.fullmatch(path) else _STRICT if strict else _PAGE
        policy = _OPERATORS if path.startswith("/ops/") else policy
        extra = {**self.headers, "Content-Security-Policy": policy}

        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(extra)
                if strict:
                    path = getattr(scope.get("route"), "path", "other")
                    self.metrics.requests.labels(path, str(message["status"])).inc()
            await send(message)

        return wrapped


def _still_there(scope: Scope) -> None:
    """AppError: who asked has hung up, and nothing need be done for them."""
    connection = scope.get(CONNECTION)  # None in a server without bounds
    if connection is not None and connection.gone:
        raise AppError("gone", "The connection was closed before its turn came.", 400)


def nothing() -> None:
    """End of a turn that nobody had to wait for."""


def _has_body(scope: Scope) -> bool:
    named = dict(scope["headers"])
    return b"transfer-encoding" in named or named.get(b"content-length", b"0") != b"0"
