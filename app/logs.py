"""Logs as JSON lines, one a request, with an id that the answer carries too; nothing that signs in is ever in them.

``IPL_LOG_JSON=1`` turns them on. Every line of the same request, also from its worker threads, has its ``request_id``.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
access = logging.getLogger("app.access")
_current: ContextVar[str] = ContextVar("request_id", default="")
_OURS = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HIDDEN = "[hidden]"
_NAMES = r"password|passwd|secret|api[_-]?key|token"
# Whatever could sign somebody in, wherever a library writes it: our tokens and cookies, headers, passwords, URLs.
_SECRETS = (
    (re.compile(r"\bipl_(?!session\b)[A-Za-z0-9_-]{20,}"), _HIDDEN),
    (re.compile(r"(?i)(ipl_session=)[^;\s\"']+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"), rf"\1{_HIDDEN}"),
    (re.compile(rf"(?i)((?:{_NAMES})[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s\"',;&}})]+)"), rf"\1{_HIDDEN}"),
    (re.compile(r"(\w://[^/\s:@]*:)[^@\s/]+(@)"), rf"\1{_HIDDEN}\2"),
    (re.compile(r"\b[A-Za-z0-9_=-]{4,}\.[\w-]{6}\.[\w-]{43}(?![\w-])"), _HIDDEN),
)  # fmt: skip


def hide(text: str) -> str:
    """The text without anything that signs in."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class JsonLines(logging.Formatter):
    """A record as one line of JSON: at, level, logger, message, request_id, what ``extra={"fields"}`` gives, trace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := _current.get():
            line["request_id"] = request_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        clean = {name: hide(value) if isinstance(value, str) else value for name, value in line.items()}
        return json.dumps(clean, ensure_ascii=False, default=str)


def log_json(stream: IO[str] | None = None) -> logging.Handler:
    """Send every log of this process to ``stream`` (stderr) as JSON lines; returns the handler."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    access.setLevel(logging.INFO)
    for name in ("app.web.server", "app.drafting.late_pipeline"):
        logging.getLogger(name).setLevel(logging.INFO)
    return handler


class RequestIds:
    """Pure ASGI: gives each request an id (the client's, if it is a plain word), answers with it, logs one line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(HEADER, "")
        request_id = sent if _OURS.fullmatch(sent) and hide(sent) == sent else secrets.token_hex(8)
        mark, started, status = _current.set(request_id), time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).append(HEADER, request_id)
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            if access.isEnabledFor(logging.INFO):
                # The route, not the address: a query or a name in the path is nobody's business here.
                fields = {
                    "method": scope["method"],
                    "route": getattr(scope.get("route"), "path", "page"),
                    "status": status,
                    "ms": round(1000 * (time.perf_counter() - started), 1),
                }
                access.info("request", extra={"fields": fields})
            _current.reset(mark)
