"""Seconds a photo of ``ipl batch`` on the real model: one process, as it comes, Ray, and Ray with a worker killed.

    python -m benchmarks.drafts.batch_throughput [--photos 500] [--workers 2] [--data DIR] [--only one usual ray killed]

``one``: a single process; ``usual``: no option, so a process for each core.

Every run is the real command in a process of its own, on the same photos (one an item; senders kept for validation
first, then the others). The outputs have to be the same to the byte, else the exit status is 1. Prints a JSON line for
each run: whole seconds with the loading of the model, seconds a photo from the first line of the output on, and CPU
seconds a photo of all its processes from then on, which other work on the machine hardly changes.
"""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common import arguments
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows

ROOT = Path(__file__).resolve().parents[2]
RUNS = ("one", "usual", "ray", "killed")


def write_input(data: Path, photos: int, file: Path) -> None:
    """A JSONL with ``photos`` items of one photo each, spread over the senders."""
    training, validation = split_rows(read_annotations(data))
    rows = [*validation, *training] if photos > len(validation) else validation
    if photos > len(rows):
        raise SystemExit(f"{data} holds {len(rows)} photos; ask for fewer with --photos.")
    chosen = rows[:photos] if rows is not validation else [rows[i * len(rows) // photos] for i in range(photos)]
    lines = [json.dumps({"id": f"item {n}", "photos": [row["image"]]}) for n, row in enumerate(chosen)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(source: Path, out: Path, options: list[str], kill_at: int | None, log: Path) -> dict[str, Any]:
    """One run of the command; at line ``kill_at`` of the output the largest Ray worker gets SIGKILL."""
    command = [sys.executable, "-P", "-m", "app.cli", "batch", str(source), "-o", str(out), *options]
    began, arrived, killed = time.monotonic(), [], None
    with log.open("wb") as file:
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=file)
        used = Used(process.pid)
        while process.poll() is None:
            time.sleep(0.2)
            lines = out.read_bytes().count(b"\n") if out.exists() else 0
            arrived += [time.monotonic()] * (lines - len(arrived))
            used.look(first_line=lines > 0)
            if kill_at is not None and killed is None and lines >= kill_at:
                killed = kill_a_worker(process.pid)
    whole = time.monotonic() - began
    if process.returncode != 0:
        raise SystemExit(f"ipl batch ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
    rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    steady = (arrived[-1] - arrived[0]) / max(1, len(arrived) - 1) if arrived else float("nan")
    return {
        "photos": len(rows),
        "errors": sum("error" in row for row in rows),
        "whole_s": round(whole, 1),
        "s_a_photo": round(steady, 2),
        "cpu_s_a_photo": round(used.since_first / max(1, len(rows) - 1), 2),
        "cpu_s": round(used.all),
        "killed": killed,
    }


class Used:
    """CPU seconds of a process and all below it, those that have ended included as they were last seen."""

    def __init__(self, pid: int) -> None:
        self.top = psutil.Process(pid)
        self._of: dict[int, float] = {}
        self._before: float | None = None

    @property
    def all(self) -> float:
        return sum(self._of.values())

    @property
    def since_first(self) -> float:
        return self.all - (self._before or 0.0)

    def look(self, first_line: bool) -> None:
        """Called often; ``first_line``: whether the output has begun."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in (self.top, *self.top.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self._of[process.pid] = times.user + times.system
        if first_line and self._before is None:
            self._before = self.all


def kill_a_worker(driver: int) -> str:
    """SIGKILL for the Ray worker that holds most memory, which has a model; returns its name."""
    workers = [p for p in psutil.Process(driver).children(recursive=True) if p.name().startswith("ray::")]
    largest = max(workers, key=lambda p: p.memory_info().rss)
    name = f"{largest.name()}, {largest.memory_info().rss >> 20} MB"
    largest.kill()
    return name


def main() -> int:
    """Run them one after the other and compare; returns the exit status."""
    parser = arguments(__doc__, photos=500, data=data_root() / "clothing_cc0")
    parser.add_argument("--workers", type=int, default=2, help="Ray actors (default: 2)")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=RUNS, help="which runs, the first is compared with")
    args = parser.parse_args()
    ray = ["--engine", "ray", "--workers", str(args.workers)]
    options = {"one": ["--workers", "1"], "usual": [], "ray": ray, "killed": ray}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_input(args.data, args.photos, work / "in.jsonl")
        same = True
        for name in args.only:
            kill_at = args.photos // 2 if name == "killed" else None
            figures = run(work / "in.jsonl", work / f"{name}.jsonl", options[name], kill_at, work / "log")
            figures["same_bytes"] = filecmp.cmp(work / f"{args.only[0]}.jsonl", work / f"{name}.jsonl", shallow=False)
            same &= figures["same_bytes"]
            print(json.dumps({"run": name, "options": options[name], **figures}), flush=True)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
