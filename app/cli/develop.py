"""``ipl test``: what is checked before a change goes in. It works on a copy of the repository and on nothing else."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from app.cli import CommandError
from app.setup.repository import repository

CHECKS = {
    "style": ("-m", "ruff", "check", "."),
    "format": ("-m", "ruff", "format", "--check", "."),
    "imports": ("-c", "import importlinter.cli as c; c.lint_imports_command()", "--no-cache"),
}
TYPES = ("-m", "mypy")
# All tests in processes that take one file after the other in the order of the folders: one more than two cores, since
# tests wait for servers and browsers a quarter of their time.
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")


def register_test(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ipl test``."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="fail when a test was left out although what it needs can be installed (Chromium, PostgreSQL, the model)",
    )
    parser.add_argument("--fast", action="store_true", help="only the tests without the mark slow")
    parser.add_argument("--nightly", action="store_true", help="the long forms and the tests that go by a clock, too")
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="only these tests, without the checks of style and types"
    )


def run_test(args: argparse.Namespace) -> int:
    """Run the checks, then the tests; all of them run, whichever fails. Exit status 1 when one failed."""
    from app.setup.prepare import prepare

    root = repository()
    if root is None:
        raise CommandError("'test' works on a copy of the repository, and this is an installed package.", 2)
    if importlib.util.find_spec("pytest") is None:
        raise CommandError("the packages of 'test' are missing: pip install -e '.[dev]' installs them.")
    prepare()
    options = {"--strict-left-out": args.strict, "--fast": args.fast, "--nightly": args.nightly}
    pytest = ("-m", "pytest", "-q", *(name for name, chosen in options.items() if chosen))
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    def run(name: str, arguments: Sequence[str]) -> int:
        started = time.monotonic()
        print(f"--- {name}: {' '.join(arguments[1:])}", flush=True)
        status = subprocess.run([sys.executable, *arguments], cwd=root, env=environment, check=False).returncode
        print(f"--- {name} {'FAILED' if status else 'passed'} after {time.monotonic() - started:.1f} s", flush=True)
        return status

    if args.paths:
        return int(run("tests", (*pytest, *args.paths)) != 0)
    # The types are checked beside the rest, where the tests leave a core idle.
    types = subprocess.Popen(["nice", "-n", "10", sys.executable, *TYPES], cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        jobs = {**CHECKS, "tests": (*pytest, *SIDE_BY_SIDE)}
        failed = [name for name, command in jobs.items() if run(name, command)]
        print(f"--- types: {types.communicate()[0]}", end="", flush=True)
    finally:
        types.kill()
    failed += ["types"] if types.returncode else []
    print(f"Failed: {', '.join(failed)}." if failed else "All passed.", flush=True)
    return int(bool(failed))
