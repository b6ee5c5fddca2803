"""Seconds and CPU seconds a photo of ``ipl batch`` on the real model, once its first line is written.

    python -m benchmarks.drafts.batch_throughput [--photos 200] [--workers N] [--data DIR]
        [--stand-in stand_in_model.py] [--concurrency 8]

The real command in a process of its own, on photos of senders kept for validation, spread over them, one an item;
without ``--workers`` a process for each core. Prints one JSON line. CPU seconds are those of all its processes, which
other work on the machine hardly changes; whole seconds hold the loading of the model. --stand-in: a second line, of the
model of that server, whose own work is not counted, with requests and tokens (four letters each, a photo 256) a draft.
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
from benchmarks.drafts.stand_in import PORT, stand_in

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
    parser.add_argument("--concurrency", default="8")
    parser.add_argument("--stand-in", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        photos = validation_photos(args.photos, args.data)
        source.write_text("".join(json.dumps({"id": f"{n}", "photos": [p]}) + "\n" for n, p in enumerate(photos)))
        workers = ["--workers", str(args.workers)] if args.workers else []
        print(json.dumps(run(source, Path(folder) / "out.jsonl", workers)), flush=True)
        if args.stand_in:
            print(json.dumps(through(args.stand_in, photos, source, args.concurrency)))


def through(program: Path, photos: list[str], source: Path, concurrency: str) -> dict[str, Any]:
    """Figures of the command with a server's model."""
    own, log = source.with_name("photos"), source.with_name("log")
    own.mkdir()
    for photo in photos:
        (own / Path(photo).name).symlink_to(photo)
    with stand_in(program, own, log, "--right=0.8"):
        options = ["--model", f"http://127.0.0.1:{PORT}/v1", "--concurrency", concurrency]
        figures = run(source, source.with_name("server.jsonl"), options)
    asked = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    letters = [(len(a["prompt"]), len(a["reply"])) for a in asked]
    return figures | {
        "requests_a_draft": round(len(asked) / len(photos), 2),
        "tokens_in_a_draft": round(sum(said // 4 + 257 for said, _ in letters) / len(photos)),
        "tokens_out_a_draft": round(sum(said // 4 for _, said in letters) / len(photos)),
    }


if __name__ == "__main__":
    main()
