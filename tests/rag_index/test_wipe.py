"""Nothing of removed or replaced listings in the files of an embedded index, which goes on while it is wiped."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rag_index import ListingIndex, build
from rag_index.storage import wipe
from tests.app.support.leftovers import files_with
from tests.rag_index.listings import INFO, make

WORD = "quuxzebrine"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build([make(n) for n in range(20)], tmp_path / "index", INFO)
    return tmp_path / "index"


def nearest_id(index: ListingIndex, number: int) -> str:
    """The listing that is nearest to the photo of this one."""
    return index.search_images(make(number).image_vectors, 1)[0].listing_id


def test_nothing_of_a_removed_or_replaced_listing_is_left(folder: Path) -> None:
    with ListingIndex.open(folder, INFO) as index:
        index.add([make(30, text=f"A {WORD}"), make(31, text=f"B {WORD}"), make(32, attributes={"brand": WORD})])
        index.remove(["l30"])
        index.add([make(31, text="B"), make(32, image_vectors=[])])
        assert files_with(folder, WORD)
        assert index.wipe(at_once=True)
        assert files_with(folder, WORD) == []
        assert [nearest_id(index, n) for n in (0, 19, 31)] == ["l0", "l19", "l31"]
        index.add([make(n) for n in range(40, 60)])
        index.remove(["l41"])
        assert nearest_id(index, 40) == "l40"
    with ListingIndex.open(folder, INFO) as index:
        assert index.ids() == {f"l{n}" for n in (*range(20), 31, 32, 40, *range(42, 60))}
        assert [nearest_id(index, n) for n in (0, 31, 40, 59)] == ["l0", "l31", "l40", "l59"]
        assert index.get("l31").text == "B"  # type: ignore[union-attr]
        assert nearest_id(index, 41) != "l41"


def test_closing_wipes_what_this_process_removed(folder: Path) -> None:
    with ListingIndex.open(folder, INFO) as index:
        index.add([make(30, text=WORD)])
    assert files_with(folder, WORD)
    with ListingIndex.open(folder, INFO) as index:
        index.remove(["l30"])
    assert files_with(folder, WORD) == []


def test_removals_gather_and_a_clean_index_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wipe, "GATHER_SECONDS", 3600.0)
    with ListingIndex.open(folder, INFO) as index:
        assert index.wipe(at_once=True)
        database = next(folder.rglob(wipe.DATABASE))
        written = database.stat().st_mtime_ns
        assert index.wipe()
        assert index.wipe(at_once=True)
        assert database.stat().st_mtime_ns == written
        index.remove(["l1"])
        assert not index.wipe()
        index.remove(["l2"])
        monkeypatch.setattr(wipe, "GATHER_SECONDS", 0.0)
        monkeypatch.setattr(wipe, "SHARE", 1e-9)  # from now on: the longest pause
        assert index.wipe(at_once=True)
        index.remove(["l3"])
        assert not index.wipe()  # the last one took its share
        assert index.wipe(at_once=True)


def test_it_serves_while_it_is_wiped_and_a_removal_in_the_middle_counts(folder: Path) -> None:
    errors: list[BaseException] = []
    stop = threading.Event()

    def keep(work) -> None:  # type: ignore[no-untyped-def]
        try:
            while not stop.is_set():
                work()
        except BaseException as error:
            errors.append(error)

    with ListingIndex.open(folder, INFO) as index:

        def change() -> None:
            index.add([make(30, text=WORD)])
            index.add([make(30, text=f"{WORD} again")])
            index.remove(["l30"])

        def look() -> None:
            assert nearest_id(index, 3) == "l3"

        threads = [threading.Thread(target=keep, args=(work,)) for work in (change, look, look)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            index.wipe(at_once=True)
        stop.set()
        for thread in threads:
            thread.join()
        assert errors == []
        assert index.wipe(at_once=True)
        assert files_with(folder, WORD) == []
        assert index.count() == 20


def test_a_wipe_that_is_killed_changes_nothing_and_the_next_one_goes_through(folder: Path) -> None:
    with ListingIndex.open(folder, INFO) as index:
        index.add([make(n, text=f"{WORD} {n} " + "long " * 400) for n in range(100, 700)])
        index.remove([f"l{n}" for n in range(100, 400)])
        database = next(folder.rglob(wipe.DATABASE))
        for wait in (0.05, 0.1, 0.15, 0.2, 0.3):
            killed = subprocess.Popen([sys.executable, "-I", wipe.__file__, str(database)])
            time.sleep(wait)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            assert index.count() == 320
            assert nearest_id(index, 450) == "l450"
        index.remove([f"l{n}" for n in range(400, 700)])
        assert index.wipe(at_once=True)
        assert files_with(folder, WORD) == []
        assert index.count() == 20


def test_what_a_build_left_that_was_cut_off_goes_when_the_folder_is_opened(folder: Path) -> None:
    left = [folder / name for name in ("g-20200101000000-abcdef", "g-20300101000000-abcdef")]
    for generation in left:
        generation.mkdir()
        (generation / wipe.DATABASE).write_text(WORD)
    with ListingIndex.open(folder, INFO) as index:
        assert index.count() == 20
        assert not any(generation.exists() for generation in left)
    assert files_with(folder, WORD) == []


def test_a_wipe_that_fails_is_said_and_tried_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ListingIndex.open(folder, INFO) as index:
        index.remove(["l1"])
        database = next(folder.rglob(wipe.DATABASE))
        held = subprocess.Popen(
            [sys.executable, "-c", "import sqlite3,sys,time\n"
             "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
             "c.execute('ALTER TABLE embeddings_queue RENAME TO another')\nprint(flush=True)\n", str(database)],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        held.communicate()
        assert not index.wipe(at_once=True)
        assert "could not be wiped" in caplog.text
        subprocess.run([sys.executable, "-c", "import sqlite3,sys\n"
                        "sqlite3.connect(sys.argv[1]).execute('ALTER TABLE another RENAME TO embeddings_queue')",
                        str(database)], check=True)  # fmt: skip
        assert index.wipe(at_once=True)
