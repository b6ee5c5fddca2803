"""Many rows through a Ray cluster: Ray Data, the model in a pool of actors, results in the order of the rows.

Ray is optional. A worker that is killed is started again by Ray and its rows are done again: their results do not
depend on who makes them, so that only time is lost. A row that kills whoever works on it is tried alone and then given
up, as in ``listing.batch.workers``.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import pickle
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any

from listing.batch.workers import THREAD_VARIABLES, Crash, PipelineFactory, RowT, Work
from listing.errors import IplError

MISSING = "The engine 'ray' needs the package ray: pip install -r requirements-ray.txt; --engine local needs nothing."
CHUNK = 4096  # rows of one run of the actor pool: the driver holds that many paths and notes, never the photos
MAX_BLOCKS = 1024  # Ray's bookkeeping grows with them; up to that many rows each row is a block of its own
RETRIES = 1  # of a block whose worker died; then the rows that were in flight are done one by one
IN_FLIGHT = 2  # blocks that an actor is given at a time
_STORE_BYTES = 256 << 20
_PLACE = "RAY_ADDRESS"
# Nothing is reported to Ray's makers; workers do not give way to everything else on the machine (Ray's default).
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_worker_niceness": "0"}


class RayMissing(IplError, RuntimeError):
    """Ray is not installed, or its cluster does not answer; the message says what to do."""


def ray_ordered(
    rows: Iterable[RowT], work: Work[RowT], factory: PipelineFactory, workers: int
) -> Iterator[tuple[RowT, Any]]:
    """(row, ``work(pipeline, row)``) for each row, in order, as ``listing.batch.workers.ordered`` gives them.

    ``workers`` is the number of actors, each with a pipeline of its own. The cluster is the one that ``RAY_ADDRESS``
    names, else one of this machine that ends with the run. Every machine has to see the photos under the same paths.
    RayMissing: Ray is not installed or cannot start.
    """
    started = _connect(workers)
    try:
        waiting = iter(rows)
        while chunk := list(itertools.islice(waiting, CHUNK)):
            yield from zip(chunk, _chunk(chunk, work, factory, workers), strict=True)
    finally:
        if started:
            disconnect()


def disconnect() -> None:
    """Leave the cluster. What Ray Data left in circles goes first: Ray ends a process in which it still runs."""
    import ray

    gc.collect()
    ray.shutdown()


def _connect(workers: int) -> bool:
    """True if a cluster had to be joined or started."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise RayMissing(MISSING) from error
    if ray.is_initialized():
        return False
    logging.getLogger("ray").setLevel(logging.ERROR)
    local: dict[str, Any] = {}
    if not os.environ.get(_PLACE):
        # "local": else Ray would join whatever cluster was started on this machine last.
        local = {"address": "local", "num_cpus": workers, "include_dashboard": False}
        local["object_store_memory"] = _STORE_BYTES
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **local)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = os.environ.get(_PLACE) or "this machine"
        raise RayMissing(f"Ray on {where} does not start or answer ({str(error)[:200]}); check {_PLACE}.") from error
    return True


class Worker:
    """An actor: makes its pipeline at its first row, hands back results or what stops the run."""

    def __init__(self, factory: bytes, work: bytes) -> None:
        for name in THREAD_VARIABLES:
            os.environ[name] = "1"
        self._factory, self._work = pickle.loads(factory), pickle.loads(work)
        self._pipeline: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Results of a batch of pickled rows, pickled: Arrow would make other types of what is in them."""
        return {"result": [self.one(row) for row in batch["row"]]}

    def one(self, row: bytes) -> bytes:
        """(result, None) or (None, what stops the run)."""
        try:
            self._pipeline = self._pipeline or self._factory()
            return pickle.dumps((self._work(self._pipeline, pickle.loads(row)), None))
        except Exception as error:
            return pickle.dumps((None, error))


def _chunk(rows: list[RowT], work: Work[RowT], factory: PipelineFactory, workers: int) -> Iterator[Any]:
    from ray.exceptions import RayError

    done = 0
    while done < len(rows):
        killed = False
        try:
            with closing(_through_pool(rows[done:], work, factory, workers)) as results:
                for result in results:
                    yield _opened(result)
                    done += 1
        except RayError:
            killed = True
        if killed:
            # Something in the rows that were in flight kills its worker: these are done one by one. The pool's actors
            # keep their cores until it is collected, which the error above would hinder.
            gc.collect()
            for result in _alone(rows[done : done + IN_FLIGHT * workers + 1], work, factory):
                yield result
                done += 1


def _opened(result: bytes) -> Any:
    draft_line, error = pickle.loads(result)
    if error is not None:
        raise error
    return draft_line


def _through_pool(rows: list[RowT], work: Work[RowT], factory: PipelineFactory, workers: int) -> Generator[bytes]:
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    items = [{"row": pickle.dumps(row)} for row in rows]
    gpus = ray.cluster_resources().get("GPU", 0)
    results = ray.data.from_items(items, override_num_blocks=min(len(items), MAX_BLOCKS)).map_batches(
        Worker,
        fn_constructor_args=(pickle.dumps(factory), pickle.dumps(work)),
        batch_size=None,
        batch_format="numpy",
        compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=IN_FLIGHT),
        num_gpus=min(1.0, gpus / workers) or None,
        ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": RETRIES},
    )
    for row in results.iter_rows():
        yield row["result"]


def _alone(rows: list[RowT], work: Work[RowT], factory: PipelineFactory) -> Iterator[Any]:
    """One after the other in one actor, a new one when it died; ``Crash`` for a row of which two died."""
    import ray
    from ray.exceptions import RayActorError

    make: Any = ray.remote(Worker).options(max_restarts=0)
    actor: Any = None
    try:
        for row in rows:
            result: Any = None
            for _ in range(2):
                actor = actor or make.remote(pickle.dumps(factory), pickle.dumps(work))
                try:
                    result = ray.get(actor.one.remote(pickle.dumps(row)))
                    break
                except RayActorError:
                    actor = None
            yield Crash() if result is None else _opened(result)
    finally:
        if actor is not None:
            ray.kill(actor)
