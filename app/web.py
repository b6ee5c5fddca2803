"""Around every request: size limit, host and origin checks, security headers, errors as JSON sentences."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import Metrics
from app.settings import Settings
from app.views import AppError
from listing.photos import PhotoError

log = logging.getLogger(__name__)
LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
SAFE = ("GET", "HEAD", "OPTIONS")
_STRICT = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
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
# Drafts wait in a line of their own, for as long as they say.
LIMITED, OWN_LINE = "/v1/", "/v1/drafts"
STRICT_PATHS = ("/v1/", "/docs", "/healthz", "/readyz", "/metrics", "/openapi.json", "/sign-in")
PHOTO_STATUS = {"too_large": 413, "busy": 503}


class TooLarge(Exception):
    """More bytes came than a request may have."""


def error_response(code: str, message: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as the API answers it."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


class Guard:
    """Pure ASGI (streams pass untouched): refuses foreign hosts and origins, large bodies, crowds; adds headers."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self.limit = int(settings.body_mb * 1e6)
        self.most, self.under_way = settings.requests_waiting, 0
        further = tuple(h.strip() for h in settings.hosts.split(",") if h.strip())
        self.hosts = (*LOOPBACK, *further) if settings.on_loopback or further else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        send = self._with_headers(scope, send)
        refusal = self._refuse(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if not scope["path"].startswith(LIMITED) or scope["path"].startswith(OWN_LINE):
            await self._limited(scope, receive, send)
            return
        if self.under_way >= self.most:
            # Without this, calls would wait for a worker thread without end, each with its memory.
            self.metrics.errors.labels("busy").inc()
            busy = error_response("busy", "The server is busy; ask again in a moment.", 429, {"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self.under_way += 1  # all of this runs in one thread
        try:
            await self._limited(scope, receive, send)
        finally:
            self.under_way -= 1

    def _refuse(self, scope: Scope, headers: dict[str, str]) -> JSONResponse | None:
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            return error_response("bad_host", "This address is not served here; IPL_HOSTS names further ones.", 400)
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if scope["method"] not in SAFE and (foreign or headers.get("sec-fetch-site") == "cross-site"):
            return error_response("bad_origin", "The request came from another site and was refused.", 403)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return error_response("bad_request", "The Content-Length is not a number.", 400)
        return self._too_large() if int(length) > self.limit else None

    def _too_large(self) -> JSONResponse:
        return error_response("too_large", f"The request is larger than {self.limit / 1e6:.0f} MB; send less.", 413)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        answered = False

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise TooLarge
            return message

        async def pass_on(message: Message) -> None:
            nonlocal answered
            # Whoever reads the body may turn our error into one of their own: ours is the one that is sent.
            if received > self.limit and not answered:
                raise TooLarge
            answered = True
            await send(message)

        try:
            await self.app(scope, count, pass_on)
        except TooLarge:
            if not answered:
                await self._too_large()(scope, receive, send)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        strict = scope["path"].startswith(STRICT_PATHS)
        policy = _STRICT if strict else _PAGE
        extra = [(k.lower().encode(), v.encode()) for k, v in {**HEADERS, "Content-Security-Policy": policy}.items()]

        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *extra]}
                if strict:
                    route = scope.get("route")
                    path = getattr(route, "path", "other")
                    self.metrics.requests.labels(path, str(message["status"])).inc()
            await send(message)

        return wrapped


def _name(host: str) -> str:
    """The host without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] if ":" in host else host


def install_errors(app: FastAPI, metrics: Metrics) -> None:
    """Every error of the API becomes ``{"error": {"code", "message"}}``."""

    def answer(code: str, message: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
        metrics.errors.labels(code).inc()
        return error_response(code, message, status, headers)

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, AppError)
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return answer(error.code, str(error), error.status, headers)

    async def photo(_: Request, error: Exception) -> Response:
        assert isinstance(error, PhotoError)
        return answer(error.code, str(error), PHOTO_STATUS.get(error.code, 422))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header"))
        return answer("invalid", f"{place or 'The request'}: {first['msg']}."[:500], 422)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer("http", str(error.detail), error.status_code, dict(error.headers or {}))

    async def unforeseen(_: Request, error: Exception) -> Response:
        log.error("a request failed", exc_info=error)
        return answer("unforeseen", "Something unforeseen happened; the server's log says what.", 500)

    handlers: list[tuple[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = [
        (AppError, ours),
        (PhotoError, photo),
        (RequestValidationError, invalid),
        (HTTPException, http),
        (Exception, unforeseen),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
