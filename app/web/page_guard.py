"""In front of a page of Gradio's: what the page needs passes, each person's session is their own, files are uploads."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import OrderedDict
from functools import cached_property
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from app.accounts.authentication import page_user
from app.views import AppError
from app.web.uploads import Uploads

_FILES = re.compile(
    r"(?:|/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/gradio_api/app_id|/(?:assets|static|svelte)/.*)",
    re.DOTALL,
)
_CALL = "/gradio_api/run/predict"
_UPLOAD = "/gradio_api/upload"
_FILE_META = {"_type": "gradio.FileData"}
MAX_SESSIONS = 32  # open pages of one person
MAX_PRESSES = 4096  # of everybody, of which is known whether they are done


class _Press:
    """A press that the browser may send again: while it is done the second one waits, then it is not done again."""

    def __init__(self) -> None:
        self.lock, self.done = asyncio.Lock(), False


class PageGate:
    """Pure ASGI around a mounted page (``app``: Gradio's). ``uploads`` None: the page takes no files.

    Sessions: the name that a browser chose for its session is mixed with who is signed in, so that the same name is
    another session for another person. Files: a path in a call has to be one that the same person uploaded; Gradio
    itself would fetch addresses. Presses: what the browser sends again, because no answer came, is done once.
    """

    def __init__(self, app: Any, state: State, uploads: Uploads | None) -> None:
        self.app, self._state, self._uploads = app, state, uploads
        self._sessions: dict[str, OrderedDict[str, None]] = {}
        self._presses: OrderedDict[str, _Press] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what the page needs; whatever else is asked is answered with an error."""
        request = Request(scope, receive)
        person = page_user(request, self._state)
        if person is None:
            raise AppError("sign_in", "Please sign in first.", 401)
        path, reading = scope["path"].removeprefix(scope.get("root_path", "")), scope["method"] in ("GET", "HEAD")
        if reading and _FILES.fullmatch(path):
            await self.app(scope, receive, send)
        elif scope["method"] == "POST" and path == _CALL:
            press = self._press(person, request.headers.get("x-ipl-press", ""))
            async with press.lock:
                body = await self._checked(request, person, repeated=press.done)
                await self.app(_with_length(scope, len(body)), _once(body, receive), send)
                press.done = True
        elif scope["method"] == "POST" and path == _UPLOAD and self._uploads is not None:
            await JSONResponse(await self._uploads.store(request, person))(scope, receive, send)
        else:
            # Answered like every address that is not there, or not for this method.
            raise HTTPException(405, headers={"Allow": "GET"}) if _FILES.fullmatch(path) else HTTPException(404)

    async def _checked(self, request: Request, person: str, *, repeated: bool) -> bytes:
        """The call with a session of the person's own and with files that they uploaded.

        In the place of a repeated one, which is done and only its answer was lost, the page asks what it is to show.
        """
        try:
            call = json.loads(await request.body())
            if repeated:
                call = {"data": [None], "fn_index": self._enter, "session_hash": call["session_hash"]}
            call = self._with_own_files(call, person)
            session = call.get("session_hash")
            if session is not None:
                call["session_hash"] = self._session(person, session)
            return json.dumps(call).encode()
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise AppError("bad_call", "The page's request cannot be read; load the page again.", 400) from error

    def _with_own_files(self, value: Any, person: str) -> Any:
        if isinstance(value, list):
            return [self._with_own_files(each, person) for each in value]
        if not isinstance(value, dict):
            return value
        if "path" not in value:
            return {name: self._with_own_files(each, person) for name, each in value.items()}
        if self._uploads is None:
            raise AppError("not_uploaded", "This page takes no files.", 400)
        path, size = self._uploads.own(person, value["path"])
        return {"path": str(path), "orig_name": path.name, "size": size, "meta": _FILE_META}

    def _press(self, person: str, name: str) -> _Press:
        """The person's press of that name; without a name it is a new one."""
        if not name:
            return _Press()
        press = self._presses.setdefault(f"{person}\n{name[:64]}", _Press())
        if len(self._presses) > MAX_PRESSES:
            self._presses.popitem(last=False)
        return press

    @cached_property
    def _enter(self) -> int:
        """The number of the call by which a page asks for all that it shows."""
        calls = self.app.get_blocks().fns
        return next(n for n, call in calls.items() if any(target[1] == "load" for target in call.targets))

    def _session(self, person: str, name: str) -> str:
        """The person's own session of that name. They have a few; the one that they used longest ago is forgotten."""
        session = hashlib.sha256(f"{person}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        used = self._sessions.setdefault(person, OrderedDict())
        used[session] = None
        used.move_to_end(session)
        if len(used) > MAX_SESSIONS:
            holder, (oldest, _) = self.app.state_holder, used.popitem(last=False)
            with holder.lock:
                holder.session_data.pop(oldest, None)
                holder.time_last_used.pop(oldest, None)
        return session


def add_page_gate(app: FastAPI, uploads: Uploads | None) -> None:
    """Puts a gate in front of the page that was mounted last."""
    mount = app.routes[-1]
    assert isinstance(mount, Mount)
    mount.app = PageGate(mount.app, app.state, uploads)


def _with_length(scope: Scope, length: int) -> Scope:
    headers = [(k, v) for k, v in scope["headers"] if k not in (b"content-length", b"transfer-encoding")]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


def _once(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives this body, then whatever the server says."""
    given = False

    async def _receive() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return _receive
