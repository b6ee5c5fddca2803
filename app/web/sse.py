"""Views of a draft over HTTP: server-sent events, or one answer at the end; a lost connection stops the draft."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import Request

from app.drafting.draft_run import DraftRun
from app.views import ENDED, AppError, DraftState, DraftView, as_displayed
from app.web.api_schemas import DraftBody


async def views(run: DraftRun) -> AsyncGenerator[DraftView, None]:
    """The views, each awaited in a thread. When the reader goes away, the work is stopped."""
    try:
        while (view := await run_sync(next, run, None)) is not None:
            yield view
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(run.close)


async def last_view(run: DraftRun, request: Request) -> DraftView:
    """The last view. When the caller hangs up, the draft is stopped (and nobody reads the AppError)."""
    last: DraftView | None = None
    async with aclosing(views(run)) as stream:
        async for view in stream:
            last = view
            if view.state not in ENDED and await request.is_disconnected():
                raise AppError("hung_up", "The connection was lost; the draft was stopped.", 499)
    assert last is not None
    return last


async def server_sent(run: DraftRun) -> AsyncIterator[str]:
    """Server-sent events: ``queued``, ``working`` (a tick), the pipeline's own kinds, then ``draft`` or ``error``."""
    try:
        async with aclosing(views(run)) as stream:
            async for view in stream:
                yield _message(view)
    except AppError as error:
        yield _frame("error", {"error": {"code": error.code, "message": str(error)}})


def _message(view: DraftView) -> str:
    if view.state == DraftState.READY:
        return _frame("draft", DraftBody.of(view).model_dump(mode="json"))
    if view.state in ENDED:
        problem = asdict(view.problem) if view.problem else {}
        return _frame("error", {"id": view.draft_id, "error": problem})
    if view.event is not None and view.event.kind == "category":
        event = view.event.model_copy(update={"category": as_displayed(view.event.category)})
        return _frame("category", event.model_dump(mode="json"))
    if view.event is not None:
        return _frame(view.event.kind, view.event.model_dump(mode="json"))
    progress = {name: getattr(view, name) for name in ("position", "share", "seconds_left")}
    return _frame(view.state, {"id": view.draft_id, **progress})


def _frame(event: str, data: dict[str, Any]) -> str:
    # JSON holds no raw line breaks, so that one data line is enough and nothing in a text can forge an event.
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
