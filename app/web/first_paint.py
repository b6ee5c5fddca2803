"""What the seller's page shows and says of itself before its scripts have run: a skeleton, our name and picture."""

from __future__ import annotations

import re
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from app.buyer.page import preview
from app.theme import stylesheet

_THEIRS = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*')
_BODY = re.compile(rb"(?<=<body)[^>]*>")
_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'  # theirs comes after the styles
_SKELETON = b'<div id="ipl-first" role="status" aria-label="The page is coming">IPL<i></i><i></i><i></i></div>'


async def send_page(app: Any, scope: Scope, receive: Receive, send: Send, base: str) -> None:
    """Answer with the app's page, its head and its beginning ours. base: the server's address."""
    head = f"{_VIEWPORT}<title>IPL</title>{preview(base)}<style>{stylesheet('first')}</style>".encode()
    start: Message = {}
    parts: list[bytes] = []

    async def whole(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        if message["type"] != "http.response.body":
            return
        parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        page = _THEIRS.sub(b"", b"".join(parts)).replace(b"<head>", b"<head>" + head, 1)
        page = _BODY.sub(lambda found: found[0] + _SKELETON, page, count=1)
        headers = [(k, v) for k, v in start["headers"] if k != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(page)).encode())]})
        await send({"type": "http.response.body", "body": page})

    await app(scope, receive, whole)
