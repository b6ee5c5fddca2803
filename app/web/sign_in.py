"""Signing in on the page: a form and a signed cookie."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from app.accounts.authentication import COOKIE, page_user
from app.accounts.login_attempts import SignInAttempt, Tries
from app.accounts.sessions import DEVICE_DAYS, Sessions
from app.services import Services
from app.templates import render
from app.views import AppError

DEVICE_COOKIE = "ipl_device"
THEN = re.compile(
    r"/feed(?:/purchases|/(?:orders|sellers)/[\w-]{1,64})?|/l/[\w-]{1,64}|/\?(?:draft=[\w-]{1,64}|show=listings)",
    re.ASCII,
)
PAGE = Path(__file__).with_name("templates") / "sign_in.html"
pages = APIRouter(include_in_schema=False)


def form(
    error: str = "", name: str = "", status: int = 200, headers: dict[str, str] | None = None, then: str = ""
) -> HTMLResponse:
    """The sign-in page; ``then``: where it leads."""
    return HTMLResponse(render(PAGE, error=error, name=name, then=_local(then)), status, headers)


def _local(address: str) -> str:
    """The address if it is one of our pages, else the start."""
    return address if THEN.fullmatch(address) else "/"


@pages.get("/sign-in")
def sign_in_page(request: Request, then: str = "") -> Response:
    """The form, or the page for whoever is signed in already; ``then``: a page for buyers to go back to."""
    return RedirectResponse(_local(then), 303) if page_user(request) else form(then=then)


@pages.post("/sign-in")
async def sign_in(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    everywhere: Annotated[bool, Form()] = False,
    then: Annotated[str, Form()] = "",
) -> Response:
    """Sign in and go to the page; ``everywhere`` signs out on all other devices."""
    services: Services = request.app.state.services
    sessions: Sessions = request.app.state.sessions
    tries: Tries = request.app.state.tries
    if services.sellers.single:
        return RedirectResponse(_local(then), 303)
    name = name.strip()[:64]
    try:
        device = await run_in_threadpool(sessions.device, request.cookies.get(DEVICE_COOKIE), name)
        attempt = SignInAttempt(name, request.client.host if request.client else "", device)
        account = await tries.check(attempt, lambda: services.sellers.signed_in(name, password))
        if account is not None and everywhere:
            account = await run_in_threadpool(services.sellers.end_cookies, name)
    except AppError as error:
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
        return form(str(error), name, error.http_status, headers, then)
    if account is None:
        return form("The name or the password is wrong.", name, 401, then=then)
    response = RedirectResponse(_local(then), 303)
    secure = services.settings.secure_cookies or urlsplit(str(request.url)).scheme == "https"
    for cookie, value, seconds, path in (
        (COOKIE, sessions.make(account), int(sessions.seconds), "/"),
        (DEVICE_COOKIE, sessions.make_device(account, device), DEVICE_DAYS * 86400, "/sign-in"),
    ):
        response.set_cookie(cookie, value, max_age=seconds, path=path, httponly=True, samesite="strict", secure=secure)
    return response


@pages.get("/sign-out")
def sign_out() -> Response:
    """Forget the cookie, and what the browser keeps of the pages."""
    response = RedirectResponse("/sign-in", 303, {"Clear-Site-Data": '"cache", "storage"'})
    response.delete_cookie(COOKIE)
    return response
