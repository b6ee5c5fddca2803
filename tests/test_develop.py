"""``ipl test`` and ``ipl docs``: what failed is said, nothing runs on, and only in a copy of the repository."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from app.cli import CommandError, develop

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("status", [0, 1])
def test_the_exit_status_is_the_jobs(status: int) -> None:
    name, said, _ = develop.run_job("a", ("-c", f"raise SystemExit({status})"), ROOT)
    assert (name, said) == ("a", status)


@pytest.mark.parametrize("status", [0, 1])
def test_what_runs_beside_the_tests_says_at_the_end_what_it_found(
    status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    code = f"import os; print('found, at', os.nice(0)); raise SystemExit({status})"
    with develop.beside("a", ("-c", code), ROOT) as outcome:
        assert outcome() == ("a", status, None)
    assert f"found, at {min(19, os.nice(0) + 10)}" in capfd.readouterr().out


def test_what_runs_beside_the_tests_ends_with_them() -> None:
    before = set(psutil.Process().children())
    with suppress(KeyboardInterrupt), develop.beside("a", ("-c", "import time; time.sleep(300)"), ROOT):
        (process,) = set(psutil.Process().children()) - before
        raise KeyboardInterrupt
    assert not runs(process.pid)


def test_an_interruption_ends_all_processes_of_the_tests(tmp_path: Path) -> None:
    """Ctrl-C works, also where the tests were started in the background."""
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(
            "import os, pathlib, time\n"
            "def test_waits():\n"
            "    pathlib.Path(__file__).with_suffix('.pid').write_text(str(os.getpid())); time.sleep(300)\n"
        )
    code = (
        "import signal, pathlib; from app.cli import develop\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "pytest = ('-m', 'pytest', '-p', 'xdist.plugin', *develop.SIDE_BY_SIDE)\n"
        f"develop.run_job('tests', (*pytest, {str(tmp_path)!r}), pathlib.Path({str(tmp_path)!r}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # fewer, sooner there
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL)
    files = [tmp_path / f"test_{name}.pid" for name in "ab"]
    wait_for(lambda: all(f.exists() and f.read_text() for f in files))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    wait_for(lambda: not any(runs(int(file.read_text())) for file in files))


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict-left-out",), 1)])
def test_what_was_left_out_is_listed_and_fails_a_strict_run(
    tmp_path: Path, options: tuple[str, ...], status: int
) -> None:
    (tmp_path / "test_a.py").write_text(
        "import pytest\n@pytest.mark.skip(reason='no such program')\ndef test_skipped(): pass\ndef test_b(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", str(tmp_path), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "left out: 1 because no such program" in done.stdout
    assert ("fail a strict run" in done.stdout) is bool(options)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether there is such a process; one that has ended and that nobody asked after does not count."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


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
