"""Connections of the server: how many there may be, one request of each at a time, and bounds of its headers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.web.request_body import CONNECTION

HEADER_SECONDS = 10.0
MAX_HEADER_BYTES = 64_000
STRANGERS_BODIES = 64  # that are received at a time
_ANSWERS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class Ledger:
    """Connections of a server: at most ``total``, and ``each`` of one address.

    When there is no room, a stranger in the middle of a body has to go: the first of the address that has most of
    them. If there is none, whoever has waited longest without a request: strangers first, then those whose first
    request is there and of whom it is not known yet who asks, then the signed-in.
    """

    def __init__(self, total: int, each: int) -> None:
        self.total, self.each = total, each
        self._of: Counter[str] = Counter()
        self._idle: dict[BoundedProtocol, None] = {}  # in the order in which they became idle
        self._bodies: dict[BoundedProtocol, None] = {}  # strangers, in the order in which their bodies began
        self._unknown: dict[BoundedProtocol, None] = {}  # with a first request, in the order in which that came

    def enter(self, connection: BoundedProtocol) -> bool:
        """True where there is room for a new one."""
        self._of[connection.address] += 1
        self._idle[connection] = None
        if self._of[connection.address] > self.each:
            self._drop_one(connection.address, connection)
        if self._of.total() > self.total:
            self._drop_one(None, connection)
        return connection in self._idle

    def leave(self, connection: BoundedProtocol) -> None:
        """It is closed; saying so again changes nothing."""
        for kind in (self._idle, self._bodies, self._unknown):
            kind.pop(connection, None)
        if not connection.counted:
            return
        connection.counted = False
        self._of[connection.address] -= 1
        if self._of[connection.address] <= 0:
            del self._of[connection.address]

    def idle(self, connection: BoundedProtocol, waiting: bool) -> None:
        """Note whether it waits for a request, or for the rest of one's headers."""
        self._idle.pop(connection, None)
        self._unknown.pop(connection, None)
        if connection.counted and (waiting or not connection.signed_in):
            (self._idle if waiting else self._unknown)[connection] = None

    def known(self, connection: BoundedProtocol, signed_in: bool) -> None:
        """Note who asks."""
        connection.signed_in = signed_in
        self._unknown.pop(connection, None)

    @contextmanager
    def receiving(self, connection: BoundedProtocol) -> Iterator[None]:
        """Meanwhile it sends a stranger's body, for which there is a bounded number of places."""
        self._bodies[connection] = None
        if len(self._bodies) > STRANGERS_BODIES:
            self._drop_one(None)
        try:
            yield
        finally:
            self._bodies.pop(connection, None)

    def _drop_one(self, address: str | None, newcomer: BoundedProtocol | None = None) -> None:
        of = Counter(c.address for c in self._bodies if address in (None, c.address))
        most = max(of, key=lambda a: of[a], default=address)
        candidates = (c for c in (self._bodies if of else [*self._idle, *self._unknown]) if most in (None, c.address))
        first = min(candidates, key=lambda c: (c is newcomer, c.signed_in))  # of equals the oldest
        self.leave(first)
        first.drop()


class _Flow(FlowControl):
    """Whoever asks for further bytes of a closed connection gets none; uvloop raises an error there."""

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            super().pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            super().resume_reading()


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with an end to headers, after some seconds and some bytes, and without pipelining.

    Whoever sends a request before the last one is answered gets that answer, and then the connection is closed.
    """

    ledger: Ledger

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.address, self.counted = "", True
        self.signed_in = False  # whether its latest request was
        self._unparsed = 0  # bytes since the last that were more than headers
        self._behind_another = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)
        self.address = self.client[0] if self.client else ""
        if self.ledger.enter(self):
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.ledger.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came: between two requests the clock for headers starts with the first of them."""
        if self._timer is None and self.cycle is not None and self.cycle.response_complete:
            self._start_timer()
        self._unparsed += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # it is answered as any other
            pass
        except httptools.HttpParserError:
            if self._behind_another:
                self._unparsed, self.cycle.keep_alive = 0, False
                self.flow.pause_reading()
            else:
                self._refuse(400)
        if self._unparsed > MAX_HEADER_BYTES:
            self._refuse(431)

    def on_message_begin(self) -> None:
        self._behind_another = self.cycle is not None and not self.cycle.response_complete
        if self._behind_another:
            raise ValueError("a request before the last one is answered")  # ends the parser
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        self._stop_timer()
        self.ledger.idle(self, False)
        self.scope[CONNECTION] = self  # type: ignore[literal-required]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # no further request of the same connection has begun
            self.ledger.idle(self, True)

    @property
    def gone(self) -> bool:
        """True when nobody waits for an answer any more."""
        return self.transport.is_closing()

    def drop(self) -> None:
        """Close at once."""
        self._stop_timer()
        self.transport.abort()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEADER_SECONDS, self._refuse, 408)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            reason = _ANSWERS[status]
            head = b"HTTP/1.1 %d %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % (status, reason)
            self.transport.write(head)
        self.transport.close()


def bounded(total: int, each: int) -> type[BoundedProtocol]:
    """The protocol for one server: at most ``total`` connections, and ``each`` of one address."""

    class _Bounded(BoundedProtocol):
        ledger = Ledger(total, each)

    return _Bounded
