"""A small HTTP scorer: rows in, probabilities out; requests that wait for the model are scored together.

``POST /score`` takes ``{"rows": [{column: value, ...}, ...]}`` with the columns that the model reads, as in the log on
which it was trained (texts as they stood in the files), and gives ``{"scores": [{"p_TASK": p, ...}, ...]}``. ``GET
/healthz`` says which model answers, and what it reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from recommend.data.parquet import DataError
from recommend.data.ragged import Column, concat_batches
from recommend.serving.scorer import Scorer

MOST_BYTES = 8 * 2**20  # of a request
MOST_ROWS = 4_096  # of a request, and of what is scored at once
MOST_WAITING = 256  # requests; one more is asked to come again
WAIT_S = 0.002  # for others that may join a batch


@dataclass(frozen=True)
class Asked:
    """A request that waits.

    Attributes:
        answer: gets the scores, one mapping a row.
    """

    columns: dict[str, Column]
    rows: int
    answer: asyncio.Future[list[dict[str, float]]]


def application(scorer: Scorer) -> FastAPI:
    """The server around a scorer."""
    waiting: asyncio.Queue[Asked] = asyncio.Queue(MOST_WAITING)
    room = asyncio.Semaphore(MOST_WAITING)  # from a request's first byte to its answer

    @contextlib.asynccontextmanager
    async def working(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_work(scorer, waiting))
        yield
        task.cancel()

    app = FastAPI(title="scorer", lifespan=working, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    async def health() -> dict[str, Any]:
        columns = [f.column for f in scorer.features.features]
        return {"model": scorer.run.model.name, "reads": columns, "device": scorer.device}

    @app.post("/score")
    async def score(request: Request) -> JSONResponse:
        if room.locked():
            return JSONResponse({"error": "too many requests wait; come again."}, 503, {"Retry-After": "1"})
        async with room:
            return await scored(request)

    async def scored(request: Request) -> JSONResponse:
        try:
            rows = await _rows(request)
            columns = await asyncio.to_thread(scorer.batch, rows)
        except DataError as error:
            return JSONResponse({"error": str(error)}, 400)
        answer: asyncio.Future[list[dict[str, float]]] = asyncio.get_running_loop().create_future()
        waiting.put_nowait(Asked(columns, len(rows), answer))  # there is room for as many as are let in
        try:
            return JSONResponse({"scores": await answer})
        except Exception:  # of the model; the server goes on
            logging.getLogger(__name__).exception("the model failed")
            return JSONResponse({"error": "the model failed on these rows."}, 500)

    return app


async def _rows(request: Request) -> list[Mapping[str, Any]]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise DataError(f"a request holds at most {MOST_BYTES // 2**20} MiB.")
    try:
        rows = json.loads(body)["rows"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError('send {"rows": [{column: value, ...}, ...]} as JSON.') from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError('"rows" must be a list of {column: value, ...}.')
    if not 0 < len(rows) <= MOST_ROWS:
        raise DataError(f"a request holds 1 to {MOST_ROWS} rows.")
    return rows


async def _work(scorer: Scorer, waiting: asyncio.Queue[Asked]) -> None:
    """Score what waits, as many requests at once as fit."""
    held: Asked | None = None
    while True:
        together = [held or await waiting.get()]
        held = None
        if waiting.empty():
            await asyncio.sleep(WAIT_S)
        while not waiting.empty():
            held = waiting.get_nowait()
            if sum(a.rows for a in together) + held.rows > MOST_ROWS:
                break
            together.append(held)
            held = None
        try:
            scores = await asyncio.to_thread(scorer, concat_batches([a.columns for a in together]))
        except Exception as error:  # one bad batch must not end the server
            for asked in together:
                if not asked.answer.done():
                    asked.answer.set_exception(error)
            continue
        at = 0
        for asked in together:
            if not asked.answer.done():
                part = {f"p_{name}": p[at : at + asked.rows].tolist() for name, p in scores.items()}
                asked.answer.set_result([dict(zip(part, row, strict=True)) for row in zip(*part.values(), strict=True)])
            at += asked.rows
