"""One OpenAI-compatible server over HTTP: addresses, the key, patience, and errors that a person can act on.

Every request ends when the work that it belongs to is stopped (``listing.backends.stopping``): connecting, waiting for
an answer, reading it, and the pause before another try.
The key goes to the named host only: redirects are never followed, and no message ever contains it.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from listing.backends.base import BackendError
from listing.backends.chat_faults import explain
from listing.backends.chat_loop import ClientLoop
from listing.backends.chat_protocol import DONE, Chunk, Completion, ModelList, sse_data
from listing.backends.stopping import never

_T = TypeVar("_T", bound=BaseModel)
_NO_HOST = frozenset(" \t<>\"'\\")
_BUSY = frozenset({429, 503})


@dataclass(frozen=True)
class Patience:
    """Seconds, and how often a request is sent at most.

    read: the longest silence of the server. pause: before the second try, doubled each time, where the server does
    not say how long to wait. longest_pause: a server that asks for more is given up.
    """

    connect: float = 10.0
    read: float = 180.0
    tries: int = 4
    pause: float = 1.0
    longest_pause: float = 30.0


class Refusal(BackendError):
    """The server answered with an error; ``status`` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ChatServer:
    """``/models`` and ``/chat/completions`` of one server. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        patience: Patience = Patience(),
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.url = api_root(url)
        self.patience = patience
        self._key = _checked_key(api_key)
        self._sleep = sleep or self._nap
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(patience.read, connect=patience.connect, pool=None),
            follow_redirects=False,
            trust_env=not _is_loopback(self.url),  # a proxy cannot reach this machine's own loopback
        )
        self._loop = ClientLoop(self._client)

    def close(self) -> None:
        """Close the connections."""
        self._loop.close()

    def _nap(self, seconds: float) -> None:
        self._loop.run(asyncio.sleep(seconds))

    def models(self) -> list[str]:
        """Ids of the models that the server lists."""
        with self._open("GET", "/models", None) as response:
            return [entry.id for entry in self._parse(ModelList, self._loop.run(response.aread())).data]

    def complete(self, body: Mapping[str, Any]) -> Completion:
        """One whole answer."""
        with self._open("POST", "/chat/completions", body) as response:
            return self._parse(Completion, self._loop.run(response.aread()))

    def stream(self, body: Mapping[str, Any]) -> Iterator[str]:
        """Pieces of one answer as they are decoded; closing the iterator closes the connection, which stops the server.

        Raises:
            BackendError: the stream broke off; the pieces so far are not the whole answer.
        """
        with self._open("POST", "/chat/completions", {**body, "stream": True}) as response:
            finished = False
            for data in self._events(response):
                if data == DONE:
                    return
                chunk = self._parse(Chunk, data)
                if chunk.error is not None:
                    raise self._error(f"The server at {self.url} failed in the middle of an answer: its log says why.")
                for choice in chunk.choices[:1]:
                    finished = finished or choice.finish_reason is not None
                    if choice.delta.content:
                        yield choice.delta.content
            if not finished:
                raise self._error(f"The server at {self.url} broke off in the middle of an answer: try again.")

    def _events(self, response: httpx.Response) -> Iterator[str]:
        try:
            yield from sse_data(self._pieces(response))
        except ValueError as error:
            raise self._nonsense() from error

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        pieces = cast("AsyncGenerator[bytes]", response.aiter_bytes())

        async def following() -> bytes | None:
            return await anext(pieces, None)

        try:
            while (piece := self._loop.run(following())) is not None:
                yield piece
        finally:
            self._loop.run(pieces.aclose(), never)

    @contextmanager
    def _open(self, method: str, path: str, body: Mapping[str, Any] | None) -> Iterator[httpx.Response]:
        """A response of status 200 whose body is still to be read; failures while reading become a ``BackendError``."""
        response: httpx.Response | None = None
        try:
            response = self._send(method, path, body)
            if response.is_redirect:
                raise self._redirected(response)
            if not response.is_success:
                text = self._loop.run(response.aread()).decode("utf-8", "replace")
                model = str(body["model"]) if body else None
                raise Refusal(
                    self._clean(explain(response.status_code, text, url=self.url, model=model)), response.status_code
                )
            yield response
        except httpx.HTTPError as error:
            raise self._failed(error) from error
        finally:
            if response is not None:
                self._end(response)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """Send until the server is neither busy nor hangs up, or patience ends; whatever it says then is returned."""
        for left in reversed(range(self.patience.tries)):
            request = self._client.build_request(method, self.url + path, json=body)
            pause = self.patience.pause * 2 ** (self.patience.tries - 1 - left)
            try:
                response = self._loop.run(self._client.send(request, stream=True))
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not left:
                    raise
            else:
                pause = _retry_after(response, pause)
                if not left or response.status_code not in _BUSY or pause > self.patience.longest_pause:
                    return response
                self._end(response)
            self._sleep(min(pause, self.patience.longest_pause))
        raise AssertionError("tries is at least 1")

    def _end(self, response: httpx.Response) -> None:
        """Give the connection back, or cut it where the answer is not read to its end; also when work is stopped."""
        self._loop.run(response.aclose(), never)

    def _parse(self, kind: type[_T], text: str | bytes) -> _T:
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            raise self._nonsense() from error

    def _failed(self, error: httpx.HTTPError) -> BackendError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            return self._error(f"No server answers at {self.url}: start it, or correct the address after --model.")
        if isinstance(error, httpx.TimeoutException):
            return self._error(
                f"The server at {self.url} was silent for {self.patience.read:.0f} s: give it more power or less work."
            )
        return self._error(f"The connection to {self.url} broke ({type(error).__name__}): see whether the server runs.")

    def _redirected(self, response: httpx.Response) -> BackendError:
        host = urlsplit(response.headers.get("location", "")).netloc or "another path"
        return self._error(
            f"The server at {self.url} redirects to {host}, which is not followed: name the final address instead."
        )

    def _nonsense(self) -> BackendError:
        return self._error(f"What answers at {self.url} does not speak the OpenAI chat protocol: check the address.")

    def _error(self, message: str) -> BackendError:
        return BackendError(self._clean(message))

    def _clean(self, message: str) -> str:
        """Servers quote what they were sent."""
        return message.replace(self._key, "***") if self._key else message


def api_root(url: str) -> str:
    """The address that ``/models`` and ``/chat/completions`` stand under; ``/v1`` where no path is given.

    Raises:
        BackendError: not an http(s) address, or one with a password, a query or a fragment.
    """
    try:
        parts = urlsplit(url.strip())
        host = httpx.URL(url.strip()).host if parts.port != 0 and not set(parts.netloc) & _NO_HOST else None
    except (ValueError, httpx.InvalidURL):
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


def _retry_after(response: httpx.Response, default: float) -> float:
    """Seconds that the server asks to wait: a number or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return default
