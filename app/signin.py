"""Signing in on the page: a form, a signed cookie, and who a request is from."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from app.sellers import ONE_PERSON, Seller
from app.services import Services
from app.views import AppError

COOKIE = "ipl_session"
TEMPLATES = Path(__file__).with_name("templates")
_TRIES, _TRIES_SECONDS = 10, 300.0
pages = APIRouter(include_in_schema=False)


class Sessions:
    """Signed cookies ``name.expiry.signature``; the key lies in the home folder, so that a restart signs nobody out."""

    def __init__(self, home: Path, hours: float) -> None:
        self._key = _key(home / "session.key")
        self.seconds = hours * 3600

    def make(self, name: str) -> str:
        """A cookie's value for a seller who has just signed in."""
        body = f"{base64.urlsafe_b64encode(name.encode()).decode()}.{int(time.time() + self.seconds)}"
        return f"{body}.{self._sign(body)}"

    def read(self, value: str | None) -> str | None:
        """The name in a cookie that we made and that is still valid, else None."""
        body, _, signature = (value or "").rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        name, _, expiry = body.partition(".")
        return base64.urlsafe_b64decode(name).decode() if float(expiry) > time.time() else None

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _key(path: Path) -> bytes:
    """The key of this home; made once, for its owner's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    key = path.read_bytes()
    if len(key) != 32:
        raise AppError("bad_key", f"{path} is damaged; delete it and start again, everybody then signs in anew.", 500)
    return key


class Tries:
    """Counts wrong passwords by name, so that guessing becomes slow."""

    def __init__(self) -> None:
        self._wrong: dict[str, list[float]] = {}

    def check(self, name: str) -> None:
        """Raises AppError (429) after too many wrong passwords."""
        recent = [t for t in self._wrong.get(name, []) if t > time.monotonic() - _TRIES_SECONDS]
        self._wrong[name] = recent
        if len(recent) >= _TRIES:
            raise AppError("too_many_tries", "Too many wrong passwords; wait five minutes and try again.", 429)

    def wrong(self, name: str) -> None:
        """Note a wrong password."""
        if len(self._wrong) > 10_000:
            self._wrong.clear()
        self._wrong.setdefault(name, []).append(time.monotonic())


def page_user(request: Request, state: State | None = None) -> str | None:
    """The signed-in name, or None. ``state`` is the app's; a request inside a mounted app has another one."""
    state = state or request.app.state
    services: Services = state.services
    if services.sellers.single:
        return ONE_PERSON  # without the store, so that the page opens while that is away
    name = state.sessions.read(request.cookies.get(COOKIE))
    return name if name in (services.sellers.passwords or {}) else None


def request_seller(request: Request) -> Seller:
    """Whose request this is: by token, by cookie, or the one person on loopback.

    Raises:
        AppError: nobody's (401).
    """
    services: Services = request.app.state.services
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if token:
        seller = services.sellers.by_token(token.strip()) if kind.lower() == "bearer" else None
        if seller is None:
            raise AppError("bad_token", "This token is not valid; make one with python -m app.sellers token NAME.", 401)
        return seller
    return services.sellers.for_page(page_user(request))


def form(error: str = "", name: str = "") -> str:
    """The sign-in page as HTML."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    return environment.get_template("account/sign_in.html").render(error=error, name=name)


@pages.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """The form, or the page for whoever is signed in already."""
    return RedirectResponse("/", 303) if page_user(request) else HTMLResponse(form())


@pages.post("/sign-in")
async def sign_in(
    request: Request, name: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    """Sign in and go to the page."""
    services: Services = request.app.state.services
    tries: Tries = request.app.state.tries
    name = name.strip()[:64]
    try:
        tries.check(name)
    except AppError as error:
        return HTMLResponse(form(str(error), name), error.status)
    seller = await run_in_threadpool(services.sellers.sign_in, name, password)
    if seller is None:
        tries.wrong(name)
        return HTMLResponse(form("The name or the password is wrong.", name), 401)
    response = RedirectResponse("/", 303)
    sessions: Sessions = request.app.state.sessions
    response.set_cookie(
        COOKIE,
        sessions.make(seller.name),
        max_age=int(sessions.seconds),
        httponly=True,
        samesite="strict",
        secure=services.settings.secure_cookies or urlsplit(str(request.url)).scheme == "https",
    )
    return response


@pages.get("/sign-out")
def sign_out() -> Response:
    """Forget the cookie."""
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE)
    return response
