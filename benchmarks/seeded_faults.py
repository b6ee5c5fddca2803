"""How many small faults in the product the tests catch: drawn by seed, put into a copy one at a time.

    pip install coverage
    python -m benchmarks.seeded_faults record --out out/faults [PYTEST OPTION ...]   # which test runs which line
    python -m benchmarks.seeded_faults catch --out out/faults --seed 45 --count 40

A fault turns a comparison, changes a number, skips a branch, or drops what a function returns. For each only tests run
that run its line, quick ones first, until one fails or SECONDS of them have passed; a fault counts as caught when that
test passes without it.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PACKAGES = ("listing", "app", "recommend", "rag_index", "finetune")
SECONDS = 60.0
TURNED = {ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<", ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in"}
TURNED |= {ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is"}


class Fault(NamedTuple):
    """What replaces the source text of one expression."""

    file: str
    line: int
    kind: str
    old: str
    new: str
    start: int
    end: int


class Recorder:
    """A pytest plugin: names the running test to coverage and notes how long it took."""

    def __init__(self, measured: Any) -> None:
        self.measured, self.seconds = measured, {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.measured.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


def record(out: Path, options: list[str]) -> int:
    """Run the tests under coverage, each a context of its own; writes ``coverage`` and ``seconds.json``."""
    import coverage
    import pytest

    out.mkdir(parents=True, exist_ok=True)
    measured = coverage.Coverage(data_file=str(out / "coverage"), source=list(PACKAGES))
    recorder = Recorder(measured)
    measured.start()
    status = pytest.main(["-q", *options], plugins=[recorder])
    measured.stop()
    measured.save()
    (out / "seconds.json").write_text(json.dumps(recorder.seconds))
    return int(status)


def faults_of(file: Path) -> Iterator[Fault]:
    """All faults of a file, in the order of its text."""
    text = file.read_bytes()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def place(node: ast.expr, kind: str, new: str) -> Fault:
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        return Fault(str(file), node.lineno, kind, text[start:end].decode(), new, start, end)

    tree = ast.parse(text)
    inside = {
        id(n) for f in ast.walk(tree) if isinstance(f, ast.JoinedStr) for n in ast.walk(f)
    }  # places are not known
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = ast.unparse(node.left), ast.unparse(node.comparators[0])
            yield place(node, "comparison", f"(({left}) {TURNED[type(node.ops[0])]} ({right}))")
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield place(node, "number", repr(node.value + 1 if isinstance(node.value, int) else node.value * 2 + 0.1))
        elif isinstance(node, ast.If) and not isinstance(node.test, ast.Name):
            yield place(node.test, "branch", "False")
        elif isinstance(node, ast.Return) and node.value and not isinstance(node.value, ast.Constant):
            yield place(node.value, "return", "None")


def draw(seed: int, count: int, lines: dict[str, dict[int, list[str]]]) -> list[Fault]:
    """As many faults of each package and kind, in lines that some test runs."""
    dice = random.Random(seed)
    drawn: list[Fault] = []
    for n in range(count):
        package, kind = PACKAGES[n % len(PACKAGES)], ("comparison", "number", "branch", "return")[n % 4]
        files = sorted(f for f in lines if re.fullmatch(rf"{package}/(?!.*migrations/).*\.py", f))
        for file in dice.sample(files, len(files)):
            among = [f for f in faults_of(Path(file)) if f.kind == kind and f not in drawn]
            if among := [f for f in among if tests_of(lines[f.file], f.line)]:
                drawn.append(dice.choice(among))
                break
        else:
            raise SystemExit(f"no test of the record runs a {kind} of {package}/: record the tests of all packages.")
    return drawn


def tests_of(lines: dict[int, list[str]], line: int) -> set[str]:
    """The tests that run a line; of one that runs at import those that run any line of its file."""
    found = lines.get(line, [])
    return {test for tests in (lines.values() if "" in found else [found]) for test in tests if test}


def contexts(out: Path) -> dict[str, dict[int, list[str]]]:
    """File -> line -> the tests that run it."""
    import coverage

    data = coverage.CoverageData(basename=str(out / "coverage"))
    data.read()
    root = f"{Path.cwd()}/"
    return {f.removeprefix(root): data.contexts_by_lineno(f) for f in sorted(data.measured_files())}


def catch(out: Path, seed: int, count: int) -> int:
    """Print a row a fault and how many were caught."""
    lines, seconds = contexts(out), json.loads((out / "seconds.json").read_text())
    drawn, failures = draw(seed, count, lines), []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(Path.cwd(), copy, ignore=shutil.ignore_patterns(".git", ".venv", "out", "__pycache__"))
        for n, fault in enumerate(drawn, 1):
            tests, spent, started = [], 0.0, time.monotonic()
            running = tests_of(lines[fault.file], fault.line)
            for test in sorted((t for t in running if t in seconds), key=seconds.__getitem__):
                if not tests or spent + seconds[test] <= SECONDS:
                    tests.append(test)
                    spent += seconds[test]
            file = copy / fault.file
            text = file.read_bytes()
            file.write_bytes(text[: fault.start] + fault.new.encode() + text[fault.end :])
            failed = failing(copy, ["-x", *tests])
            file.write_bytes(text)
            failures.append(failed[0] if failed else "")
            row = f"{fault.file}:{fault.line} {fault.kind}: {fault.old!r} -> {fault.new!r}"
            took = f"{len(tests)} tests, {time.monotonic() - started:.0f} s"
            print(f"{n} {'caught' if failed else 'MISSED'} {row} ({took}) {failures[-1]}", flush=True)
        without = set(failing(copy, sorted({f for f in failures if "::" in f})))
    print(f"fail without a fault, too: {sorted(without) or 'none'}")
    print(f"{sum(bool(f) and f not in without for f in failures)} of {count} caught (seed {seed})")
    return 0


def failing(copy: Path, tests: list[str]) -> list[str]:
    """The tests that fail, or what else ended the run."""
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=120", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    rows = [
        row.split(" ", 1)[1].split(" - ")[0]
        for row in done.stdout.splitlines()
        if row.startswith(("FAILED ", "ERROR "))
    ]
    return (rows or [f"the run ended with {done.returncode}"]) if done.returncode else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("record", "catch"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=45)
    parser.add_argument("--count", type=int, default=40)
    args, options = parser.parse_known_args()
    return record(args.out, options) if args.what == "record" else catch(args.out, args.seed, args.count)


if __name__ == "__main__":
    sys.exit(main())
