"""``ipl test`` and ``ipl docs``: what is checked before a change goes in, and the documentation as a site.

Both work on a copy of the repository and on nothing else.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.cli import CommandError
from app.setup.repository import ROOT, repository

PACKAGES = ("app", "finetune", "listing", "rag_index", "recommend")
CHECKS = {
    "style": ("-m", "ruff", "check", "."),
    "format": ("-m", "ruff", "format", "--check", "."),
    "imports": ("-c", "import importlinter.cli as c; c.lint_imports_command()", "--no-cache"),
}
TYPES = ("-m", "mypy", *PACKAGES)
# All tests in processes that take one file after the other in the order of the folders: one more than two cores, since
# tests wait for servers and browsers a quarter of their time.
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
STOP_SECONDS = 20

Outcome = tuple[str, int, float | None]
"""Name, exit status, seconds (None: it ran beside the others)."""


# ---------------------------------------------------------------------------------------------------------- ipl test


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
        "--changed",
        nargs="?",
        const="HEAD",
        metavar="COMMIT",
        help="only the tests of what changed since a commit (default: the last one), without the checks",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="only these tests, without the checks of style and types"
    )


def run_test(args: argparse.Namespace) -> int:
    """Run the checks, then the tests; all of them run, whichever fails. Exit status 1 when one failed."""
    from app.setup.prepare import prepare

    root = _require_repository("test", "pytest", "dev")
    prepare()
    options = {"--strict-left-out": args.strict, "--fast": args.fast, "--nightly": args.nightly}
    pytest = ("-m", "pytest", "-q", *(name for name, chosen in options.items() if chosen))
    paths = args.paths
    if args.changed is not None:
        paths = changed_tests(changed_files(args.changed, root), import_map(root))
        if not paths:
            print(f"No test goes by what changed since {args.changed}.")
            return 0
    if paths:
        outcomes = [run_job("tests", (*pytest, *paths), root)]
    else:
        jobs = {**CHECKS, "tests": (*pytest, *SIDE_BY_SIDE)}
        with beside("types", TYPES, root) as types:
            outcomes = [*(run_job(name, command, root) for name, command in jobs.items()), types()]
    print(flush=True)
    for name, status, seconds in outcomes:
        took = "beside them" if seconds is None else f"{seconds:6.1f} s"
        print(f"{name:<8} {'passed' if status == 0 else 'FAILED'}  {took}")
    return int(any(status for _, status, _ in outcomes))


def run_job(name: str, arguments: Sequence[str], root: Path) -> Outcome:
    """Run Python with these arguments on one thread. However this ends, the job does not go on afterwards."""
    started = time.monotonic()
    _say(name, arguments)
    process = subprocess.Popen([sys.executable, *arguments], cwd=root, env=_environment(root))
    try:
        return name, process.wait(), time.monotonic() - started
    finally:
        _stop(process)


@contextlib.contextmanager
def beside(name: str, arguments: Sequence[str], root: Path) -> Iterator[Callable[[], Outcome]]:
    """A job that runs beside others, at low priority; yields what waits for it and shows what it printed."""
    command = ["nice", "-n", "10", sys.executable, *arguments]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, cwd=root, env=_environment(root), **streams)

    def outcome() -> Outcome:
        printed, _ = process.communicate()
        _say(name, arguments)
        print(printed, end="", flush=True)
        return name, process.returncode, None

    try:
        yield outcome
    finally:
        _stop(process)


def _say(name: str, arguments: Sequence[str]) -> None:
    print(f"--- {name}: {' '.join(arguments[1:])}", flush=True)


def _stop(process: subprocess.Popen[Any]) -> None:
    """End it if it still runs: first with a chance to clean up, then without."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}


def _require_repository(command: str, package: str, extra: str) -> Path:
    """The repository's root, in an environment with the command's packages."""
    root = repository()
    if root is None:
        raise CommandError(f"'{command}' works on a copy of the repository, and this is an installed package.", 2)
    if importlib.util.find_spec(package) is None:
        raise CommandError(f"the packages of '{command}' are missing: pip install -e '.[{extra}]' installs them.")
    return root


# ------------------------------------------------------------------------------------------- the tests of what changed


def changed_files(commit: str, root: Path) -> list[str]:
    """Paths of the files that differ from a commit, and of new ones. Raises CommandError: there is no such commit."""
    paths: list[str] = []
    differ = ("diff", "--name-only", "--no-renames", commit, "--")
    for command in (differ, ("ls-files", "--others", "--exclude-standard")):
        done = subprocess.run(("git", *command), cwd=root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CommandError(f"what changed since {commit!r} is not known: {done.stderr.strip()}", 2)
        paths += done.stdout.splitlines()
    return paths


def import_map(root: Path) -> dict[str, set[str]]:
    """For each Python file those that it imports, or names by module or path, as what starts a program does."""
    tops = (*PACKAGES, "benchmarks", "tests")
    files = [p.relative_to(root).as_posix() for top in tops for p in root.glob(f"{top}/**/*.py")]
    modules = {_module(file): file for file in files}
    return {file: {modules[name] for name in _named(root / file) if name in modules} for file in files}


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _named(file: Path) -> set[str]:
    tree, names = ast.parse(file.read_text(encoding="utf-8")), set[str]()
    # What a fixture alone imports is no matter of each test below its folder.
    for node in tree.body if file.name == "conftest.py" else ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            names.add(_module(node.value))
    return names


def changed_tests(changed: Collection[str], imports: Mapping[str, Collection[str]]) -> list[str]:
    """Test files that changed or import a changed file, directly or not.

    What is no Python counts for the modules of the nearest folder with some; elsewhere, for the tests of the whole.
    """
    reached = {file for file in changed if file in imports}
    folders = {str(Path(file).parent) for file in imports}
    for path in set(changed) - reached:
        folder = next((f for f in map(str, Path(path).parents) if f in folders), "tests")
        beside = {f for f in imports if str(Path(f).parent) == folder}
        reached |= {f for f in beside if folder != "tests" or "/test_" in f}
    waiting = list(reached)
    while waiting:
        file = waiting.pop()
        below = f"{Path(file).parent}/" if Path(file).name == "conftest.py" else None
        more = {f for f, of in imports.items() if file in of or (below and f.startswith(below))} - reached
        reached |= more
        waiting += more
    return sorted(file for file in reached if re.match(r"tests/(.*/)?test_[^/]*\.py$", file))


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
