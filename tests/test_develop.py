"""``ipl test`` and ``ipl docs``: two runs side by side, both counted, and only in a copy of the repository."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.cli import CommandError, develop

ROOT = Path(__file__).resolve().parents[1]


def test_both_run_at_the_same_time_and_the_second_is_printed_after_the_first(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each waits for the other's file: one after the other they would never end."""
    meet = (
        "import pathlib, sys, time\n"
        "mine, other = (pathlib.Path(name) for name in sys.argv[1:])\n"
        "print(mine.name, 'begins', flush=True); mine.touch()\n"
        "while not other.exists(): time.sleep(0.01)\n"
        "print(mine.name, 'ends')\n"
    )
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    outcomes = develop.run_side_by_side({"a": ("-c", meet, one, two), "b": ("-c", meet, two, one)}, ROOT)
    assert [(name, status) for name, status, _ in outcomes] == [("a", 0), ("b", 0)]
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith(("one", "two"))]
    assert lines == ["one begins", "one ends", "two begins", "two ends"]


@pytest.mark.parametrize("failing", ["a", "b"])
def test_the_exit_status_of_both_counts(failing: str) -> None:
    jobs = {name: ("-c", f"raise SystemExit({int(name == failing)})") for name in ("a", "b")}
    outcomes = develop.run_side_by_side(jobs, ROOT)
    assert {name: status for name, status, _ in outcomes} == {"a": int(failing == "a"), "b": int(failing == "b")}


def test_an_interruption_ends_both(tmp_path: Path) -> None:
    code = (  # Ctrl-C works, also where the tests were started in the background
        "import signal, sys, pathlib; from app.cli import develop\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sleep = 'import os, pathlib, sys, time; '\n"
        "sleep += 'pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(300)'\n"
        f"jobs = {{name: ('-c', sleep, {str(tmp_path)!r} + '/' + name) for name in 'ab'}}\n"
        f"develop.run_side_by_side(jobs, pathlib.Path({str(ROOT)!r}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    files = [tmp_path / name for name in "ab"]
    deadline = time.monotonic() + 60
    while not all(f.exists() and f.read_text() for f in files):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    for file in files:
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


def test_the_folders_of_the_first_half_are_there() -> None:
    assert all((ROOT / folder).is_dir() for folder in develop.FIRST_HALF)


@pytest.mark.parametrize("command", ["test", "docs"])
def test_an_installed_package_says_that_it_has_no_tests_and_no_docs(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(develop, "repository", lambda: None)
    run = {"test": develop.run_test, "docs": develop.run_docs}[command]
    with pytest.raises(CommandError, match="works on a copy of the repository"):
        run(argparse.Namespace(out=None, paths=[], strict=False))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CommandError, match=r"pip install -e '\.\[docs\]'"):
        develop.run_docs(argparse.Namespace(out=None))
