"""CPU seconds of a draft by stage, with one thread and with two.

    python -m benchmarks.drafts.stage_cost [--photos 30] [--threads 1 2] [--data DIR]

Each number of threads is a process of its own that may use so many cores. Warm: one draft is written before the clock
starts. Photos: validation senders of clothing_cc0, spread evenly. Medians over the photos; CPU seconds count every
thread of the process, so that they hardly depend on what else the machine does. Memory: peak of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from listing.batch.workers import THREAD_VARIABLES
from listing.home import ipl_home

PARTS = ("intake", "mask", "towers", "model: category", "model: facts", "imagenet", "past listings", "print", "rest")
LOOKING = PARTS[1:-1]  # evidence and facts


class Meter:
    """CPU seconds by part; what is measured inside of another part counts for the inner one alone."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._open: list[float] = []

    def around(self, part: Callable[..., str], work: Callable[..., Any]) -> Callable[..., Any]:
        """``work``, measured; ``part`` says of its arguments what it counts for."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            self._open.append(0.0)
            try:
                return work(*args, **kwargs)
            finally:
                took = time.process_time() - began
                self.spent[part(*args, **kwargs)] += took - self._open.pop()
                if self._open:
                    self._open[-1] += took

        return measured


class Measured:
    """A part of the pipeline, some of whose methods are measured."""

    def __init__(self, inner: Any, **methods: Callable[..., Any]) -> None:
        self._inner = inner
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def measured_pipeline(meter: Meter) -> Any:
    """The pipeline of the home folder, each part on the meter."""
    from listing.pipeline import Pipeline
    from listing.pipeline_parts import build_parts

    def always(name: str) -> Callable[..., str]:
        return lambda *args, **kwargs: name

    def asked(image: Any, questions: Any) -> str:
        return "model: category" if [q.name for q in questions] == ["category"] else "model: facts"

    parts = build_parts(None, True, ipl_home())
    assert parts.eyes is not None
    parts.eyes.foreground.mask = meter.around(always("mask"), parts.eyes.foreground.mask)  # type: ignore[method-assign]
    changed: dict[str, Any] = {
        "backend": Measured(
            parts.backend,
            score=meter.around(asked, parts.backend.score),
            opinions=meter.around(always("towers"), parts.backend.opinions),
        ),
        "eyes": Measured(parts.eyes, look=meter.around(always("towers"), parts.eyes.look)),
        "router": Measured(parts.router, decide=meter.around(always("imagenet"), parts.router.decide)),
        "reader": Measured(parts.reader, read=meter.around(always("print"), parts.reader.read)),
    }
    if parts.similar is not None:
        find = meter.around(always("past listings"), parts.similar.find)
        changed["similar"] = Measured(parts.similar, find=find)
    return Pipeline(replace(parts, **changed))


def measure(count: int, data: Path) -> dict[str, Any]:
    """Medians by part, whole draft in CPU and in wall seconds, peak memory in GB."""
    import torch

    from listing.intake.photos import intake
    from listing.request import DraftRequest

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    meter = Meter()
    began = time.process_time()
    pipeline = measured_pipeline(meter)
    loaded = time.process_time() - began
    read = meter.around(lambda paths: "intake", intake)
    _, rows = split_rows(read_annotations(data))
    chosen = [rows[i * len(rows) // count]["image"] for i in range(count)]
    runs = []
    for path in [chosen[-1], *chosen]:
        meter.spent.clear()
        cpu, wall = time.process_time(), time.perf_counter()
        list(pipeline.run(DraftRequest(photos=read([path]))))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        rest = cpu - sum(meter.spent.values())
        runs.append({**dict.fromkeys(PARTS, 0.0), **meter.spent, "rest": rest, "whole": cpu, "wall": wall})
    runs = [{**run, "evidence and facts": sum(run[p] for p in LOOKING)} for run in runs[1:]]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    medians = {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}
    return {**medians, "loading": round(loaded, 2), "peak GB": round(peak, 2)}


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=30)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
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
