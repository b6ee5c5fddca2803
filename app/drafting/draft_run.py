"""One draft from the waiting line to its end: views for whoever watches, the pipeline in a thread of its own.

The watcher never blocks on the model: it gets a view at least every half second, and may go away at any moment. The
turn in the line is given back only when the pipeline has really ended; a request to a model's server is cut for it.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from app.drafting.queue import DraftQueue, Ticket
from app.metrics import Metrics
from app.store import draft_repo
from app.store.db import Store
from app.store.tables import DraftRow
from app.views import ENDED, AppError, DraftState, DraftView, Problem
from listing.backends.stopping import Stopped, current_wish, stop_when
from listing.request import (
    AttributeEvent,
    CategoryEvent,
    DraftEvent,
    DraftPipeline,
    DraftRequest,
    Event,
    QuestionEvent,
    StageEvent,
    TextEvent,
)
from listing.rules import PressRules

log = logging.getLogger(__name__)
TICK_SECONDS = 0.5
BROKEN = Problem("model_failed", "The draft could not be written; try again, and if it happens again, restart IPL.")
NO_MODEL = Problem("model_failed", "The draft could not be written just now; try again in a few minutes.")
STOPPED = Problem("stopped", "Stopped before the draft was done; start it again when you like.")
TOO_SLOW = Problem("too_slow", "The draft took too long and was stopped; try fewer photos or a smaller model.")


@dataclass(frozen=True)
class _End:
    """The pipeline's thread has ended, by itself or with a problem."""

    problem: Problem | None = None


@dataclass(frozen=True)
class DraftRunner:
    """Parts of a run: the waiting line, the model, where the draft is kept. ``minutes``: the longest time of one."""

    queue: DraftQueue
    pipeline: DraftPipeline
    store: Store
    metrics: Metrics
    minutes: float
    rules: PressRules

    def start(self, request: DraftRequest, first: DraftView, seller: str) -> DraftRun:
        """A run; its place in the line is taken at once, so that a full line is refused before anything is streamed."""
        return DraftRun(self, request, first, self.queue.join(first.draft_id, seller, len(request.photos)))


class DraftRun:
    """The views from the waiting line to the finished (or failed, or stopped) draft.

    ``close`` gives the turn back, also when nobody ever asked for the first view.
    """

    def __init__(self, runner: DraftRunner, request: DraftRequest, first: DraftView, ticket: Ticket) -> None:
        self.runner, self.request, self.view, self.ticket = runner, request, first, ticket
        self.events: queue.SimpleQueue[Event | _End] = queue.SimpleQueue()
        self.joined = time.monotonic()
        self.saw_fact = False
        self.begun = False
        self._views = self._all()

    def __iter__(self) -> Iterator[DraftView]:
        return self

    def __next__(self) -> DraftView:
        self.begun = True
        return next(self._views)

    def leave(self) -> None:
        """Give the place back before anything was begun; the draft stays as it is."""
        self.begun = True
        self.runner.queue.leave(self.ticket)

    def close(self) -> None:
        """Stop the work, if it is not done."""
        if not self.begun:
            self.begun = True
            self.runner.queue.leave(self.ticket)
            self._close(STOPPED)
        self._views.close()

    def __del__(self) -> None:
        if not self.begun:
            self.runner.queue.leave(self.ticket)

    def _all(self) -> Generator[DraftView, None, None]:
        started = ended = False
        try:
            yield from self._wait()
            if self.ticket.stopped.is_set():
                ended = True  # before: whoever holds this view may go on for long, and another run may have begun
                yield self._close(STOPPED)
                return
            self._move(DraftState.WORKING)
            context = contextvars.copy_context()  # what is logged there belongs to this request
            name = f"draft-{self.view.draft_id[:8]}"
            threading.Thread(target=context.run, args=(self._pump,), name=name, daemon=True).start()
            started = True
            for view in self._follow():
                ended = view.state in ENDED
                yield view
        finally:
            self.ticket.stopped.set()
            if not started:
                self.runner.queue.leave(self.ticket)
            if not ended:
                self._close(STOPPED)

    def _wait(self) -> Iterator[DraftView]:
        line = self.runner.queue
        last = None
        while not self.ticket.stopped.is_set():
            position = line.wait(self.ticket, 0.0 if last is None else TICK_SECONDS)
            if position == 0:
                return
            last = position
            left = line.seconds_left(self.ticket, 0.0)
            self.view = replace(self.view, state=DraftState.QUEUED, position=position, seconds_left=left)
            yield self.view

    def _follow(self) -> Iterator[DraftView]:
        limit = self._limit()
        self.view = replace(self.view, state=DraftState.WORKING, position=0)
        latest: Event | None = None
        while True:
            yield self._timed(latest)
            latest = None
            try:
                event: Event | _End | None = self.events.get(timeout=TICK_SECONDS)
            except queue.Empty:
                event = None
            if isinstance(event, DraftEvent):
                yield self._keep(event)
                return
            problem = self._problem(event, limit)
            if problem is not None:
                yield self._close(problem)
                return
            if event is not None and not isinstance(event, _End):
                self._count_first_fact(event)
                self.view, latest = step(self.view, event), event

    def _problem(self, event: Event | _End | None, limit: float) -> Problem | None:
        """Reason to end the draft here without being done; None when it goes on."""
        if self.ticket.stopped.is_set():
            return STOPPED
        if isinstance(event, _End):
            return event.problem or BROKEN
        return TOO_SLOW if event is None and time.monotonic() > limit else None

    def _timed(self, event: Event | None) -> DraftView:
        left = self.runner.queue.seconds_left(self.ticket, self.view.share)
        self.view = replace(self.view, seconds_left=left, event=event)
        return self.view

    def _pump(self) -> None:
        """In the thread: pass the events on until the end, a problem, the wish to stop, or the time limit.

        A local model stops at its next event, a request to a model's server at once.
        """
        finished, end = False, _End(BROKEN)
        run: Iterator[Event] | None = None
        limit = self._limit()
        stop_when(lambda: self.ticket.stopped.is_set() or time.monotonic() > limit)
        try:
            run = self.runner.pipeline.run(self.request)
            for event in run:
                if current_wish()():
                    end = self._stopped()
                    break
                finished = isinstance(event, DraftEvent)
                self.events.put(event)
                if finished:
                    break
        except Stopped:
            end = self._stopped()
        except Exception as error:
            end = _End(problem_of(error))
        finally:
            getattr(run, "close", lambda: None)()
            self.runner.queue.leave(self.ticket, finished=finished)
            self.events.put(end)

    def _limit(self) -> float:
        """Time on the monotonic clock from which the draft has taken too long."""
        return time.monotonic() + self.runner.minutes * 60

    def _stopped(self) -> _End:
        return _End(STOPPED if self.ticket.stopped.is_set() else TOO_SLOW)

    def _keep(self, event: DraftEvent) -> DraftView:
        seller = self.ticket.seller
        with self.runner.store.write() as session:
            row = draft_repo.finish(session, self.view.draft_id, event.draft, self.runner.rules)
            if row is None:
                raise AppError("not_found", "The draft was deleted while it was being written.", 404)
            draft_repo.note_event(session, "shown", seller, draft=row.id)
            done = draft_repo.view(session, row, self.view.currency)
        self.runner.metrics.drafts.labels("ready").inc()
        self.runner.metrics.draft_seconds.observe(time.monotonic() - self.joined)
        return replace(done, event=DraftEvent(draft=done.draft) if done.draft else event)

    def _close(self, problem: Problem) -> DraftView:
        """End without a draft. One that was finished before (a rewrite that stopped) stays ready."""
        state = DraftState.STOPPED if problem.code == "stopped" else DraftState.FAILED
        self.ticket.stopped.set()
        try:
            self._move(state, problem)
        except AppError as error:
            # The row stays unfinished; ``Housekeeping.stop_orphans`` ends it once the store is back.
            log.warning("draft %s could not be marked as %s: %s", self.view.draft_id, state, error)
        self.runner.metrics.drafts.labels(state).inc()
        self.view = replace(self.view, state=state, problem=problem, event=None, seconds_left=None)
        return self.view

    def _move(self, state: DraftState, problem: Problem | None = None) -> None:
        with self.runner.store.write() as session:
            row = session.get(DraftRow, self.view.draft_id, with_for_update=True)
            if row is not None:
                draft_repo.move(row, state, problem)

    def _count_first_fact(self, event: Event) -> None:
        if not self.saw_fact and isinstance(event, CategoryEvent | AttributeEvent):
            self.saw_fact = True
            self.runner.metrics.first_fact_seconds.observe(time.monotonic() - self.joined)


def problem_of(error: Exception) -> Problem:
    """A failure for sellers: photos have a sentence of their own; the operator's, with addresses, is for the log."""
    from listing.backends.base import BackendError
    from listing.intake.photos import PhotoError

    if isinstance(error, PhotoError):
        return Problem(error.code, str(error))
    if isinstance(error, BackendError):
        log.error("a draft failed: %s", error)
        return NO_MODEL
    log.error("a draft failed", exc_info=error)
    return BROKEN


def step(view: DraftView, event: Event) -> DraftView:
    """The view after an event."""
    match event:
        case StageEvent(stage=stage, share=share):
            return replace(view, stage=stage, share=max(view.share, share))
        case CategoryEvent(category=category):
            return replace(view, category=category)
        case AttributeEvent(attribute=fact):
            others = (a for a in view.attributes if a.name != fact.name)
            return replace(view, attributes=(*others, fact))
        case QuestionEvent(question=question):
            rest = (q for q in view.questions if q.attribute != question.attribute)
            return replace(view, questions=(*rest, question))
        case TextEvent(field=field, text=text):
            if field in view.locked:  # the seller's own words stand there
                return view
            whole = text if event.replace else getattr(view, field) + text
            return replace(view, title=whole) if field == "title" else replace(view, description=whole)
    return view
