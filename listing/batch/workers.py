"""Many rows through one or several pipelines, results in the order of the rows."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, TypeVar

from listing.backends.stopping import stop_when
from listing.request import DraftPipeline

PipelineFactory = Callable[[], DraftPipeline]
RowT = TypeVar("RowT")
Work = Callable[[DraftPipeline, RowT], Any]
AHEAD = 2  # rows in flight per worker: enough that none waits, few enough that memory stays flat
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Crash:
    """The process died on this row, twice, the second time alone."""


def ordered(
    rows: Iterable[RowT], work: Work[RowT], factory: PipelineFactory, workers: int
) -> Iterator[tuple[RowT, Any]]:
    """(row, ``work(pipeline, row)``) for each row, in order.

    With several workers, each is a process of its own with its own pipeline and one thread; a row whose process dies
    (a decoder's fault, the out-of-memory killer) is tried once more alone and then given up as ``Crash``.
    """
    if workers == 1:
        pipeline: DraftPipeline | None = None
        for row in rows:
            pipeline = pipeline or factory()
            yield row, work(pipeline, row)
        return
    yield from _parallel(iter(rows), work, factory, workers)


def at_once(rows: Iterable[RowT], work: Work[RowT], factory: PipelineFactory, count: int) -> Iterator[tuple[RowT, Any]]:
    """(row, ``work(pipeline, row)``) for each row, in order: ``count`` rows at the same time in one pipeline's threads.

    For a model behind a server, which computes elsewhere.
    """
    waiting = iter(rows)
    flying: deque[tuple[RowT, Future[Any]]] = deque()
    over = threading.Event()
    pool = ThreadPoolExecutor(count, initializer=stop_when, initargs=(over.is_set,))  # whoever ends early hangs up
    try:
        pipeline: DraftPipeline | None = None
        while True:
            while len(flying) < count * AHEAD and (row := next(waiting, None)) is not None:
                pipeline = pipeline or factory()
                flying.append((row, pool.submit(work, pipeline, row)))
            if not flying:
                return
            done, future = flying.popleft()
            yield done, future.result()
    finally:
        over.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _parallel(
    rows: Iterator[RowT], work: Work[RowT], factory: PipelineFactory, workers: int
) -> Iterator[tuple[RowT, Any]]:
    flying: deque[tuple[RowT, Future[Any]]] = deque()
    pool = _pool(factory, workers)
    try:
        while True:
            while len(flying) < workers * AHEAD and (row := next(rows, None)) is not None:
                flying.append((row, _submit(pool, work, row)))
            if not flying:
                return
            row, future = flying.popleft()
            try:
                result = future.result()
            except BrokenProcessPool:
                pool.shutdown(wait=True, cancel_futures=True)
                result = _alone(row, work, factory)
                pool = _pool(factory, workers)
                flying = deque((waiting, _submit(pool, work, waiting)) for waiting, _ in flying)
            yield row, result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, work: Work[RowT], row: RowT) -> Future[Any]:
    """The future result; a pool that broke a moment ago shows in the future, as everywhere else."""
    try:
        return pool.submit(_call, work, row)
    except BrokenProcessPool as error:
        broken: Future[Any] = Future()
        broken.set_exception(error)
        return broken


def _alone(row: RowT, work: Work[RowT], factory: PipelineFactory) -> Any:
    with _pool(factory, 1) as pool, suppress(BrokenProcessPool):
        return pool.submit(_call, work, row).result()
    return Crash()


def _pool(factory: PipelineFactory, workers: int) -> ProcessPoolExecutor:
    # spawn: a forked copy of a process that has used torch or onnxruntime may hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(factory,))


_worker: dict[str, Any] = {}  # of a worker process: its factory and, once a row needed it, its pipeline


def _start(factory: PipelineFactory) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it as well and ends the run
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker["factory"] = factory


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for rows for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _call(work: Work[RowT], row: RowT) -> Any:
    # Made here and not in the initializer, whose exceptions the pool would swallow.
    if "pipeline" not in _worker:
        _worker["pipeline"] = _worker["factory"]()
    return work(_worker["pipeline"], row)
