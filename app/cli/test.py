"""``ipl test``: style, types and behaviour of this code, in one command."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "finetune", "listing", "rag_index", "recommend")
CHECKS = (
    ("style", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy", *PACKAGES)),
)


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="fail when a test was left out although what it needs can be installed (Chromium, PostgreSQL, the model)",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="only these tests, without the checks of style and types"
    )


def run(args: argparse.Namespace) -> int:
    """Run the checks, then the tests; all of them run, whichever fails. Exit status 1 when one failed."""
    strict = ("--strict-left-out",) if args.strict else ()
    tests = ("pytest", "-q", *strict, *(args.paths or ["tests"]))
    jobs = (*(() if args.paths else CHECKS), ("tests", tests))
    outcomes = [(name, *_job(name, command)) for name, command in jobs]
    print(flush=True)
    for name, status, seconds in outcomes:
        print(f"{name:<8} {'passed' if status == 0 else 'FAILED'}  {seconds:6.1f} s")
    return int(any(status for _, status, _ in outcomes))


def _job(name: str, command: tuple[str, ...]) -> tuple[int, float]:
    """(exit status, seconds) of a tool of this environment, run in this folder."""
    print(f"--- {name}: {' '.join(command)}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    status = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, check=False).returncode
    return status, time.monotonic() - started
