"""How fast DIN trains and scores, beside torch-rechub and DeepCTR-Torch: same rows, same sizes, same machine, one run.

Install the peers into an environment of its own (``pip install -r requirements.txt -r requirements-bench.txt``), then
``python -m benchmarks.recommend.din_throughput [--rows N] [--threads N] [--repeats N] [--only CASE ...]``. Every fit is
one pass of a fresh model in a process of its own, cases in turn, so that a change of the machine's load meets all of
them. The table gives the median and the range of samples a second of CPU (compare these on a shared machine), the
median a second of wall time, and how many candidates a CPU second scores in requests of 500 after training. The AUC
shows that all learned something; between libraries it is not comparable, since they start from other scales
(``benchmarks/recommend/din_parity.py`` starts them alike). "Padded" is our own DIN on padded histories, with the
weights and batches of the ragged one: their AUCs must agree to four digits, or the exit status is 1.
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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.recommend.peers.workload import Workload, make

CANDIDATES = 500  # of a request
SCORING_S = 1.0  # CPU seconds for which requests are scored


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        adapter: the adapter's class.
        distribution: whose version is stated.
        beside: the case with which its speed is compared; empty: itself.
        work: changes of the workload.
    """

    adapter: str
    distribution: str = ""
    beside: str = "ours"
    work: dict[str, Any] = field(default_factory=dict)


OURS, SPARSE, PADDED = (
    "benchmarks.recommend.peers.ours:Din",
    "benchmarks.recommend.peers.ours:SparseDin",
    "benchmarks.recommend.peers.padded:Din",
)
DEEPCTR, RECHUB = "benchmarks.recommend.peers.deepctr:Din", "benchmarks.recommend.peers.rechub:Din"
FULL, MILLION = {"full": True}, {"items": 1_000_000}
CASES = {
    "ours": Case(OURS),
    "ours, padded": Case(PADDED),
    "ours, sparse gradients": Case(SPARSE),
    "deepctr-torch": Case(DEEPCTR, "deepctr-torch"),
    "torch-rechub": Case(RECHUB, "torch-rechub"),
    "ours, full histories": Case(OURS, beside="ours, full histories", work=FULL),
    "ours, padded, full histories": Case(PADDED, beside="ours, full histories", work=FULL),
    "deepctr-torch, full histories": Case(DEEPCTR, "deepctr-torch", "ours, full histories", FULL),
    "ours, 1 M items": Case(OURS, beside="ours, 1 M items", work=MILLION),
    "ours, 1 M items, sparse gradients": Case(SPARSE, beside="ours, 1 M items", work=MILLION),
    "deepctr-torch, 1 M items": Case(DEEPCTR, "deepctr-torch", "ours, 1 M items", MILLION),
}
PAIRS = (("ours", "ours, padded"), ("ours, full histories", "ours, padded, full histories"))


def fit_once(name: str, rows: int, threads: int) -> dict[str, float | str]:
    """Train one fresh model for one pass; runs in a process of its own."""
    from importlib.metadata import version

    import torch
    from sklearn.metrics import roc_auc_score

    case = CASES[name]
    work = replace(Workload(rows=rows), **case.work)
    torch.set_num_threads(threads)
    torch.manual_seed(work.seed)
    module, cls = case.adapter.split(":")
    build = getattr(importlib.import_module(module), cls)
    few = replace(work, rows=3 * work.batch_rows)
    build(few, make(few)[0]).fit()  # imports and first calls stay outside the clock, for every library
    learn, test = make(work)
    model = build(work, learn)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    auc = float(roc_auc_score(test.click, model.predict(test)))
    request, scored, began = test.cut(0, CANDIDATES), 0, time.process_time()
    while time.process_time() - began < SCORING_S:
        model.predict(request)
        scored += CANDIDATES
    return {
        "case": name,
        "version": version(case.distribution) if case.distribution else "",
        "per_cpu_s": len(learn.click) / cpu,
        "per_s": len(learn.click) / wall,
        "scored": scored / (time.process_time() - began),
        "auc": auc,
        "torch": torch.__version__,
    }


def child(name: str, options: argparse.Namespace) -> dict[str, float | str]:
    """``fit_once`` in a fresh process, limited to the wanted threads."""
    limits = {n: str(options.threads) for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    arguments = ["--rows", options.rows, "--threads", options.threads, "--one", name]
    command = [sys.executable, "-m", "benchmarks.recommend.din_throughput", *map(str, arguments)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, env={**os.environ, **limits}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: Sequence[float]) -> str:
    """Median (lowest to highest)."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def main() -> int:
    """Print a Markdown table; whether ragged and padded agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=Workload.rows)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(fit_once(options.one, options.rows, options.threads)))
        return 0
    runs: dict[str, list[dict]] = {name: [] for name in options.only}
    for _ in range(options.repeats):
        for name in options.only:
            runs[name].append(child(name, options))
            print(json.dumps(runs[name][-1]), file=sys.stderr, flush=True)
    middle = {
        n: {k: statistics.median(r[k] for r in f) for k in ("per_cpu_s", "per_s", "scored", "auc")}
        for n, f in runs.items()
    }
    print("| case | samples per CPU second | samples per second | ours / this | scored per CPU second | AUC |")
    print("|---|---|---|---|---|---|")
    for name, found in runs.items():
        m, beside = middle[name], CASES[name].beside
        ratio = f"{middle[beside]['per_cpu_s'] / m['per_cpu_s']:.2f}" if beside in middle and beside != name else ""
        title = f"{name} ({found[0]['version']})" if found[0]["version"] else name
        per_cpu = spread([r["per_cpu_s"] for r in found])
        print(f"| {title} | {per_cpu} | {m['per_s']:,.0f} | {ratio} | {m['scored']:,.0f} | {m['auc']:.4f} |")
    some = next(iter(runs.values()))[0]
    print(
        f"\n{options.rows:,} rows (a tenth of them for the test), {Workload.items:,} items unless stated, batch "
        f"{Workload.batch_rows}, {options.threads} thread(s), {options.repeats} fits each; torch {some['torch']}, "
        f"Python {platform.python_version()}, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    )
    apart = [p for p in PAIRS if all(n in middle for n in p) and abs(middle[p[0]]["auc"] - middle[p[1]]["auc"]) >= 5e-5]
    for ragged, padded in apart:
        print(f"{ragged} and {padded} differ: {middle[ragged]['auc']:.6f} and {middle[padded]['auc']:.6f}")
    return int(bool(apart))


if __name__ == "__main__":
    sys.exit(main())
