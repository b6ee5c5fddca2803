"""CPU seconds of a draft by what computes, with one thread and with two.

    python -m benchmarks.drafts.stage_cost [--photos 30] [--threads 1 2] [--data DIR]

Each number of threads is a process of its own that may use so many cores. Warm: one draft is written before the clock
starts. Photos: validation senders of clothing_cc0, spread evenly. Medians over the photos; CPU seconds count every
thread of the process, so that they hardly depend on what else the machine does. Rows are the sources by their names
in ``listing.pipeline_parts``, and mask and print, which several of them read. Memory: peak of the process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, peak_gb
from benchmarks.drafts.photos import CLOTHING, validation_photos
from listing.batch.workers import THREAD_VARIABLES
from listing.home import ipl_home
from listing.shops.shop import Words


class Meter:
    """CPU seconds by part; what is measured inside of another part counts for the inner one alone."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._open: list[float] = []

    def around(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """``work``, measured; what it yields is gathered first."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            self._open.append(0.0)
            try:
                result = work(*args, **kwargs)
                return list(result) if hasattr(result, "__next__") else result
            finally:
                took = time.process_time() - began
                self.spent[part] += took - self._open.pop()
                if self._open:
                    self._open[-1] += took

        return measured


class Measured:
    """A part of the pipeline with one method on the meter."""

    def __init__(self, inner: Any, meter: Meter, part: str, method: str) -> None:
        self._inner = inner
        setattr(self, method, meter.around(part, getattr(inner, method)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def measure(count: int, data: Path) -> dict[str, Any]:
    """Medians by part, whole draft in CPU and in wall seconds, peak memory in GB."""
    import torch

    from listing.intake.photos import intake
    from listing.observe.networks.foreground import Foreground
    from listing.pipeline import Pipeline
    from listing.pipeline_parts import build_parts
    from listing.request import DraftRequest

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    meter, began = Meter(), time.process_time()
    parts = build_parts(None, True, ipl_home(), words=Words.of(None))
    loading = time.process_time() - began
    Foreground.mask = meter.around("mask", Foreground.mask)  # type: ignore[method-assign]
    sources: list[Any] = [Measured(source, meter, source.name, "observe") for source in parts.sources]
    reader: Any = Measured(parts.reader, meter, "print", "read")
    pipeline, read = Pipeline(replace(parts, sources=sources, reader=reader)), meter.around("intake", intake)
    photos, runs = validation_photos(count, data), []
    for path in [photos[-1], *photos]:
        meter.spent.clear()
        cpu, wall = time.process_time(), time.perf_counter()
        list(pipeline.run(DraftRequest(photos=read([path]))))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        runs.append({**meter.spent, "rest": cpu - sum(meter.spent.values()), "whole": cpu, "wall": wall})
    names = dict.fromkeys(name for run in runs[1:] for name in run)
    medians = {name: round(statistics.median(run.get(name, 0.0) for run in runs[1:]), 3) for name in names}
    return {**medians, "loading": round(loading, 2), "peak GB": peak_gb()}


def in_process(threads: int, count: int, data: Path) -> dict[str, Any]:
    """``measure`` in a process that may use so many cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.drafts.stage_cost", "--measure", f"--photos={count}", f"--data={data}"],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(len(cores)))},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return dict(json.loads(process.stdout.splitlines()[-1]))


def main() -> None:
    parser = arguments(__doc__, photos=30, data=CLOTHING)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--measure", action="store_true", help="this process alone, as one JSON line")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.photos, args.data)))
        return
    runs = {n: in_process(n, args.photos, args.data) for n in args.threads}
    print("  ".join([f"{'CPU seconds':20}", *(f"{f'{n} threads':>9}" for n in runs)]))
    for name in next(iter(runs.values())):
        print("  ".join([f"{name:20}", *(f"{run[name]:>9.3f}" for run in runs.values())]))


if __name__ == "__main__":
    main()
