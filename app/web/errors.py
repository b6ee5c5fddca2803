"""Errors as the API answers them, and what is answered at an address that is not there or not for the method."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount, Route
from starlette.types import Scope

from app.metrics import Metrics
from app.templates import render
from app.views import AppError
from listing.errors import IplError
from listing.intake.photos import PhotoError

log = logging.getLogger(__name__)
PAGE = Path(__file__).with_name("templates") / "not_here.html"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOT_HERE = "There is no such address here; /docs lists those of the API."
NOT_FOR_THIS = "This address does not take {method}; it takes {methods}."
TITLES, FAILED = {404: "Nothing here", 405: "Not in this way"}, "That did not work"
PHOTO_STATUS = {"too_large": 413, "busy": 503}


def refusal(error: IplError, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """An error as its reader takes it: ``{"error": {"code", "message"}}``, or for a browser a page with a way back."""
    status = PHOTO_STATUS.get(error.code, error.http_status) if isinstance(error, PhotoError) else error.http_status
    extra = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, AppError) and error.retry_after is not None:
        extra["Retry-After"] = str(error.retry_after)
    extra, request = {**extra, **(headers or {})}, Headers(scope=scope)
    if "text/html" not in request.get("accept", "") or f"{scope['path']}/".startswith("/v1/"):
        return JSONResponse({"error": {"code": error.code, "message": str(error)}}, status, extra)
    html = render(PAGE, title=TITLES.get(status, FAILED), message=str(error), back=_page_before(request))
    return HTMLResponse(html, status, extra)


def _page_before(request: Headers) -> str:
    """The page of this server from which a form was sent; empty for any other."""
    origin, host, path = request.get("referer", "").partition(f"://{request.get('host', '')}/")
    return f"/{path}" if origin in ("http", "https") and host and not path.startswith(("/", "\\")) else ""


def install_errors(app: FastAPI, metrics: Metrics) -> None:
    """Every error of the API gets its form. Call it once all routes are there, and before a page is mounted at ``/``.

    Such a page takes every address that no route before it takes: those of the API are kept from it.
    """

    def answer(request: Request, error: IplError, headers: Mapping[str, str] | None = None) -> Response:
        metrics.errors.labels(error.code).inc()
        return refusal(error, request.scope, headers)

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, IplError)
        if error.http_status >= 500 and not isinstance(error, AppError):
            log.error("a request failed", exc_info=error)
        return answer(request, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header"))
        return answer(request, AppError("invalid", f"{place or 'The request'}: {first['msg']}."[:500], 422))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code not in (404, 405):
            return answer(request, AppError("http", str(error.detail), error.status_code), error.headers)
        headers = dict(error.headers or {})
        # A page at ``/`` says 404 of an address of ours that takes other methods.
        methods = _allowed(app, request.scope) if error.status_code == 404 else headers.get("Allow", "GET").split(", ")
        unknown = AppError("not_found", NOT_HERE, 404)
        if methods:
            headers["Allow"] = ", ".join(methods)
            message = NOT_FOR_THIS.format(method=request.method[:20], methods=" or ".join(methods))
            unknown = AppError("method_not_allowed", message, 405)
        return answer(request, unknown, headers)

    async def unforeseen(request: Request, error: Exception) -> Response:
        log.error("a request failed", exc_info=error)
        sentence = "Something unforeseen happened; the server's log says what."
        return answer(request, AppError("unforeseen", sentence, 500))

    async def nothing_here(_: Request) -> Response:
        raise HTTPException(404)

    app.add_exception_handler(IplError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)
    for path in ("/v1", "/v1/{rest:path}"):
        app.router.routes.append(Route(path, nothing_here, methods=METHODS, include_in_schema=False, name="other"))


def _allowed(app: FastAPI, scope: Scope) -> list[str]:
    """Methods that a route of ``app`` itself takes at this address; none where it has no route for it."""
    routes = [r for r in app.routes if not isinstance(r, Mount) and getattr(r, "name", "") != "other"]
    asked = [(method, {**scope, "root_path": "", "method": method}) for method in METHODS]
    return [method for method, as_if in asked if any(r.matches(as_if)[0] is Match.FULL for r in routes)]
