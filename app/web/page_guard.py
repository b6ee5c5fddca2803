"""In front of a page of Gradio's: what the page needs passes, each person's session is their own, files are uploads."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import OrderedDict
from functools import cache
from typing import Any, get_type_hints

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from app.accounts.authentication import page_user
from app.accounts.bounded import Bounded
from app.buyer.page import base_of
from app.views import AppError
from app.web.first_paint import send_page
from app.web.uploads import Uploads

_FILES = re.compile(
    r"(?:|/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/gradio_api/app_id|/(?:assets|static|svelte)/[!-~]{1,200})"
)
_CALL = "/gradio_api/run/predict"
_UPLOAD = "/gradio_api/upload"
_FILE_META = {"_type": "gradio.FileData"}
_HOSTS = (b"x-forwarded-host", b"x-gradio-server")  # Gradio believes them; ours is what Host says
MAX_SESSIONS = 32  # open pages of one person
MAX_PRESSES = 512  # of one person, of which is known whether they are done
MAX_PEOPLE = 1_000  # whose presses are remembered: those who pressed last


class _Event(BaseModel):
    """Which event a call is for."""

    model_config = ConfigDict(strict=True)
    fn_index: int


class _File(BaseModel):
    """A file that was uploaded: where it lies. Whatever else the page says of it is looked up."""

    path: str


@cache
def _call_of(values: tuple[Any, ...], pressed: bool) -> type[BaseModel]:
    """Model of a call for an event: a value for each input, and of a press its words. All else is left out."""
    data: Any = tuple.__class_getitem__(values)
    words: dict[str, Any] = {"event_data": (dict[str, str | dict[str, str]], ...)} if pressed else {}
    return create_model("Call", __base__=_Event, session_hash=(str, ...), data=(data, ...), **words)


def _call(event: Any) -> type[BaseModel]:
    """The model of the calls of one of Gradio's events."""
    from gradio import EventData

    return _call_of(tuple(map(_value, event.inputs)), EventData in get_type_hints(event.fn).values())


def _value(component: Any) -> Any:
    """The type of what a page sends of a component; nothing of one whose value stays with the server."""
    if component.stateful:
        return None
    file = {"single": _File, "multiple": list[_File]}.get(getattr(component, "file_count", ""))
    return (file or str) | None


class _Press:
    """A press that the browser may send again: while it is done the second one waits, then it is not done again."""

    def __init__(self) -> None:
        self.lock, self.done = asyncio.Lock(), False


class PageGuard:
    """Pure ASGI around a mounted page (``app``: Gradio's).

    Calls: what no page would send is refused here; inside it would be an error of the server. Sessions: the name that a
    browser chose for its session is mixed with who is signed in, so that the same name is another session for another
    person. Files: a path in a call has to be one that the same person uploaded; Gradio itself would fetch addresses.
    Presses: what the browser sends again, because no answer came, is done once.
    """

    def __init__(self, app: Any, state: State, uploads: Uploads) -> None:
        self.app, self._state, self._uploads = app, state, uploads
        events = app.get_blocks().fns
        self._calls = {number: _call(event) for number, event in events.items()}
        kinds = {target[1]: number for number, event in events.items() for target in event.targets}
        self._enter, self._tick = kinds["load"], kinds["tick"]  # a page asks for all that it shows; for what is new
        self._sessions: dict[str, OrderedDict[str, str]] = {}  # with the name of each one's last tick
        self._presses: Bounded[str, Bounded[str, _Press]] = Bounded(MAX_PEOPLE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what the page needs; whatever else is asked is answered with an error."""
        request = Request(scope, receive)
        person = page_user(request, self._state)
        if person is None:
            raise AppError("sign_in", "Please sign in first.", 401)
        scope = {**scope, "headers": [(k, v) for k, v in scope["headers"] if k not in _HOSTS]}
        path, reading = scope["path"].removeprefix(scope.get("root_path", "")), scope["method"] in ("GET", "HEAD")
        if scope["method"] == "GET" and path in ("", "/"):
            await send_page(self.app, scope, receive, send, base_of(request))
        elif reading and _FILES.fullmatch(path):
            await self.app(scope, receive, send)
        elif scope["method"] == "POST" and path == _CALL:
            name = request.headers.get("x-ipl-press", "")[:64]
            press = self._press(person, name)
            async with press.lock:
                body = await self._checked(request, person, name, repeated=press.done)
                await self.app(_with_length(scope, len(body)), _once(body, receive), send)
                press.done = True
        elif scope["method"] == "POST" and path == _UPLOAD:
            await JSONResponse(await self._uploads.store(request, person))(scope, receive, send)
        else:
            # Answered like every address that is not there, or not for this method.
            raise HTTPException(405, headers={"Allow": "GET"}) if _FILES.fullmatch(path) else HTTPException(404)

    async def _checked(self, request: Request, person: str, name: str, *, repeated: bool) -> bytes:
        """The call with a session of the person's own and with files that they uploaded.

        In the place of a repeated one, which is done and only its answer was lost, the page asks what it is to show.
        """
        unread = AppError("bad_call", "The page's request cannot be read; load the page again.", 400)
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise unread
        body = await request.body()
        try:
            call: Any = self._calls[_Event.model_validate_json(body).fn_index].model_validate_json(body)
        except (KeyError, ValidationError) as error:
            raise unread from error
        session = self._session(person, call.session_hash)
        if name and call.fn_index == self._tick:
            self._note_tick(person, session, name)
        if repeated:
            return json.dumps({"fn_index": self._enter, "data": [None], "session_hash": session}).encode()
        data = [self._checked_value(value, person) for value in call.data]
        return json.dumps({**call.model_dump(), "data": data, "session_hash": session}).encode()

    def _checked_value(self, value: Any, person: str) -> Any:
        if isinstance(value, list):
            return [self._checked_value(each, person) for each in value]
        if not isinstance(value, _File):
            return value
        path, size = self._uploads.file_of(person, value.path)
        return {"path": str(path), "orig_name": path.name, "size": size, "meta": _FILE_META}

    def _press(self, person: str, name: str) -> _Press:
        """The person's press of that name; without a name it is a new one."""
        if not name:
            return _Press()
        presses = self._presses.get(person) or Bounded(MAX_PRESSES)
        self._presses.put(person, presses)
        press = presses.get(name) or _Press()
        presses.put(name, press)
        return press

    def _note_tick(self, person: str, session: str, name: str) -> None:
        """Forget a page's tick before this one, so that ticks, five a second, do not push out what was pressed.

        A page sends a tick once the one before is answered, so that only its last one can come again.
        """
        earlier, self._sessions[person][session] = self._sessions[person][session], name
        if earlier != name:
            self._presses[person].pop(earlier, None)

    def _session(self, person: str, name: str) -> str:
        """The person's own session of that name. They have a few; the one that they used longest ago is forgotten."""
        session = hashlib.sha256(f"{person}\n{name}".encode()).hexdigest()[:32]
        used = self._sessions.setdefault(person, OrderedDict())
        used.setdefault(session, "")
        used.move_to_end(session)
        if len(used) > MAX_SESSIONS:
            holder, (oldest, _) = self.app.state_holder, used.popitem(last=False)
            with holder.lock:
                holder.session_data.pop(oldest, None)
                holder.time_last_used.pop(oldest, None)
        return session


def add_page_guard(app: FastAPI, uploads: Uploads) -> None:
    """Puts a guard in front of the page that was mounted last."""
    mount = app.routes[-1]
    assert isinstance(mount, Mount)
    mount.app = PageGuard(mount.app, app.state, uploads)


def _with_length(scope: Scope, length: int) -> Scope:
    headers = [(k, v) for k, v in scope["headers"] if k not in (b"content-length", b"transfer-encoding")]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


def _once(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives this body, then whatever the server says."""
    sent = False

    async def _receive() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return _receive
