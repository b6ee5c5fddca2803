"""``ipl test``: what failed and what was left out is said, and only in a copy of the repository."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import CommandError, develop

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("broken", ["", "style", "types"])
def test_all_checks_run_and_what_failed_is_named(
    broken: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def job(name: str) -> tuple[str, str]:
        return "-c", f"raise SystemExit({int(name == broken)})"

    monkeypatch.setenv("IPL_SETUP", "0")
    monkeypatch.setattr(develop, "CHECKS", {"style": job("style"), "imports": job("imports")})
    monkeypatch.setattr(develop, "TYPES", job("types"))
    monkeypatch.setattr(develop, "SIDE_BY_SIDE", ("--version",))
    status = develop.run_test(argparse.Namespace(paths=[], strict=False, fast=False, nightly=False))
    printed = capfd.readouterr().out
    assert (status, "All passed." in printed) == (int(broken != ""), broken == "")
    assert not broken or f"Failed: {broken}." in printed


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


def test_an_installed_package_has_no_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(develop, "repository", lambda: None)
    with pytest.raises(CommandError, match="works on a copy of the repository"):
        develop.run_test(argparse.Namespace(paths=[], strict=False))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CommandError, match=r"pip install -e '\.\[dev\]'"):
        develop.run_test(argparse.Namespace(paths=[], strict=False))
