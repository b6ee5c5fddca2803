"""What a server's refusal means for the person who named it: one sentence that says what to do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

LONGEST_QUOTE = 160
_HTTP_ERRORS = range(400, 600)


@dataclass(frozen=True)
class Fault:
    """An HTTP status and what the server says (a pattern), and the advice; the first that fits is told."""

    statuses: range | frozenset[int]
    says: re.Pattern[str]
    advice: str


def _fault(statuses: range | set[int], says: str, advice: str) -> Fault:
    kept = statuses if isinstance(statuses, range) else frozenset(statuses)
    return Fault(kept, re.compile(says, re.IGNORECASE), advice)


FAULTS = (
    _fault({401, 403}, "", "The server at {url} refuses the key: set IPL_API_KEY to one that it accepts"),
    _fault(
        {400, 404, 422},
        r"model.*(not exist|not found|unknown|not supported by|invalid)|pinned to|(unknown|invalid|no such) model",
        "The server at {url} does not serve the model {model!r}: name one that it lists under {url}/models",
    ),
    _fault(
        {404, 405}, "", "There is no chat server at {url}: give the address that its API stands under, often .../v1"
    ),
    _fault(
        _HTTP_ERRORS,
        r"context (length|size|window)|max_model_len|maximum (model|context) length|too (long|many tokens)",
        "The model {model!r} at {url} has too short a context for a photo: start the server with a longer one",
    ),
    _fault(
        _HTTP_ERRORS,
        r"image|vision|multi-?modal|mmproj",
        "The model {model!r} at {url} takes no photos: serve an image-text-to-text model",
    ),
    _fault({413}, "", "The server at {url} takes no request of this size: raise its limit to 2 MB or more"),
    _fault({429, 503}, "", "The server at {url} is busy: try again later, or send less at a time"),
    _fault(range(500, 600), "", "The server at {url} failed: its log says why"),
    _fault(_HTTP_ERRORS, "", "The server at {url} refused the request: check that it is OpenAI-compatible"),
)


def explain(status: int, body: str, *, url: str, model: str | None) -> str:
    """One sentence about a reply with an HTTP status of 400 or more."""
    said = spoken(body)
    fault = next((f for f in FAULTS if status in f.statuses and f.says.search(said)), FAULTS[-1])
    quote = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    return f"{fault.advice.format(url=url, model=model or '')} ({quote})."


def spoken(body: str) -> str:
    """The server's own words: the message in its JSON, or the first line of its text; printable and short."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = body
    for _ in range(4):  # {"error": {"message": ...}}, {"detail": [{"msg": ...}]}, {"error": ...}
        if isinstance(found, list) and found:
            found = found[0]
        elif isinstance(found, dict):
            found = next((found[key] for key in ("error", "message", "detail", "msg") if key in found), "")
        else:
            break
    text = found if isinstance(found, str) else ""
    line = (text.strip().splitlines() or [""])[0]
    return "".join(c for c in line if c.isprintable())[:LONGEST_QUOTE].rstrip(" .")
