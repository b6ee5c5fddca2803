"""An address that is not there, or a method that is not for it: the API's form for programs, a page for browsers."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount, Route
from starlette.types import Scope

from app.metrics import Metrics
from app.templates import render

PAGE = Path(__file__).with_name("templates") / "not_here.html"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOT_HERE = "There is no such address here; /docs lists those of the API."
NOT_FOR_THIS = "This address does not take {method}; it takes {methods}."


def install_unknown(app: FastAPI, metrics: Metrics) -> None:
    """Answer for ``app`` and for the pages mounted in it. Call it before a page is mounted at ``/``, and after.

    A page at ``/`` takes every address that no route before it takes: those of the API are kept from it.
    """

    async def nothing_here(request: Request) -> Response:
        return answer(app, metrics, request, HTTPException(404))

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(app, metrics, request, error)

    async def page(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        # What the page's own calls are answered is read by its own scripts, in their own form.
        own = "/gradio_api/" in request.url.path and "endpoint" in request.scope
        if own or error.status_code not in (404, 405):
            return await http_exception_handler(request, error)
        return answer(app, metrics, request, error)

    pages = [
        getattr(route.app, "app", route.app) for route in app.routes if isinstance(route, Mount)
    ]  # behind its gate
    for mounted in pages:
        if isinstance(mounted, FastAPI):
            mounted.add_exception_handler(HTTPException, page)
    if not pages:
        for path in ("/v1", "/v1/{rest:path}"):
            app.router.routes.append(Route(path, nothing_here, methods=METHODS, include_in_schema=False, name="other"))
        for status in (404, 405):
            app.add_exception_handler(status, ours)


def answer(app: FastAPI, metrics: Metrics, request: Request, error: HTTPException) -> Response:
    """404, or 405 where another method would be taken."""
    headers = dict(error.headers or {})
    methods = allowed(app, request.scope) if error.status_code == 404 else headers.get("Allow", "GET").split(", ")
    if methods:
        headers["Allow"] = ", ".join(methods)
        status, code = 405, "method_not_allowed"
        message = NOT_FOR_THIS.format(method=request.method[:20], methods=" or ".join(methods))
    else:
        status, code, message = 404, "not_found", NOT_HERE
    metrics.errors.labels(code).inc()
    if "text/html" in request.headers.get("accept", "") and not f"{request.url.path}/".startswith("/v1/"):
        return HTMLResponse(render(PAGE, status=status, message=message), status, headers)
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


def allowed(app: FastAPI, scope: Scope) -> list[str]:
    """Methods that a route of ``app`` itself takes at this address; none where it has no route for it."""
    routes = [r for r in app.routes if not isinstance(r, Mount) and getattr(r, "name", "") != "other"]
    asked = [(method, {**scope, "root_path": "", "method": method}) for method in METHODS]
    return [method for method, as_if in asked if any(r.matches(as_if)[0] is Match.FULL for r in routes)]
