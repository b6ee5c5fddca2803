"""Seconds and CPU seconds a photo of ``ipl batch`` on the real model, once its first line is written.

    python -m benchmarks.drafts.batch_throughput [--photos 200] [--workers N] [--data DIR]

The real command in a process of its own, on photos of senders kept for validation, spread over them, one an item;
without ``--workers`` a process for each core. Prints one JSON line. CPU seconds are those of all its processes, which
other work on the machine hardly changes; whole seconds hold the loading of the model.
"""

from __future__ import annotations

import contextlib
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
from benchmarks.drafts.photos import CLOTHING, validation_photos

ROOT = Path(__file__).resolve().parents[2]


def cpu_seconds(top: int, of: dict[int, float]) -> float:
    """CPU seconds of a process and all below it, those that have ended as they were last seen (``of``)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(top)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                of[each.pid] = times.user + times.system
    return sum(of.values())


def run(source: Path, out: Path, options: list[str]) -> dict[str, Any]:
    """Figures of one run of the command."""
    command = [sys.executable, "-P", "-m", "app.cli", "batch", str(source), "-o", str(out), *options]
    began, first, last, lines = time.monotonic(), None, 0.0, 0
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    of: dict[int, float] = {}
    used = used_before = 0.0
    while process.poll() is None:
        time.sleep(0.2)
        written, used = (out.read_bytes().count(b"\n") if out.exists() else 0), cpu_seconds(process.pid, of)
        if written > lines:
            lines, last = written, time.monotonic()
            if first is None:
                first, used_before = (lines, last), used
    if process.returncode or first is None:
        raise SystemExit(f"ipl batch ended with {process.returncode}")
    rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    rest = max(1, lines - first[0])
    return {
        "photos": len(rows),
        "errors": sum("error" in row for row in rows),
        "whole_s": round(time.monotonic() - began, 1),
        "s_a_photo": round((last - first[1]) / rest, 2),
        "cpu_s_a_photo": round((used - used_before) / rest, 2),
    }


def main() -> None:
    parser = arguments(__doc__, photos=200, data=CLOTHING)
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        photos = validation_photos(args.photos, args.data)
        source.write_text("".join(json.dumps({"id": f"{n}", "photos": [p]}) + "\n" for n, p in enumerate(photos)))
        workers = ["--workers", str(args.workers)] if args.workers else []
        print(json.dumps(run(source, Path(folder) / "out.jsonl", workers)))


if __name__ == "__main__":
    main()
