"""``ipl test`` and ``ipl docs``: what failed is said, nothing runs on, and only in a copy of the repository."""

from __future__ import annotations

import argparse
import os
import re
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
def test_a_job_says_what_it_found(status: int, capfd: pytest.CaptureFixture[str]) -> None:
    code = f"import os; print('found, at', os.nice(0)); raise SystemExit({status})"
    assert develop.run_job("a", ("-c", f"raise SystemExit({status})"), ROOT)[:2] == ("a", status)
    with develop.beside("a", ("-c", code), ROOT) as outcome:
        assert outcome() == ("a", status, None)
    assert f"found, at {min(19, os.nice(0) + 10)}" in capfd.readouterr().out


def test_what_runs_beside_the_tests_ends_with_them() -> None:
    before = set(psutil.Process().children())
    with suppress(KeyboardInterrupt), develop.beside("a", ("-c", "import time; time.sleep(300)"), ROOT):
        (process,) = set(psutil.Process().children()) - before
        raise KeyboardInterrupt
    assert not runs(process.pid)


@pytest.mark.slow
def test_an_interruption_ends_all_test_processes(tmp_path: Path) -> None:
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


def pytest_run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A run of the tests in a folder under the rules of this repository's conftest."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "tests.conftest", "--rootdir", folder, *options, folder]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict-left-out",), 1)])
def test_tests_left_out_fail_a_strict_run(tmp_path: Path, options: tuple[str, ...], status: int) -> None:
    (tmp_path / "test_a.py").write_text(
        "import pytest\n@pytest.mark.skip(reason='no such program')\ndef test_skipped(): pass\ndef test_b(): pass\n"
    )
    done = pytest_run(tmp_path, *options)
    assert done.returncode == status, done.stdout + done.stderr
    assert "left out: 1 because no such program" in done.stdout
    assert ("fail a strict run" in done.stdout) is bool(options)


@pytest.mark.parametrize(
    ("options", "run"),
    [((), "plain slow browser"), (("--fast",), "plain"), (("--nightly",), "plain slow browser nightly")],
)
def test_the_marks_say_what_runs(tmp_path: Path, options: tuple[str, ...], run: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n slow\n nightly\n browser\n")
    (tmp_path / "conftest.py").write_text("import tests.conftest\ntests.conftest.NEEDS.clear()\n")
    marked = [f"@pytest.mark.{name}\ndef test_{name}(): pass\n" for name in ("slow", "nightly", "browser")]
    (tmp_path / "test_a.py").write_text("".join(["import pytest\ndef test_plain(): pass\n", *marked]))
    done = pytest_run(tmp_path, *options)
    assert set(re.findall(r"::test_(\w+) PASSED", done.stdout)) == set(run.split()), done.stdout + done.stderr


FILES = {
    "listing/__init__.py": "",
    "listing/facts.py": "import json",
    "listing/say.py": "from listing import facts",
    "listing/words.yaml": "",
    "docs/page.md": "",
    "tests/conftest.py": "import listing.say\ndef fixture():\n    import listing.other",
    "tests/test_docs.py": "",
    "tests/listing/test_say.py": "from listing.say import write",
    "tests/listing/test_start.py": "PROGRAM = 'tests/listing/program.py'",
    "tests/listing/program.py": "def main():\n    import listing.other",
    "listing/other.py": "",
}


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("listing/other.py", {"listing/test_start.py"}),
        ("tests/listing/test_say.py", {"listing/test_say.py"}),
        ("listing/facts.py", {"listing/test_say.py", "listing/test_start.py", "test_docs.py"}),  # by conftest.py
        ("tests/listing/rows.jsonl", {"listing/test_say.py", "listing/test_start.py"}),
        ("docs/page.md", {"test_docs.py"}),
    ],
)
def test_changed_code_chooses_tests_that_import_it(tmp_path: Path, changed: str, tests: set[str]) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = develop.changed_tests([changed], develop.import_map(tmp_path))
    assert {name.removeprefix("tests/") for name in found} == tests


def test_git_says_what_differs_from_a_commit(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=tmp_path, check=True)

    (tmp_path / "same.py").touch()
    (tmp_path / "edited.py").touch()
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    (tmp_path / "edited.py").write_text("1")
    (tmp_path / "new.py").touch()
    assert develop.changed_files("HEAD", tmp_path) == ["edited.py", "new.py"]
    with pytest.raises(CommandError, match="what changed since 'nothing' is not known"):
        develop.changed_files("nothing", tmp_path)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether there is such a process; one that has ended and that nobody asked after does not count."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("command", ["test", "docs"])
def test_an_installed_package_has_no_tests_and_docs(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(develop, "repository", lambda: None)
    run = {"test": develop.run_test, "docs": develop.run_docs}[command]
    with pytest.raises(CommandError, match="works on a copy of the repository"):
        run(argparse.Namespace(out=None, paths=[], strict=False))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CommandError, match=r"pip install -e '\.\[docs\]'"):
        develop.run_docs(argparse.Namespace(out=None))
