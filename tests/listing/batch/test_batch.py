"""Batches: order, bad rows in their place, and a kill at any moment that changes nothing."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from app.cli.drafts import batch
from app.cli.main import main
from listing.backends.base import BackendError
from listing.batch.run import BatchError, BatchInputError, Summary, find_items, run_batch
from listing.intake.photos import PhotoError
from listing.request import DraftRequest, Event
from tests.listing.batch.batch_fake import FakePipeline, Row, factory, lines, rows_of, write_photo, write_rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
ROWS = 24


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A JSONL with good rows and every kind of bad row."""
    for number in range(3):
        write_photo(tmp_path / f"{number}.png", number * 40)
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    rows: list[Row] = [{"id": f"item {n}", "photos": [f"{n % 3}.png"], "note": f"note {n}"} for n in range(ROWS)]
    rows[3] = "{not json"
    rows[5] = {"id": "item 5", "photos": ["torn.jpg"]}
    rows[7] = {"id": "item 7", "photos": ["nowhere.jpg"]}
    rows[9] = {"id": "item 1", "photos": ["1.png"]}
    rows[11] = {"id": "item 11", "photos": []}
    rows[13] = {"id": "item 13", "photos": ["1.png"], "colour": "red"}
    rows[15] = {"id": "item 15", "photos": ["1.png"], "note": "odd"}
    return write_rows(tmp_path / "in.jsonl", rows)


CODES = {3: "bad_row", 5: None, 7: "unreadable", 9: "duplicate_id", 11: "bad_row", 13: "bad_row", 15: "failed"}


def test_rows_and_errors_come_in_order(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    progress_counts: list[int] = []
    summary = run_batch(source, out, factory(), progress=lambda done, row: progress_counts.append(done))
    written = lines(out)
    assert (summary.rows, summary.failed, summary.resumed) == (ROWS, len(CODES), 0)
    assert progress_counts == list(range(1, ROWS + 1))
    for number, row in enumerate(written):
        assert ("error" in row) == (number in CODES)
        if number not in CODES:
            assert row["id"] == f"item {number}"
            assert row["photos"] == [f"{number % 3}.png"]
            assert row["draft"]["title"] == f"note {number} of 1"
        elif CODES[number]:
            assert row["error"]["code"] == CODES[number]
    assert "Line 4" in written[3]["error"]["message"]
    assert written[5]["error"]["message"].startswith("torn.jpg is")
    ids = [row["draft"]["id"] for row in written if "draft" in row]
    assert len(set(ids)) == len(ids)


class Meeting(FakePipeline):
    """Goes on when two drafts are made at once."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.both = 0, threading.Event()

    def run(self, request: DraftRequest) -> Iterator[Event]:
        self.begun += 1
        if self.begun == 2:
            self.both.set()
        assert self.both.wait(60)
        return super().run(request)


def test_rows_name_photos_by_any_path(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    write_photo(folder / "a b.png", 40)
    forms = ["photos/a b.png", str(folder / "a b.png"), f"file://{folder}/a%20b.png", "http://127.0.0.1:1/a.png"]
    write_rows(tmp_path / "in.jsonl", [{"id": f"item {n}", "photos": [form]} for n, form in enumerate(forms)])
    run_batch(tmp_path / "in.jsonl", tmp_path / "out.jsonl", factory())
    *local, private = lines(tmp_path / "out.jsonl")
    assert ["draft" in row for row in local] == [True] * 3
    assert private["error"]["code"] == "unreadable"
    assert "never fetched" in private["error"]["message"]


def test_threads_write_what_one_after_the_other_writes(source: Path, tmp_path: Path) -> None:
    alone, together = tmp_path / "alone.jsonl", tmp_path / "together.jsonl"
    run_batch(source, alone, factory())
    run_batch(source, together, Meeting, workers=12, engine="threads")
    assert together.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--concurrency", "4"], "use --workers"),
        (["--concurrency", "4", "--workers", "2", "--model", "http://127.0.0.1:9"], "leave out --workers"),
    ],
)
def test_concurrency_is_for_no_embedded_model(
    options: list[str], message: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["batch", str(source), "-o", str(tmp_path / "out.jsonl"), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets the cores and the free memory, in workers, of this machine and of its container; it has no graphics card."""

    def factory_of(cores: int, free: float, limit: float | None = None, used: float = 0) -> None:
        monkeypatch.setattr("listing.backends.local.pick_device", lambda: ("cpu", torch.float32))
        monkeypatch.setattr("joblib.cpu_count", lambda: cores)
        free_bytes = int(batch.WORKER_BYTES * free)
        monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free_bytes))
        monkeypatch.setattr(batch, "CONTAINER", tmp_path)
        for name, share in (("max", limit), ("current", used)):
            limit_text = "max" if share is None else str(int(batch.WORKER_BYTES * share))
            (tmp_path / f"memory.{name}").write_text(limit_text)

    return factory_of


@pytest.mark.parametrize(
    ("has", "options", "variable", "workers"),
    [
        ((3, 8), [], "", 3),
        ((3, 8), ["--workers", "2"], "", 2),
        ((3, 8), ["--model", "http://127.0.0.1:9"], "", 1),
        ((3, 8), [], "http://127.0.0.1:9", 1),
        ((3, 8), ["--model", "some/folder"], "", 1),
        ((3, 8), ["--engine", "ray"], "", 1),
        ((64, 3.9), [], "", 3),
        ((2, 64), [], "", 2),
        ((8, 0.2), [], "", 1),
        ((8, 64, 3, 0.5), [], "", 2),
        ((8, 2.5, 30), [], "", 2),
    ],
)
def test_workers_by_cores_and_memory(
    has: tuple[float, ...],
    options: list[str],
    variable: str,
    workers: int,
    source: Path,
    tmp_path: Path,
    machine: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed: list[int] = []
    machine(*has)
    monkeypatch.setenv("IPL_MODEL", variable)
    monkeypatch.setattr("listing.batch.run.run_batch", lambda *a, **n: passed.append(n["workers"]) or Summary(1, 0, 0))
    monkeypatch.setattr(batch, "factory", lambda args: nullcontext(None))
    command = ["batch", str(source), "-o", str(tmp_path / "out.jsonl"), *options]
    assert main(command) == 0
    expected = [workers]
    if not options and not variable:
        write_photo(tmp_path / "photos" / "a.png", 1)
        assert main(["batch", str(tmp_path / "photos"), *command[2:]]) == 0  # no more workers than items
        monkeypatch.setattr("listing.backends.local.pick_device", lambda: ("cuda", torch.float32))
        assert main(command) == 0
        expected += [1, 1]
    assert passed == expected


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.nightly), 2])
def test_kill_at_any_moment_and_resume_change_nothing(source: Path, tmp_path: Path, workers: int) -> None:
    undisturbed, out = tmp_path / "undisturbed.jsonl", tmp_path / "out.jsonl"
    run_batch(source, undisturbed, factory())
    chance = random.Random(workers)
    command = [sys.executable, "-m", "tests.listing.batch.batch_fake", str(source), str(out), str(workers), "0.03"]
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(command, cwd=ROOT)
        before = out.stat().st_size if out.exists() else 0
        while process.poll() is None and (out.stat().st_size if out.exists() else 0) == before:
            time.sleep(0.005)  # until it writes: a kill before that says nothing
        time.sleep(chance.uniform(0, 0.15))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
        assert undisturbed.read_bytes().startswith(out.read_bytes().rpartition(b"\n")[0])
    assert process.returncode == 0
    assert kills >= 2
    assert out.read_bytes() == undisturbed.read_bytes()


@pytest.mark.parametrize("torn", [b'{"id":"item 8","pho', b'{"id": "item 8"', b"\x00" * 50])
def test_torn_last_line_is_healed(source: Path, tmp_path: Path, torn: bytes) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    run_batch(source, whole, factory())
    head = b"".join(whole.read_bytes().splitlines(keepends=True)[:8])
    out.write_bytes(head + torn)
    summary = run_batch(source, out, factory(), resume=True)
    assert summary.resumed == 8
    assert out.read_bytes() == whole.read_bytes()


def test_foreign_output_is_kept(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run_batch(source, out, factory())
    finished = out.read_bytes()
    assert run_batch(source, out, factory(), resume=True).resumed == ROWS
    for content, resume, message in (
        (finished, False, "--resume"),
        (b'{"id":"other","photos":[]}\n', True, "another input"),
        (b"garbage\n" + finished, True, "damaged at line 1"),
    ):
        out.write_bytes(content)
        with pytest.raises((BatchError, BatchInputError), match=message):
            run_batch(source, out, factory(), resume=resume)
        assert out.read_bytes() == content


def test_two_runs_cannot_write_to_one_output(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    def second(done: int, row: object) -> None:
        if done == 1:
            with pytest.raises(BatchError, match="another run"):
                run_batch(source, out, factory(), resume=True)

    run_batch(source, out, factory(), progress=second)
    assert len(lines(out)) == ROWS


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, "no model"),
        ({}, "wrong key"),
        ({"workers": 2}, "wrong key"),
        ({"workers": 4, "engine": "threads"}, "no model"),
    ],
)
def test_a_model_that_goes_away_stops_the_run(tmp_path: Path, changes: dict[str, Any], note: str) -> None:
    source, out = rows_of(tmp_path, 40, n2=note), tmp_path / "out.jsonl"
    for _ in range(2):
        with pytest.raises(BackendError, match=r"start it again; then .* --resume goes on after the 2 items in .*\.$"):
            run_batch(source, out, factory(), resume=True, **changes)
        assert [row["id"] for row in lines(out)] == ["item 0", "item 1"]


def test_a_row_whose_process_dies_is_given_up(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    summary = run_batch(rows_of(tmp_path, n2="crash"), out, factory(), workers=2)
    assert [row["id"] for row in lines(out)] == [f"item {n}" for n in range(8)]
    errors = {row["id"]: row["error"]["code"] for row in lines(out) if "error" in row}
    assert errors == {"item 2": "crashed", "item 5": "unreadable"}
    assert summary.failed == 2


def test_full_disk_leaves_whole_lines(source: Path, tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="free some space"):
        run_batch(source, Path("/dev/full"), factory())
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    run_batch(source, whole, factory())
    command = [sys.executable, "-m", "tests.listing.batch.batch_fake", str(source), str(out), "1", "0"]
    limit = whole.stat().st_size // 2
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode != 0
    assert "free some space" in done.stderr
    assert out.read_bytes().endswith(b"\n")
    assert whole.read_bytes().startswith(out.read_bytes())
    run_batch(source, out, factory(), resume=True)
    assert out.read_bytes() == whole.read_bytes()


def touch(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_items_of_a_folder_come_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a.png", "B/2.jpg", "B/1.heic", "B/notes.txt", "B/deep/3.jpg", "readme.md", ".hidden.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    items = [(name, [p.relative_to(tmp_path).as_posix() for p in photos]) for name, photos in find_items(tmp_path)]
    assert items == [
        ("a.png", ["a.png"]),
        ("B", ["B/1.heic", "B/2.jpg"]),
        ("b.JPG", ["b.JPG"]),
        ("empty", []),
        ("gone.jpg", ["gone.jpg"]),  # to be reported
    ]
    touch(tmp_path, "a.jpg", "a/1.jpg", "A.webp")
    names = [name for name, _ in find_items(str(tmp_path))]
    assert len(names) == len(set(names)) == 8


@pytest.mark.parametrize("content", [[], ["notes.txt"], ["sub/notes.txt"]])
def test_what_holds_nothing_to_draft_is_said(tmp_path: Path, content: list[str]) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out.jsonl"
    write_photo(tmp_path / "more" / "a" / "1.png", 1)
    (tmp_path / "more" / "empty").mkdir()
    run_batch(tmp_path / "more", tmp_path / "more.jsonl", factory())
    drafted, empty = lines(tmp_path / "more.jsonl")
    assert (drafted["id"], drafted["photos"], empty["error"]["code"]) == ("a", ["a/1.png"], "no_photo")
    folder.mkdir()
    touch(folder, *content)
    with pytest.raises(PhotoError, match="holds no photo") as caught:
        run_batch(folder, out, factory())
    assert caught.value.code == "no_photo"
    with pytest.raises(BatchInputError, match="holds no row"):
        run_batch(write_rows(tmp_path / "in.jsonl", []), out, factory())
    assert not out.exists()
    touch(folder, "a.jpg")
    for path in (folder / "missing", folder / "a.jpg"):
        with pytest.raises(PhotoError, match="is not a folder"):
            find_items(path)


@pytest.mark.parametrize(("rate", "status"), [("0.2", 1), ("0.3", 0)])
def test_exit_status_follows_the_error_rate(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: str, status: int
) -> None:
    threads: list[int] = []
    kept: list[Path] = []

    def factory_of(model: str | None, rag: bool, home: Path, **options: object) -> FakePipeline:
        assert (options["concurrency"], options["without"]) == (1, ())
        threads.append(torch.get_num_threads())
        pipeline = FakePipeline()
        pipeline.parts = SimpleNamespace(rules=SimpleNamespace(keep=kept.append))  # type: ignore[attr-defined]
        return pipeline

    monkeypatch.setattr("listing.pipeline.build_pipeline", factory_of)
    before, out = torch.get_num_threads(), tmp_path / "out.jsonl"
    assert main(["batch", str(source), "-o", str(out), "--workers", "1", "--max-error-rate", rate]) == status
    assert len(lines(out)) == ROWS
    assert len(kept) == 1
    assert threads == [1], "on several threads the last digits of the probabilities differ"
    assert torch.get_num_threads() == before
