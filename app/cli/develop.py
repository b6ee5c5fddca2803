"""``ipl test`` and ``ipl docs``: what is checked before a change goes in, and the documentation as a site.

Both work on a copy of the repository and on nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app.cli import CommandError
from app.setup.repository import ROOT, repository

PACKAGES = ("app", "finetune", "listing", "rag_index", "recommend")
CHECKS = (
    ("style", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("types", ("-m", "mypy", *PACKAGES)),
    ("imports", ("-c", "import importlinter.cli as c; c.lint_imports_command()", "--no-cache")),
)
# The tests run in two processes side by side: these folders in the first, everything else in the second.
FIRST_HALF = tuple(f"tests/app/{room}" for room in ("accounts", "drafting", "kills", "seller", "store", "web"))
STOP_SECONDS = 20

Outcome = tuple[str, int, float]
"""Name, exit status, seconds."""


# ---------------------------------------------------------------------------------------------------------- ipl test


def register_test(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ipl test``."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="fail when a test was left out although what it needs can be installed (Chromium, PostgreSQL, the model)",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="only these tests, without the checks of style and types"
    )


def run_test(args: argparse.Namespace) -> int:
    """Run the checks, then the tests; all of them run, whichever fails. Exit status 1 when one failed."""
    from app.setup.prepare import prepare

    root = _require_repository("test", "pytest", "dev")
    prepare()
    pytest = ("-m", "pytest", "-q", *(("--strict-left-out",) if args.strict else ()))
    if args.paths:
        outcomes = run_side_by_side({"tests": (*pytest, *args.paths)}, root)
    else:
        outcomes = [outcome for name, command in CHECKS for outcome in run_side_by_side({name: command}, root)]
        others = (f"--ignore={folder}" for folder in FIRST_HALF)
        outcomes += run_side_by_side({"tests 1": (*pytest, *FIRST_HALF), "tests 2": (*pytest, "tests", *others)}, root)
    print(flush=True)
    for name, status, seconds in outcomes:
        print(f"{name:<8} {'passed' if status == 0 else 'FAILED'}  {seconds:6.1f} s")
    return int(any(status for _, status, _ in outcomes))


def run_side_by_side(jobs: dict[str, Sequence[str]], root: Path) -> list[Outcome]:
    """Run jobs at the same time, each on one thread.

    The first writes to this program's output, the others to files that are printed once it has ended. However this
    ends, no job goes on afterwards.
    """
    started = time.monotonic()
    processes: list[subprocess.Popen[bytes]] = []
    outcomes: list[Outcome] = []
    environment = {**_environment(root), "OMP_NUM_THREADS": "1"}
    with contextlib.ExitStack() as files:
        outputs = [None, *(files.enter_context(tempfile.TemporaryFile()) for _ in range(len(jobs) - 1))]
        try:
            for arguments, output in zip(jobs.values(), outputs, strict=True):
                command = [sys.executable, *arguments]
                processes.append(subprocess.Popen(command, cwd=root, env=environment, stdout=output, stderr=output))
            for (name, arguments), process, output in zip(jobs.items(), processes, outputs, strict=True):
                print(f"--- {name}: {' '.join(arguments[1:])}", flush=True)
                outcomes.append((name, process.wait(), time.monotonic() - started))
                if output is not None:
                    output.seek(0)
                    print(output.read().decode("utf-8", "replace"), end="", flush=True)
        finally:
            _stop(processes)
    return outcomes


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End what still runs: first with a chance to clean up, then without."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root)}


def _require_repository(command: str, package: str, extra: str) -> Path:
    """The repository's root, in an environment with the command's packages."""
    root = repository()
    if root is None:
        raise CommandError(f"'{command}' works on a copy of the repository, and this is an installed package.", 2)
    if importlib.util.find_spec(package) is None:
        raise CommandError(f"the packages of '{command}' are missing: pip install -e '.[{extra}]' installs them.")
    return root


# ---------------------------------------------------------------------------------------------------------- ipl docs


def register_docs(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ipl docs``."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the site (default: out/docs)")


def run_docs(args: argparse.Namespace) -> int:
    """Build; every link that leads nowhere is an error."""
    root = _require_repository("docs", "mkdocs", "docs")
    out = (args.out or root / "out" / "docs").resolve()
    build_site(out, root)
    print(f"The site is in {out}; python -m http.server -d {out} shows it with its search.")
    return 0


def build_site(out: Path, root: Path = ROOT) -> None:
    """Build the site of the copy at ``root`` into a folder. Raises CommandError: a page or link is not whole."""
    # NO_MKDOCS_2_WARNING: the theme's advertisement of what comes after it.
    # No --quiet: it would hide the warnings from --strict.
    environment = {**_environment(root), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        raise CommandError("the site could not be built; what is wrong stands above.")
