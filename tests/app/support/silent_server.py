"""A chat server on loopback that takes the connection and then says nothing, stops in the middle, or never ends."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from listing.backends.base import ChoiceQuestion
from listing.backends.openai import OpenAIBackend
from listing.events import DraftEvent, Event, StageEvent, TextEvent
from listing.request import DraftRequest
from tests.fakes import make_draft
from tests.listing.backends.chat_stub import event

JSON_OF = b"content-type: application/json\r\ncontent-length: "
MODES = ("silent", "stalls", "drips", "answers")
QUESTION = ChoiceQuestion("colour", "What colour is it?", ("black", "navy"))


@dataclass
class SilentServer:
    """``mode`` is how it treats the next request; ``open``: requests under way, as its end of the sockets sees them."""

    mode: str = "silent"
    open: set[int] = field(default_factory=set)

    def __enter__(self) -> SilentServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for connection in [self._listener, *self._connections]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True, name="silent-server").start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            head, rest = self._read_head(connection)
            length = next((int(x[15:]) for x in head.lower().split("\r\n") if x.startswith("content-length:")), 0)
            while len(rest) < length:
                rest += connection.recv(65536)
            if "/models" in head:
                self._reply(connection, {"data": [{"id": "one"}]})
                return
            self.open.add(id(connection))
            self._chat(connection, json.loads(rest))
        except (OSError, ValueError):
            pass
        finally:
            self.open.discard(id(connection))
            connection.close()

    @staticmethod
    def _read_head(connection: socket.socket) -> tuple[str, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                raise OSError("closed")
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        return head.decode("latin-1"), rest

    @staticmethod
    def _reply(connection: socket.socket, body: object) -> None:
        raw = json.dumps(body).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n%b%d\r\n\r\n%b" % (JSON_OF, len(raw), raw))

    def _chat(self, connection: socket.socket, body: dict[str, object]) -> None:
        streams = bool(body.get("stream"))
        if self.mode == "answers" or (self.mode != "silent" and not streams):
            if not streams:
                self._reply(connection, {"choices": [{"message": {"content": "A"}}]})
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + event("A hoodie", finish="stop"))
            return
        connection.settimeout(0.05)
        if streams and self.mode != "silent":
            connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + event("A "))
        while True:
            try:
                if connection.recv(1024) == b"":
                    return  # the client hung up
            except TimeoutError:
                if self.mode == "drips" and streams:
                    connection.sendall(b": still here\n\n")


@dataclass
class RemotePipeline:
    """The least that a draft asks of a remote model: a closed question about the photo, then a text."""

    backend: OpenAIBackend

    def run(self, request: DraftRequest) -> Iterator[Event]:
        yield StageEvent(stage="facts", share=0.1)
        self.backend.score(request.photos[0].image, [QUESTION] * 6)
        yield StageEvent(stage="text", share=0.5)
        for piece in self.backend.write(None, "Write."):
            yield TextEvent(field="title", text=piece)
        yield DraftEvent(draft=make_draft(request))
