"""The command table: instant help without any package, errors as one sentence."""

from __future__ import annotations

import gc
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.main import COMMANDS, dispatch, main, report
from tests.fakes import jpeg

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
    monkeypatch.setattr(f"app.cli.{module}.check", lambda args: None)
    monkeypatch.setattr(f"app.cli.{module}.run", lambda args: done.append(args.model))
    assert dispatch(name, more) == 0
    assert ("prepared" in done) is prepared
    assert len(done) == 1 + prepared


UNUSABLE = [
    ("draft {here}/none.jpg", "none.jpg is not there"),
    ("draft {here}/torn.jpg", "torn.jpg is not a JPEG"),
    ("draft file://{here}/none.jpg", "none.jpg is not there"),
    ("draft http://127.0.0.1:1/a.jpg", "which is never fetched"),
    ("draft {here}/a.jpg --shop {here}/none", "There is no shop in"),
    ("IPL_INDEX draft {here}/a.jpg", "The index server at http://127.0.0.1:1 does not answer"),
    ("IPL_INDEX index stats", "The index server at http://127.0.0.1:1 does not answer"),
    ("batch {here}/none -o {here}/out.jsonl", "cannot be read"),
    ("batch {here}/items.jsonl -o {here}/out.jsonl", "there is no file {here}/none.jpg"),
    ("batch {here}/items.jsonl -o {here}/out.jsonl --concurrency 2", "--concurrency is for another model"),
    ("learn {here}/none.csv -o {here}/shop", "There is no file"),
    ("learn {here}/shop.csv -o {here}/shop", "name the folder of the photos with --photos DIR"),
    ("index build --from {here}/shop.csv", "name the folder of the photos with --photos DIR"),
    ("index add {here}/shop.csv --map title=Name", "has no column 'Name'"),
    ("evaluate --data {here}", "holds no annotations.jsonl"),
    ("evaluate --data {here} --arms none", "there is no arm 'none'"),
    ("evaluate --listings {here}/shop.csv --shop {here}/none", "There is no shop in"),
    ("tune {here}/none.yaml", "There is no config"),
    ("tune ipl-mini.yaml --data {here}", "holds no annotations.jsonl"),
    ("tune data --out {here}/out --listings {here}/shop.csv", "name the folder of the photos with --photos DIR"),
    ("tune data --out {here}/out --data {here}/annotated", "annotations of a photo that is not there"),
    ("tune merge", "merge needs --base"),
    ("serve --port {busy}", "port {busy} of 127.0.0.1 cannot be used"),
    ("demo --home {here}/demo --port {busy}", "port {busy} of 127.0.0.1 cannot be used"),
]


@pytest.mark.parametrize(("line", "says"), UNUSABLE, ids=[line for line, _ in UNUSABLE])
def test_what_cannot_be_used_is_said_before_anything_is_built(line, says, tmp_path, monkeypatch, capsys) -> None:
    def built() -> None:
        raise AssertionError("something was built")

    monkeypatch.setattr("app.setup.prepare.prepare", built)
    monkeypatch.delenv("IPL_INDEX", raising=False)
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "torn.jpg").write_bytes(b"torn")
    (tmp_path / "shop.csv").write_text(
        "id,title,category,image\n1,Blue hoodie,Hoodie,none.jpg\n2,Red shirt,Shirt,/x.jpg\n"
    )
    (tmp_path / "items.jsonl").write_text('{"id": "1", "photos": ["none.jpg"]}\n')
    (tmp_path / "annotated").mkdir()
    (tmp_path / "annotated" / "annotations.jsonl").write_text('{"image": "x.jpg", "sender_id": "s"}\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = {"here": tmp_path, "busy": taken.getsockname()[1]}
        setting, *arguments = line.format(**words).split()
        if setting == "IPL_INDEX":
            monkeypatch.setenv("IPL_INDEX", "http://127.0.0.1:1")
        assert main(arguments if setting == "IPL_INDEX" else [setting, *arguments]) in (1, 2)
    told = capsys.readouterr()
    assert says.format(**words) in told.err
    assert len(told.err.splitlines()) <= 2
    assert not (tmp_path / "out.jsonl").exists()


def test_threads_that_wait_sleep_in_every_command() -> None:
    """Whatever starts it, before anything that has threads is imported."""
    spied = "import os, sys; from app.cli.main import main; main(['--version']); print(os.environ['OMP_WAIT_POLICY'], "
    spied += "sorted({'torch', 'numpy'} & set(sys.modules)))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "KMP_"))}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, "-c", spied], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "PASSIVE []", done.stderr


def test_a_failed_start_leaves_garbage_collection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPL_PORT", "none")
    before = gc.get_threshold()
    assert main(["serve"]) != 0
    assert gc.get_threshold() == before
