"""One OpenAI-compatible server by the ``openai`` package: the address, the key, patience, and errors to act on.

Every request ends when the work that it belongs to is stopped (``listing.backends.stopping``): connecting, waiting for
an answer, reading it, and the pause before another try. A blocking read cannot be interrupted from another thread, a
task can: so that the requests run in an event loop in a thread of its own.
The key goes to the named host only: redirects are never followed, and no message ever contains it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
import re
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from listing.backends.base import BackendError, ServerError
from listing.backends.stopping import Wish, current_wish, never, unless

T = TypeVar("T")
_CLOSE_SECONDS = 5.0
_NO_HOST = frozenset(" \t<>\"'\\")
_BUSY = frozenset({429, 503})
_AWAY = frozenset({502, 503, 504})  # what a proxy says of a server that is away, or a server of itself as it starts
_NOT_THERE = frozenset({"ConnectError", "ConnectTimeout", "ProxyError"})  # the HTTP client's names
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


@dataclass(frozen=True)
class Patience:
    """Seconds, and how often a request is sent at most."""

    connect: float = 10.0
    read: float = 180.0  # the longest silence of the server
    tries: int = 6
    pause: float = 1.0  # before the second try, doubled each time, where the server does not say how long to wait
    longest_pause: float = 30.0  # a server that asks for more is given up
    jitter: float = 0.25  # of a pause, added at random: what was refused together does not come back together


class ChatServer:
    """``/models`` and ``/chat/completions`` of one server. Safe to use from several threads.

    most: whole answers that are waited for at the same time; further ones wait for their turn.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        patience: Patience = Patience(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        most: int = 64,
    ) -> None:
        self.url = api_root(url)
        self.patience = patience
        self._key = _checked_key(api_key)
        self._sleep = sleep
        self.sent = 0  # chats, tries included
        self._places = asyncio.Semaphore(most)
        unsent = ("OpenAI-Organization", "OpenAI-Project", *(() if self._key else ("Authorization",)))
        self._headers: Any = dict.fromkeys(unsent, openai.omit)  # what the environment says of another service
        self._client = openai.AsyncOpenAI(
            base_url=self.url,
            api_key=self._key or "none",
            timeout=openai.Timeout(patience.read, connect=patience.connect, pool=None),
            max_retries=0,  # this class knows what is worth another try, and when the draft was stopped
            # A proxy cannot reach this machine's own loopback.
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not _is_loopback(self.url)),
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_serve, args=(self._loop,), name="chat-server", daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, _shut, self._loop, self._client)

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._end()
        self._thread.join(_CLOSE_SECONDS)

    def models(self) -> list[str]:
        """Ids of the models that the server lists."""
        with self._explained():
            page = self._run(self._patiently(lambda: self._client.models.list(extra_headers=self._headers)))
            if not hasattr(page, "data"):
                raise ValueError("no list of models")
            return [str(entry.id) for entry in page.data or [] if hasattr(entry, "id")]

    def complete(self, body: Mapping[str, Any]) -> ChatCompletion:
        """One whole answer; it has a choice with a message, everything else may be missing."""
        with self._explained(body["model"]):
            answer = self._run(self._in_turn(body))
            choices = getattr(answer, "choices", None) or [None]
            message = getattr(choices[0], "message", None)
            if not isinstance(message, ChatCompletionMessage) or not isinstance(message.content, str | None):
                raise ValueError("no message")
            return cast(ChatCompletion, answer)

    def stream(self, body: Mapping[str, Any]) -> Iterator[str]:
        """Pieces of one answer as they are decoded; closing the iterator closes the connection, which stops the server.

        BackendError: the stream broke off; the pieces so far are not the whole answer.
        """
        begun = finished = False
        with self._explained(body["model"]):
            pieces = self._run(self._patiently(lambda: self._ask({**body, "stream": True})))
            try:
                while (chunk := self._run(anext(pieces, None))) is not None:
                    begun = True
                    for choice in (getattr(chunk, "choices", None) or [])[:1]:
                        finished = finished or getattr(choice, "finish_reason", None) is not None
                        if text := getattr(getattr(choice, "delta", None), "content", None):
                            yield text
            except ValueError as error:
                if not begun:
                    raise
                raise self._error(self._failed_inside()) from error  # its words, not escaped (transformers serve)
            finally:
                self._run(pieces.close(), never)
        if not finished:
            raise self._error(f"The server at {self.url} broke off in the middle of an answer: try again.")

    async def _ask(self, body: Mapping[str, Any]) -> Any:
        self.sent += 1
        return await self._client.chat.completions.create(**body, extra_headers=self._headers)

    async def _in_turn(self, body: Mapping[str, Any]) -> Any:
        async with self._places:
            return await self._patiently(lambda: self._ask(body))

    def _run(self, work: Awaitable[T], wish: Wish | None = None) -> T:
        """The result of ``work``. Raises Stopped when the wish (by default the context's) comes true before."""
        future = asyncio.run_coroutine_threadsafe(unless(wish or current_wish(), work), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # where this thread was interrupted, the request ends as well
            raise

    async def _patiently(self, send: Callable[[], Awaitable[Any]]) -> Any:
        """Send until the server is neither busy nor hangs up, or patience ends."""
        for attempt in range(self.patience.tries):
            pause = self.patience.pause * 2**attempt
            try:
                return await send()
            except openai.APIStatusError as error:
                pause = _retry_after(error.response.headers.get("retry-after", "").strip(), pause)
                hopeless = error.status_code not in _BUSY or pause > self.patience.longest_pause
                if hopeless or attempt + 1 == self.patience.tries:
                    raise
            except openai.APIConnectionError as error:
                silent = isinstance(error, openai.APITimeoutError) or type(error.__cause__).__name__ in _NOT_THERE
                if silent or attempt + 1 == self.patience.tries:
                    raise
            await self._sleep(pause * random.uniform(1.0, 1.0 + self.patience.jitter))
        raise AssertionError("tries is at least 1")

    @contextmanager
    def _explained(self, model: str | None = None) -> Iterator[None]:
        """Turns errors in the block into a ``BackendError`` that says what to do."""
        try:
            yield
        except openai.APIStatusError as error:
            if error.response.is_redirect:
                host = urlsplit(error.response.headers.get("location", "")).netloc or "another path"
                raise self._error(
                    f"The server at {self.url} redirects to {host}, which is not followed: "
                    "name the final address instead.",
                    error.status_code,
                ) from error
            message = explain(error.status_code, error.response.text, url=self.url, model=model)
            raise self._error(message, error.status_code, away=error.status_code in _AWAY) from error
        except openai.APIConnectionError as error:
            away = type(error.__cause__).__name__ in _NOT_THERE
            raise self._error(self._unreachable(error), away=away) from error
        except openai.APIError as error:
            raise self._error(self._failed_inside()) from error
        except ValueError as error:  # no JSON, no UTF-8, or nothing of what an answer must have
            message = f"What answers at {self.url} does not speak the OpenAI chat protocol: check the address."
            raise self._error(message) from error

    def _failed_inside(self) -> str:
        return f"The server at {self.url} failed in the middle of an answer: its log says why."

    def _unreachable(self, error: openai.APIConnectionError) -> str:
        cause = type(error.__cause__).__name__
        if cause in _NOT_THERE:
            return f"No server answers at {self.url}: start it, or correct its address (--model, IPL_MODEL)."
        if isinstance(error, openai.APITimeoutError):
            seconds = self.patience.read
            return f"The server at {self.url} was silent for {seconds:.0f} s: give it more power or less work."
        return f"The connection to {self.url} broke ({cause}): see whether the server runs."

    def _error(self, message: str, status: int = 0, *, away: bool = False) -> ServerError:
        cleaned = message.replace(self._key, "***") if self._key else message  # servers quote what they were sent
        return ServerError(cleaned, status, away=away)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _shut(loop: asyncio.AbstractEventLoop, client: openai.AsyncOpenAI) -> None:
    async def end() -> None:
        try:
            await client.close()
        finally:
            loop.stop()

    asyncio.run_coroutine_threadsafe(end(), loop)


def api_root(url: str) -> str:
    """Where ``/models`` and ``/chat/completions`` stand, ``/v1`` without a path; BackendError: no http(s) address."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname if parts.port != 0 and not set(parts.netloc) & _NO_HOST else None
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise BackendError("The server's address is not valid: write it like http://localhost:8000/v1.")
    if parts.username is not None or parts.query or parts.fragment:
        raise BackendError(
            f"The address of {host} may hold only host, port and path: put a key into IPL_API_KEY, a model after '#'."
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _checked_key(key: str | None) -> str | None:
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise BackendError("IPL_API_KEY holds characters that no key has: copy the key again.")
    return key or None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _retry_after(value: str, default: float) -> float:
    """Seconds that the server asks to wait: a number or a date (RFC 9110, 10.2.3)."""
    with suppress(ValueError):
        return max(0.0, float(value))
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return default


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
