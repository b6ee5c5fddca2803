"""The command table: instant help without any package, errors as one sentence."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.main import COMMANDS, dispatch, main, report

ROOT = Path(__file__).resolve().parents[1]
PRESENT = [c.name for c in COMMANDS]


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line on the standard library alone (-S: no installed package can be imported)."""
    return subprocess.run(
        [sys.executable, "-S", "-P", "-m", "app.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_overview_lists_every_command_of_this_copy() -> None:
    done = bare("--help")
    assert done.returncode == 0
    for name in PRESENT:
        assert f"  {name} " in done.stdout
    assert done.stdout == bare().stdout


@pytest.mark.parametrize("name", PRESENT)
def test_help_of_a_command_needs_no_package(name: str) -> None:
    done = bare(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: ipl {name}")


@pytest.mark.parametrize(
    "arguments",
    [
        *([name, "--no-such-option"] for name in PRESENT),
        *(["batch", ".", "-o", "out.jsonl", *o] for o in (["--workers", "0"], ["--max-error-rate", "2"])),
    ],
)
def test_a_wrong_option_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert f"usage: ipl {arguments[0]}" in capsys.readouterr().err


def test_unknown_command_is_corrected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drat"]) == 2
    assert capsys.readouterr().err == "ipl: there is no command 'drat'; did you mean 'draft'?\n"


def test_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    changes = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert capsys.readouterr().out == f"ipl {changes[0]}\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"not a photo", "not a JPEG, PNG, WebP or HEIC photo"), (None, "is not there")],
)
def test_bad_photo_is_one_sentence(content, words, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "photo.jpg"
    if content is not None:
        photo.write_bytes(content)
    assert main(["draft", str(photo)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert len(told.err.splitlines()) == 1


def test_batch_input_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", str(tmp_path / "nothing"), "-o", str(tmp_path / "out.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


def test_an_unforeseen_error_keeps_its_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    assert report("draft", KeyError("colour")) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    trace = tmp_path / "logs" / "last-error.txt"
    assert str(trace) in told
    assert "KeyError" in trace.read_text()


def test_full_disk_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert report("draft", OSError(28, "No space left on device")) == 1
    assert "the disk is full" in capsys.readouterr().err


def test_an_interruption_is_status_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("app.cli.main.dispatch", interrupted)
    assert main(["serve"]) == 130
    assert capsys.readouterr().err == "ipl: interrupted\n"


def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "app.cli.drafts.draft", None)
    assert main(["draft"]) == 1
    assert capsys.readouterr().err.startswith(
        "ipl: 'draft' needs the package app.cli.drafts.draft, which is not installed"
    )


def test_a_system_without_a_module_is_no_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert report("batch", ModuleNotFoundError("No module named 'fcntl'", name="fcntl")) == 1
    assert "this Python has no module fcntl, which 'batch' needs" in capsys.readouterr().err


def test_help_into_a_closed_pipe_is_silent() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "app.cli", "--help"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("name", "more", "prepared"),
    [
        ("draft", ["a.jpg"], True),
        ("draft", ["a.jpg", "--model", "https://vllm.example.org/v1"], False),
        ("draft", ["a.jpg", "--model", "Qwen/Qwen3-VL-2B-Instruct"], True),
        ("batch", ["photos", "-o", "out.jsonl", "--model", "http://localhost:8000"], False),
        ("serve", ["--model", "http://localhost:8000"], True),  # the feed and the search need the index
    ],
)
def test_a_servers_model_needs_no_embedded_one(monkeypatch, name, more, prepared):
    done: list[str] = []
    module = next(c.module for c in COMMANDS if c.name == name)
    monkeypatch.setattr("app.setup.prepare.prepare", lambda: done.append("prepared"))
    monkeypatch.setattr(f"app.cli.{module}.run", lambda args: done.append(args.model))
    assert dispatch(name, more) == 0
    assert ("prepared" in done) is prepared
    assert len(done) == 1 + prepared


def test_a_failed_start_leaves_garbage_collection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPL_PORT", "none")
    before = gc.get_threshold()
    assert main(["serve"]) != 0
    assert gc.get_threshold() == before
