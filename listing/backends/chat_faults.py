"""The meaning of a server's refusal for the person who named it: one sentence that says what to do."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_QUOTE_LENGTH = 160
_ANY, _FAILED = range(400, 600), range(500, 600)
SHORT_CONTEXT = r"context (length|size|window)|max_model_len|maximum (model|context) length|too (long|many tokens)"
# HTTP statuses, a pattern of what the server says, the advice; the first that fits is given.
FAULTS = (
    ((401, 403), "", "The server at {url} refuses the key: set IPL_API_KEY to one that it accepts"),
    (
        (400, 404, 422),
        r"model.*(not exist|not found|unknown|not supported by|invalid)|pinned to|(unknown|invalid|no such) model",
        "The server at {url} does not serve the model {model!r}: name one that it lists under {url}/models",
    ),
    ((404, 405), "", "There is no chat server at {url}: give the address that its API stands under, often .../v1"),
    (
        _ANY,
        SHORT_CONTEXT,
        "The model {model!r} at {url} has too short a context for a photo: start the server with a longer one",
    ),
    (
        _ANY,
        r"image|vision|multi-?modal|mmproj",
        "The model {model!r} at {url} takes no photos: serve an image-text-to-text model",
    ),
    ((413,), "", "The server at {url} takes no request of this size: raise its limit to 2 MB or more"),
    ((429, 503), "", "The server at {url} is busy: try again later, or send less at a time"),
    (_FAILED, "", "The server at {url} failed: its log says why"),
    (_ANY, "", "The server at {url} refused the request: check that it is OpenAI-compatible"),
)


def explain(status: int, body: str, *, url: str, model: str | None) -> str:
    """One sentence about a reply with an HTTP status of 400 or more."""
    words = server_words(body)
    fitting = (a for statuses, says, a in FAULTS if status in statuses and re.search(says, words, re.IGNORECASE))
    advice = next(fitting, FAULTS[-1][2])
    quote = f"HTTP {status}: {words}" if words else f"HTTP {status}"
    return f"{advice.format(url=url, model=model or '')} ({quote})."


def server_words(body: str) -> str:
    """The server's own words: the message in its JSON, or the first line of its text; printable and short."""
    try:
        part: Any = json.loads(body)
    except ValueError:
        part = body
    for _ in range(4):  # {"error": {"message": ...}}, {"detail": [{"msg": ...}]}, {"error": ...}
        if isinstance(part, list) and part:
            part = part[0]
        elif isinstance(part, dict):
            part = next((part[key] for key in ("error", "message", "detail", "msg") if key in part), "")
    line = (part.strip().splitlines() or [""])[0] if isinstance(part, str) else ""
    return "".join(c for c in line if c.isprintable())[:MAX_QUOTE_LENGTH].rstrip(" .")
