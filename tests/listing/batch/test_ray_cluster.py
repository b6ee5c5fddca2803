"""A cluster of two nodes on this machine, one of which is killed in the middle of a batch: the bytes of one process."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from listing.batch.ray import QUIET
from listing.batch.run import run_batch
from tests.listing.batch.batch_fake import factory
from tests.listing.batch.test_batch_ray import rows_of
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[3]
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
        with suppress(psutil.NoSuchProcess):
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
