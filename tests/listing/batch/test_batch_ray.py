"""The batch through Ray: the bytes of one process, also when a worker, a node or a row that kills it goes down."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.cli.main import main
from listing.backends.base import BackendError
from listing.batch.ray import QUIET, RayMissing, disconnect
from listing.batch.run import run_batch
from tests.listing.batch.batch_fake import MarkedPipeline, factory, lines, rows_of
from tests.servers import free_port

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


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.timeout(900)
def test_torn_run_and_killed_worker_change_nothing(tmp_path: Path) -> None:
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
def test_row_that_kills_workers_is_given_up(tmp_path: Path) -> None:
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


def test_it_joins_no_cluster_that_nobody_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own default is the cluster that was started on this machine last."""
    ray = pytest.importorskip("ray")

    def refuse(**options: Any) -> None:
        raise RuntimeError(options["address"])

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(RuntimeError, match=r"\(local\)"):
        run_batch(rows_of(tmp_path), tmp_path / "out.jsonl", factory(), engine="ray")


def test_without_ray_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    out = tmp_path / "out.jsonl"
    with pytest.raises(RayMissing, match=r"requirements-ray\.txt"):
        run_batch(rows_of(tmp_path), out, factory(), engine="ray")
    files = [str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "b.jsonl")]
    assert main(["batch", *files, "--engine", "ray", "--no-rag"]) == 1
    unreadable, missing = capsys.readouterr().err.splitlines()
    assert "nowhere.png" in unreadable
    assert "requirements-ray.txt" in missing


# -- two nodes --

RAY = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "1", "--num-gpus", "0")
SMALL = ("--object-store-memory", str(128 << 20), "--disable-usage-stats")
BATCH = """
import functools, sys
from pathlib import Path
from listing.batch.run import run_batch
from tests.listing.batch.batch_fake import MarkedPipeline
source, out, marks = map(Path, sys.argv[1:])
run_batch(source, out, functools.partial(MarkedPipeline, marks, 2.0), workers=2, engine="ray")
"""


def descendants(pid: int) -> set[int]:
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def kill(node: subprocess.Popen[bytes]) -> None:
    """With its workers, of which some may be ending by themselves."""
    for pid in descendants(node.pid) if node.poll() is None else ():
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
    node.kill()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """(address, the head and a second node), each a process group of its own with one CPU; they share a secret."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT)}
    started: list[subprocess.Popen[bytes]] = []

    def start(*role: str) -> str:
        """What it says until it runs."""
        command = [*RAY, *role, *SMALL]
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True))
        printed, output = "", started[-1].stdout
        assert output is not None
        for line in output:
            printed += line.decode()
            if "runtime started" in printed:
                return printed
        raise AssertionError(printed)

    # Of its own: Ray's usual folder says to everyone on this machine which cluster to join. Sockets want a short path.
    folder = tempfile.mkdtemp(prefix="ray")
    try:
        port = str(free_port())
        head = ("--head", "--port", port, "--include-dashboard", "false", "--temp-dir", folder)
        address_match = re.search(r"Local node IP: (\S+)", start(*head))
        assert address_match
        address = f"{address_match[1]}:{port}"
        start("--address", address)
        yield address, started
    finally:
        for node in started:
            kill(node)
            node.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_node_that_is_killed_changes_nothing(
    tmp_path: Path, nodes: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, (_, second) = nodes
    source, whole, out, marks = rows_of(tmp_path), tmp_path / "whole.jsonl", tmp_path / "out.jsonl", tmp_path / "marks"
    marks.mkdir()
    run_batch(source, whole, factory())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": address}
    batch = subprocess.Popen([sys.executable, "-P", "-c", BATCH, source, out, marks], env=environment)
    while not (there := {int(mark.name) for mark in marks.iterdir()} & descendants(second.pid)):
        assert batch.poll() is None, "the batch ended before the second node had a worker"
        time.sleep(0.1)
    kill(second)
    assert batch.wait(600) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert there
