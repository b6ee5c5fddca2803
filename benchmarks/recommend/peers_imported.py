"""DNN and DIN beside FuxiCTR and DeepCTR-Torch on logs that our importer made: AUC and training speed.

In an environment of its own (``pip install -r requirements.txt -r requirements-bench.txt``):
``python -m benchmarks.recommend.peers_imported LOG ... [--seeds N] [--rows N]``, LOG being what
``./ipl recommend import`` wrote. Every library gets the same rows in the same order (drawn by the seed), the same split
by days, tables, matches and counts (made by our encoders), widths, ReLU, batch normalisation, Adam, rate, batch and one
pass; ours are ragged, theirs padded. Our
first weights are copied into theirs, and what both predict before training is compared. Each trains by its own loop and
loader on one thread. The clock is this process's CPU time of training alone; the order of libraries turns with the
seed, and ratios are of the same seed. Differences of AUC come with a 95 % t-interval over the seeds.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import statistics
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import arguments, markdown
from benchmarks.recommend.peers import deepctr, fuxi, ours
from benchmarks.recommend.peers.workload import Settings, Task, read, start_alike
from recommend.data.ragged import Ragged, slice_batch
from recommend.data.schema import table_files
from recommend.metrics.ranks import auc
from recommend.research.studies.statistics import t_interval

ARMS: dict[str, Any] = {"ours": ours.Model, "fuxictr": fuxi.Model, "deepctr-torch": deepctr.Model}
ALLOWED = 0.005
Figures = dict[str, dict[str, float]]


def measure(task: Task, kind: str, names: list[str]) -> Figures:
    """Figures of each library: AUC, rows a CPU second, and how far its first predictions lie from this package's."""
    turn = task.seed % len(names)
    few, source = slice_batch(task.test, 0, 1024), ours.Model(task, kind)
    first, figures = source.predict(few), {}
    for name in names[turn:] + names[:turn]:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            ARMS[name](task.few(), kind).fit()  # first calls stay outside the clock
            model = ARMS[name](task, kind)
            if not isinstance(model, ours.Model):
                start_alike(model.net, source.net, task)
            before = float(np.abs(model.predict(few) - first).max())
            cpu = time.process_time()
            model.fit()
            cpu = time.process_time() - cpu
            after = model.predict(task.test)
        figures[name] = {
            "auc": auc(task.click(task.test), after),
            "speed": len(task.click(task.learn)) / cpu,
            "before": before,
        }
    return figures


def with_interval(differences: list[float]) -> str:
    """Mean and 95 % t-interval; whether it lies within what is allowed."""
    mean, low, high = t_interval(differences)
    wide = "" if max(-low, high) < ALLOWED else f", not within {ALLOWED}"
    return f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]{wide}"


def spread(values: list[float], digits: int) -> str:
    """Median (lowest to highest)."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def table(runs: list[Figures]) -> str:
    """A line a library."""
    lines = []
    for name in ARMS:
        rows, mine = [r[name] for r in runs], [r["ours"] for r in runs]
        gaps = [m["auc"] - r["auc"] for m, r in zip(mine, rows, strict=True)]
        ratios = [m["speed"] / r["speed"] for m, r in zip(mine, rows, strict=True)]
        aucs, before = " ".join(f"{r['auc']:.4f}" for r in rows), max(r["before"] for r in rows)
        speeds = spread([r["speed"] for r in rows], 0)
        lines.append((name, aucs, with_interval(gaps), f"{before:.0e}", speeds, spread(ratios, 1)))
    head = ("library", "AUC by seed", "ours - this", "before training", "rows per CPU second", "ours / this")
    return markdown(head, lines)


def main() -> int:
    """Print a Markdown table for each log and model."""
    parser = arguments(__doc__, seeds=5, rows=50_000, test_rows=10_000, longest=Settings.longest)
    parser.add_argument("logs", type=Path, nargs="+", metavar="LOG")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = replace(Settings(), longest=options.longest)
    for log in options.logs:
        days = max(1, len({f.parent for f in table_files(log, "impression")}) // 5)
        runs: dict[str, list[Figures]] = {"dnn": [], "din": []}
        for seed in range(options.seeds):
            task = read(log, seed, (options.rows, options.test_rows), days, settings)
            for kind, runs_of_kind in runs.items():
                runs_of_kind.append(measure(task, kind, list(ARMS)))
                print(log.name, seed, kind, runs_of_kind[-1], file=sys.stderr, flush=True)
        lengths = next(c for c in task.learn.values() if isinstance(c, Ragged)).lengths
        for kind, runs_of_kind in runs.items():
            print(f"\n{log.name}, {kind}: {len(lengths):,} rows, histories of {lengths.float().mean():.1f}, tables "
                  f"{task.sizes}\n")  # fmt: skip
            print(table(runs_of_kind), flush=True)
    versions = ", ".join(f"{n} {version(n)}" for n in (*ARMS, "torch") if n != "ours")
    print(f"\n{settings}; {versions}; Python {platform.python_version()}, "
          f"{platform.machine()}, {os.cpu_count()} cores, 1 thread, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
