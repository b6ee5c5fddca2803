"""Servers on free ports: the whole app, an address that takes notices, a chat server that falls silent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from app.services import Services
from listing.backends.base import ChoiceQuestion
from listing.backends.openai import OpenAIBackend
from listing.request import DraftEvent, DraftRequest, Event, Photo, StageEvent, TextEvent
from tests.fakes import make_draft
from tests.listing.backends.chat_stub import event

SLOW_MACHINE = 60_000
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def served(services: Services, *, page: bool = True) -> Iterator[str]:
    """Serve until the block ends; yields the page's address. ``page`` False: the API alone, without Gradio."""
    import uvicorn

    from app.web.server import create_app

    config = uvicorn.Config(create_app(services, page=page), host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(0.5)
        server.force_exit = True  # a page that is still open keeps its connection
        thread.join(10)


class Receiver:
    """An address on this machine: what it was sent, and what it answers, once ``go_on`` is set."""

    def __init__(self, port: int = 0) -> None:
        self.got, self.answers, self.seconds, self.go_on = [], [], 0.0, threading.Event()
        self.go_on.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(SimpleNamespace(body=body, headers=dict(self.headers), **json.loads(body)))
                time.sleep(receiver.seconds)
                receiver.go_on.wait(100)
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/notices"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


QUESTION = ChoiceQuestion("colour", "What colour is it?", ("black", "navy"))


@dataclass
class SilentServer:
    """``mode`` is how it treats the next request; ``open``: requests under way, as its end of the sockets sees them."""

    mode: str = "silent"
    open: set[int] = field(default_factory=set)

    def __enter__(self) -> SilentServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.mode = "answers"
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: SilentServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._reply("application/json", json.dumps({"data": [{"id": "one"}]}).encode())

    def do_POST(self) -> None:
        streams = bool(json.loads(self.rfile.read(int(self.headers["content-length"]))).get("stream"))
        self.owner.open.add(id(self))
        try:
            self._chat(self.owner.mode, streams)
        except OSError:
            self.close_connection = True
        finally:
            self.owner.open.discard(id(self))

    def _reply(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(data)

    def _chat(self, mode: str, streams: bool) -> None:
        if not streams and mode != "silent":
            self._reply("application/json", json.dumps({"choices": [{"message": {"content": "A"}}]}).encode())
            return
        if mode == "answers":
            self._reply("text/event-stream", event("A hoodie", finish="stop"))
            return
        if mode != "silent":
            self._reply("text/event-stream", event("A "))
        self.connection.settimeout(0.05)
        while True:
            try:
                if self.connection.recv(1024) == b"":
                    return  # the client hung up
            except TimeoutError:
                if mode == "drips":
                    self.wfile.write(b": still here\n\n")


@dataclass
class RemotePipeline:
    """The least that a draft asks of a remote model: a closed question about the photo, then a text."""

    backend: OpenAIBackend
    concurrency: int = 1

    def run(self, request: DraftRequest) -> Iterator[Event]:
        yield StageEvent(stage="facts", share=0.1)
        self.backend.score(request.photos[0].image, [QUESTION] * 6)
        yield StageEvent(stage="text", share=0.5)
        for piece in self.backend.write((), "Write."):
            yield TextEvent(field="title", text=piece)
        yield DraftEvent(draft=make_draft(request))

    def glance(self, photo: Photo) -> tuple[str, str]:
        return "", ""
