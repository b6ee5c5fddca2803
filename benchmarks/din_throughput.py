"""How fast DIN trains, beside torch-rechub and DeepCTR-Torch: same rows, same sizes, same machine, one run.

Install the peers into an environment of its own (``pip install -r requirements.txt -r requirements-bench.txt``), then
``python -m benchmarks.din_throughput [--rows N] [--items N] [--threads N] [--repeats N]``. Every fit is one pass of a
fresh model in a process of its own, libraries in turn, so that a change of the machine's load meets all of them. The
table gives the median and the range of samples a second of CPU (compare these on a shared machine) and of wall time;
the AUC shows that all learned something, and is not comparable: the libraries start from other scales.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.peers.workload import Workload, make


@dataclass(frozen=True)
class Library:
    """A row of the table: the adapter's class and the distribution whose version is stated."""

    adapter: str
    distribution: str = ""


LIBRARIES = {
    "ours": Library("benchmarks.peers.ours:Din"),
    "ours, sparse gradients": Library("benchmarks.peers.ours:SparseDin"),
    "deepctr-torch": Library("benchmarks.peers.deepctr:Din", "deepctr-torch"),
    "torch-rechub": Library("benchmarks.peers.rechub:Din", "torch-rechub"),
}


def fit_once(name: str, work: Workload, threads: int) -> dict[str, float | str]:
    """Train one fresh model for one pass; runs in a process of its own."""
    from importlib.metadata import version

    import torch
    from sklearn.metrics import roc_auc_score

    torch.set_num_threads(threads)
    torch.manual_seed(work.seed)
    module, cls = LIBRARIES[name].adapter.split(":")
    build = getattr(importlib.import_module(module), cls)
    few = replace(work, rows=3 * work.batch_rows)
    build(few, make(few)[0]).fit()  # imports and first calls stay outside the clock, for every library
    learn, test = make(work)
    model = build(work, learn)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "library": name,
        "version": version(LIBRARIES[name].distribution) if LIBRARIES[name].distribution else "",
        "per_cpu_s": len(learn.click) / cpu,
        "per_s": len(learn.click) / wall,
        "auc": float(roc_auc_score(test.click, model.predict(test))),
        "torch": torch.__version__,
    }


def child(name: str, options: argparse.Namespace) -> dict[str, float | str]:
    """``fit_once`` in a fresh process, limited to the wanted threads."""
    limits = {n: str(options.threads) for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    arguments = ["--rows", options.rows, "--items", options.items, "--threads", options.threads, "--one", name]
    command = [sys.executable, "-m", "benchmarks.din_throughput", *map(str, arguments)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, env={**os.environ, **limits}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: Sequence[float]) -> str:
    """Median (lowest to highest)."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=Workload.rows)
    parser.add_argument("--items", type=int, default=Workload.items)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--one", choices=LIBRARIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(fit_once(options.one, Workload(rows=options.rows, items=options.items), options.threads)))
        return
    runs: dict[str, list[dict]] = {name: [] for name in options.only}
    for _ in range(options.repeats):
        for name in options.only:
            runs[name].append(child(name, options))
    ours = statistics.median(r["per_cpu_s"] for r in next(iter(runs.values())))
    print("| library | samples per CPU second | samples per second | first row / this | AUC after one pass |")
    print("|---|---|---|---|---|")
    for name, found in runs.items():
        per_cpu, wall = ([r[key] for r in found] for key in ("per_cpu_s", "per_s"))
        auc = statistics.median(r["auc"] for r in found)
        ratio = ours / statistics.median(per_cpu)
        print(f"| {name} {found[0]['version']} | {spread(per_cpu)} | {spread(wall)} | {ratio:.2f} | {auc:.4f} |")
    some = next(iter(runs.values()))[0]
    print(
        f"\n{options.rows:,} rows (a tenth of them for the test), {options.items:,} items, batch "
        f"{Workload.batch_rows}, {options.threads} thread(s), {options.repeats} fits each; torch {some['torch']}, "
        f"Python {platform.python_version()}, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
