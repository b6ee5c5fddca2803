"""Copies of an index for several processes: each searches as the original does, and nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rag_index import IndexBusy, IndexFailure, IndexMissing, ListingIndex, build, own_copy, still_copy
from tests.rag_index.listings import INFO, make

DIE_WITH_A_COPY = """
import os, sys
from pathlib import Path
from rag_index import own_copy, still_copy
with still_copy(sys.argv[1], Path(sys.argv[2])) as still:
    own_copy(still)
    os.kill(os.getpid(), 9)
"""


def left(under: Path) -> list[str]:
    return [p.name for p in under.glob("index-copies-*")]


def test_copies_are_open_at_once_and_hold_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    build([make(n) for n in range(20)], folder, INFO)
    with still_copy(str(folder), tmp_path) as still, ListingIndex.open(folder, INFO) as original:
        with ListingIndex.open(own_copy(still), INFO) as one, ListingIndex.open(own_copy(still), INFO) as other:
            one.remove(["l3"])  # a copy is nobody else's
            assert (original.count(), one.count(), other.count()) == (20, 19, 20)
            assert list(other.records()) == list(original.records())
        assert left(tmp_path)
    assert not left(tmp_path)


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(tmp_path: Path, repository: Path) -> None:
    folder = tmp_path / "index"
    build([make(1)], folder, INFO)
    command = [sys.executable, "-c", DIE_WITH_A_COPY, str(folder), str(tmp_path)]
    assert subprocess.run(command, cwd=repository, check=False).returncode == -9
    dead = left(tmp_path)
    assert len(dead) == 1
    with still_copy(str(folder), tmp_path) as first, still_copy(str(folder), tmp_path) as second:
        assert dead[0] not in left(tmp_path)
        assert own_copy(first) != own_copy(second)


def test_what_cannot_be_copied_is_said(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="ipl index build"), still_copy(str(tmp_path / "none"), tmp_path):
        pass
    assert not (tmp_path / "none").exists()
    folder = tmp_path / "index"
    build([make(1)], folder, INFO)
    with ListingIndex.open(folder, INFO), pytest.raises(IndexBusy), still_copy(str(folder), tmp_path):
        pass
    with pytest.raises(IndexFailure, match="IPL_INDEX"):
        own_copy(str(tmp_path / "elsewhere"))
    with still_copy("http://localhost:8000", tmp_path) as still:
        assert own_copy(still) == "http://localhost:8000"
    assert not left(tmp_path)
