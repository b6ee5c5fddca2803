"""The batch through Ray: the bytes of one process, also when a worker is killed in the middle or a row kills it."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from listing.backends.base import BackendError
from listing.batch.ray import QUIET, RayMissing, _connect, disconnect
from listing.batch.run import run_batch
from tests.listing.batch.batch_fake import MarkedPipeline, factory
from tests.listing.batch.test_batch import lines, write_photo, write_rows

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def cluster() -> Any:
    """One cluster for all of these tests: starting it takes longer than they do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        for name, value in QUIET.items():
            patch.setenv(name, value)
        import ray

        ray.init("local", num_cpus=2, object_store_memory=128 << 20, include_dashboard=False, log_to_driver=False)
        yield
        disconnect()


def rows_of(folder: Path, **special: str) -> Path:
    for number in range(3):
        write_photo(folder / f"{number}.png", number * 40)
    rows: list[dict[str, Any] | str] = [
        {"id": f"item {n}", "photos": [f"{n % 3}.png"], "note": special.get(f"n{n}", f"note {n}")} for n in range(8)
    ]
    rows[5] = {"id": "item 5", "photos": ["nowhere.png"]}
    return write_rows(folder / "in.jsonl", rows)


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.timeout(900)
def test_a_torn_run_goes_on_and_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    source, whole, out, marks = rows_of(tmp_path), tmp_path / "whole.jsonl", tmp_path / "out.jsonl", tmp_path / "marks"
    marks.mkdir()
    run_batch(source, whole, factory())
    out.write_bytes(b"".join(whole.read_bytes().splitlines(keepends=True)[:2]) + b'{"id":"item 2","pho')
    killed: list[int] = []

    def kill_one(done: int, row: object) -> None:
        if done == 3:
            killed.extend(int(mark.name) for mark in marks.iterdir())
            for pid in killed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    pipeline_factory = functools.partial(MarkedPipeline, marks, 0.5)
    summary = run_batch(source, out, pipeline_factory, workers=2, engine="ray", resume=True, progress=kill_one)
    assert (summary.rows, summary.failed, summary.resumed) == (8, 1, 2)
    assert out.read_bytes() == whole.read_bytes()
    assert killed
    assert {int(mark.name) for mark in marks.iterdir()} - set(killed), "nobody took over from the killed worker"


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.timeout(900)
def test_a_row_that_kills_its_worker_is_given_up_and_the_rest_goes_on(tmp_path: Path) -> None:
    out, local = tmp_path / "out.jsonl", tmp_path / "local.jsonl"
    source = rows_of(tmp_path, n3="crash")
    run_batch(source, out, factory(), workers=2, engine="ray")
    assert [row["id"] for row in lines(out)] == [f"item {n}" for n in range(8)]
    assert {row["id"]: row["error"]["code"] for row in lines(out) if "error" in row} == {
        "item 3": "crashed",
        "item 5": "unreadable",
    }
    run_batch(source, local, factory(), workers=2)
    assert out.read_bytes() == local.read_bytes()


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.timeout(900)
def test_a_model_that_goes_away_stops_the_run(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(BackendError, match="went away"):
        run_batch(rows_of(tmp_path, n2="no model"), out, factory(), workers=2, engine="ray")
    assert [row["id"] for row in lines(out)] == ["item 0", "item 1"]


def test_it_joins_no_cluster_that_nobody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own default is the cluster that was started on this machine last."""
    import ray

    init_options: dict[str, Any] = {}
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **options: init_options.update(options))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert _connect(1)
    assert init_options["address"] == "local"


def test_without_ray_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    out = tmp_path / "out.jsonl"
    with pytest.raises(RayMissing, match=r"requirements-ray\.txt"):
        run_batch(rows_of(tmp_path), out, factory(), engine="ray")
    assert main(["batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "b.jsonl"), "--engine", "ray"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
