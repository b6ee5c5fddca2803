"""In front of a page of Gradio's: what the page needs passes, each person's session is their own, files are uploads."""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from app.accounts.authentication import page_user
from app.views import AppError
from app.web.uploads import Uploads

_FILES = re.compile(r"(?:|/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/(?:assets|static|svelte)/.*)", re.DOTALL)
_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([^/]+)")
_MESSAGES = "/gradio_api/queue/data"
_CALLS = ("/gradio_api/run/predict", "/gradio_api/queue/join")
_UPLOAD = "/gradio_api/upload"
_FILE_META = {"_type": "gradio.FileData"}
MAX_SESSIONS = 32  # open pages of one person


class PageGate:
    """Pure ASGI around a mounted page (``app``: Gradio's). ``uploads`` None: the page takes no files.

    Sessions: the name that a browser chose for its session is mixed with who is signed in, so that the same name is
    another session for another person. Files: a path in a call has to be one that the same person uploaded; Gradio
    itself would fetch addresses.
    """

    def __init__(self, app: Any, state: State, uploads: Uploads | None) -> None:
        self.app, self._state, self._uploads = app, state, uploads
        self._sessions: dict[str, OrderedDict[str, None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what the page needs; whatever else is asked is answered with an error."""
        request = Request(scope, receive)
        person = page_user(request, self._state)
        if person is None:
            raise AppError("sign_in", "Please sign in first.", 401)
        path, reading = scope["path"].removeprefix(scope.get("root_path", "")), scope["method"] in ("GET", "HEAD")
        if reading and _FILES.fullmatch(path):
            await self.app(scope, receive, send)
        elif reading and path == _MESSAGES:
            session = self._session(person, request.query_params.get("session_hash", ""))
            await self.app({**scope, "query_string": urlencode({"session_hash": session}).encode()}, receive, send)
        elif reading and (named := _HEARTBEAT.fullmatch(path)):
            own = scope["path"][: -len(named[1])] + self._session(person, named[1])
            await self.app({**scope, "path": own, "raw_path": own.encode()}, receive, send)
        elif scope["method"] == "POST" and path in _CALLS:
            body = await self._checked(request, person)
            await self.app(_with_length(scope, len(body)), _once(body, receive), send)
        elif scope["method"] == "POST" and path == _UPLOAD and self._uploads is not None:
            await JSONResponse(await self._uploads.store(request, person))(scope, receive, send)
        else:
            # Answered like every address that is not there, or not for this method.
            raise HTTPException(405, headers={"Allow": "GET"}) if _FILES.fullmatch(path) else HTTPException(404)

    async def _checked(self, request: Request, person: str) -> bytes:
        """The call with a session of the person's own and with files that they uploaded."""
        try:
            call = json.loads(await request.body())
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
