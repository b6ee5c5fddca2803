"""A scripted OpenAI-compatible server on loopback, for faults and log-probabilities that a real one does not give."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from listing.backends.base import ChoiceQuestion

MODEL = "stub/vision-1"


@dataclass
class Answer:
    """What the server sends; ``pieces`` are flushed one by one and end with the connection."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterable[bytes] | None = None


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: Any
    at: float = field(default_factory=time.monotonic)


Script = Callable[[Request], Answer]


class Stub(ThreadingHTTPServer):
    """``script`` answers the chats; ``requests`` are all that came in; ``dropped`` is set when a client hung up."""

    daemon_threads = True

    def __init__(self, script: Script, models: list[str], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.script = script
        self.models = models
        self.requests: list[Request] = []
        self.dropped = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def chats(self) -> list[Request]:
        return [r for r in self.requests if r.path.endswith("/chat/completions")]


class _Handler(BaseHTTPRequestHandler):
    server: Stub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._take(None)

    def do_POST(self) -> None:
        self._take(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _take(self, body: Any) -> None:
        request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.requests.append(request)
        if self.path == "/v1/models":
            answer = Answer(body={"object": "list", "data": [{"id": name} for name in self.server.models]})
        elif self.path == "/v1/chat/completions":
            answer = self.server.script(request)
        else:
            answer = Answer(404, {"detail": "Not Found"})
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.pieces is None:
            raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
            return
        self.send_header("connection", "close")
        self.end_headers()
        try:
            for piece in answer.pieces:
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            self.server.dropped.set()


@contextmanager
def serving(script: Script, models: list[str] | None = None, port: int = 0) -> Iterator[Stub]:
    """A running server; stopped at the end."""
    stub = Stub(script, [MODEL] if models is None else models, port)
    thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        stub.server_close()


# A token, and the probabilities of all that might stand there, itself included.
TokenChances = tuple[str, dict[str, float]]


def reply(
    text: str, tokens_listed: Iterable[TokenChances] | None = None, *, tokens: int = 9, finish: str = "stop"
) -> Answer:
    """A whole answer; ``tokens_listed``, where the server lists log-probabilities."""
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    if tokens_listed is not None:
        choice["logprobs"] = {
            "content": [
                {
                    "token": token,
                    "logprob": math.log(listed[token]),
                    "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in listed.items()],
                }
                for token, listed in tokens_listed
            ]
        }
    return Answer(body={"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": tokens}})


def spelled(*parts: str | TokenChances) -> list[TokenChances]:
    """The tokens of a reply; plain text is certain, character by character."""
    out: list[TokenChances] = []
    for part in parts:
        out += [(c, {c: 1.0}) for c in part] if isinstance(part, str) else [part]
    return out


def event(text: str = "", finish: str | None = None) -> bytes:
    """One event of a stream."""
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


def prompt_of(request: Request) -> str:
    """The text of the user's message."""
    content = request.body["messages"][0]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def photo_of(request: Request) -> str | None:
    """The data URL of the photo, or None."""
    content = request.body["messages"][0]["content"]
    return None if isinstance(content, str) else content[0]["image_url"]["url"]


def seeing(script: Script, *, logprobs: bool = True) -> Script:
    """Answers the look-check like a server whose model takes photos; the rest goes to ``script``."""

    def answer(request: Request) -> Answer:
        if prompt_of(request) == "?":
            tokens_listed = spelled("ok") if logprobs and request.body.get("logprobs") else None
            return reply("ok", tokens_listed, tokens=60 if photo_of(request) else 10)
        return script(request)

    return answer


COLOURS = ("black", "navy", "red", "unknown")


def photo(size: tuple[int, int] = (320, 400)) -> Image.Image:
    """A dark photo with a light label."""
    image = Image.new("RGB", size, (31, 42, 68))
    image.paste((220, 220, 220), (100, 120, 160, 180))
    return image


def colour_question(answers: tuple[str, ...] = COLOURS) -> ChoiceQuestion:
    return ChoiceQuestion("colour", "What colour is it?", answers)


def assert_distribution(shares: dict[str, float], answers: tuple[str, ...]) -> None:
    """The answers in order, and a sum of 1."""
    assert tuple(shares) == answers
    assert all(0.0 <= p <= 1.0 for p in shares.values())
    assert math.isclose(sum(shares.values()), 1.0, abs_tol=1e-9)
