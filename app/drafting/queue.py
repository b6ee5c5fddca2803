"""The waiting line in front of the model: as many drafts at once as it allows, fair between sellers, bounded."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, linear_regression

from app.views import AppError, Busy

_LATEST = 8  # drafts whose times say how long the next one takes


@dataclass(eq=False)
class Ticket:
    """A place in the line. ``cancel`` may be called by anyone at any time."""

    name: str
    seller: str
    round: int
    number: int
    photos: int = 1
    stopped: threading.Event = field(default_factory=threading.Event)
    started: float | None = None


class DraftQueue:
    """Tickets take turns by rounds: a seller's second draft comes after everybody's first.

    Args:
        length: most tickets that wait. per_seller: most tickets of one seller, the running one included.
        seconds: first guess of the time of one draft; then the latest ones say, by their numbers of photos.
        at_once: how many drafts run at the same time.
    """

    def __init__(
        self,
        length: int,
        per_seller: int,
        seconds: float = 20.0,
        *,
        at_once: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._length, self._per_seller, self._at_once, self._clock = length, per_seller, at_once, clock
        self._first_guess, self._took = seconds, deque[tuple[int, float]](maxlen=_LATEST)
        self._waiting: list[Ticket] = []
        self._running: list[Ticket] = []
        self._served_round = 0
        self._numbers = 0
        self._changed = threading.Condition()

    def join(self, name: str, seller: str, photos: int = 1) -> Ticket:
        """A ticket at the end of the line; ``name`` is the draft's id, ``photos`` how many it has.

        Raises:
            Busy: the line is full, or the seller has too many drafts in it.
            AppError: the draft is in it already (409); one that was stopped gives its turn back in a moment.
        """
        with self._changed:
            if any(t.name == name and not t.stopped.is_set() for t in self._everyone()):
                raise AppError("running", "This draft is being written right now; wait until it is done.", 409)
            tickets = self._room(seller)
            latest = max((t.round for t in tickets), default=self._served_round - 1)
            self._numbers += 1
            ticket = Ticket(name, seller, latest + 1, self._numbers, photos)
            self._waiting.append(ticket)
            self._waiting.sort(key=lambda t: (t.round, t.number))
            self._changed.notify_all()
            return ticket

    def check(self, seller: str) -> None:
        """Raises Busy when ``join`` would: said before the photos are looked at."""
        with self._changed:
            self._room(seller)

    def _everyone(self) -> list[Ticket]:
        return [*self._waiting, *self._running]

    def _room(self, seller: str) -> list[Ticket]:
        """The seller's tickets, if there is room for another."""
        tickets = [t for t in self._everyone() if t.seller == seller]
        if len(tickets) >= self._per_seller:
            wait = self._retry_after(len(tickets))
            raise Busy(
                f"{len(tickets)} of your drafts are being written, the most at once; wait for one of them.", wait
            )
        if len(self._waiting) >= self._length:
            wait = self._retry_after(len(self._waiting))
            raise Busy(f"Many people are waiting; there is room in about {wait} seconds.", wait)
        return tickets

    def _retry_after(self, drafts: int) -> int:
        return max(1, round(self._expected() * drafts / 2 / self._at_once))

    def wait(self, ticket: Ticket, timeout: float) -> int:
        """Wait up to ``timeout`` seconds for a change; returns the position: 0 = it is this ticket's turn.

        The turn is taken by this call; whoever takes it has to ``leave``.
        """
        with self._changed:
            if not self._take(ticket):
                self._changed.wait(timeout)
                self._take(ticket)
            return self._position(ticket)

    def _take(self, ticket: Ticket) -> bool:
        if ticket in self._running:
            return True
        if len(self._running) < self._at_once and self._waiting and self._waiting[0] is ticket:
            self._running.append(self._waiting.pop(0))
            self._served_round = max(self._served_round, ticket.round)
            ticket.started = self._clock()
            self._changed.notify_all()  # the next one may have its turn as well
            return True
        return False

    def _position(self, ticket: Ticket) -> int:
        if ticket not in self._waiting:
            return 0
        return self._waiting.index(ticket) + (1 if self._running else 0)

    def leave(self, ticket: Ticket, *, finished: bool = False) -> None:
        """Give the place back. ``finished``: the draft was written, so that its time counts for the estimates."""
        with self._changed:
            if ticket in self._running:
                self._running.remove(ticket)
                if finished and ticket.started is not None:
                    self._took.append((ticket.photos, self._clock() - ticket.started))
            elif ticket in self._waiting:
                self._waiting.remove(ticket)
            self._changed.notify_all()

    def cancel(self, name: str) -> None:
        """Ask the draft of that name to stop, waiting or running."""
        with self._changed:
            for ticket in self._everyone():
                if ticket.name == name:
                    ticket.stopped.set()
            self._changed.notify_all()

    def _expected(self, photos: int = 1) -> float:
        """Seconds that a draft of so many photos takes."""
        if not self._took:
            return self._first_guess
        numbers, seconds = [n for n, _ in self._took], [s for _, s in self._took]
        slope, rest = linear_regression(numbers, seconds) if len(set(numbers)) > 1 else (0.0, 0.0)
        if slope > 0 and rest > 0:
            return slope * photos + rest
        return sum(seconds) / sum(numbers) * photos

    def seconds_left(self, ticket: Ticket, share: float) -> float:
        """Estimated seconds until the ticket's draft is done, of which ``share`` (0..1) is done."""
        with self._changed:
            ahead = self._position(ticket)
            if ahead:
                rounds, own = math.ceil(ahead / self._at_once), self._expected(ticket.photos)
                before = [*self._running, *self._waiting[: self._waiting.index(ticket)]]
                each = fmean(self._expected(t.photos) for t in before)
                begun = max((self._clock() - t.started for t in self._running if t.started is not None), default=0.0)
                return max(0.0, each * rounds - min(begun, each)) + own
            begun, whole = (
                self._clock() - ticket.started if ticket.started is not None else 0.0,
                self._expected(ticket.photos),
            )
            return max(whole * (1 - share) * 0.2, whole - begun) if share < 1 else 0.0

    def names(self) -> list[str]:
        """The drafts that wait or run."""
        with self._changed:
            return [t.name for t in self._everyone()]

    def __len__(self) -> int:
        return len(self.names())
