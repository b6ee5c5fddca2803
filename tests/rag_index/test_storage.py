"""The files of an embedded index: rebuilt, they hold nothing of what was removed; damage is told; each process has its
copy."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag_index import IndexBusy, IndexDamaged, IndexFailure, IndexMissing, ListingIndex, build, own_copy, still_copy
from rag_index.storage import location
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


SELLER = "victimsellerid"


def test_a_rebuilt_folder_holds_nothing_of_what_was_removed(folder: Path) -> None:
    with ListingIndex.open(folder, INFO) as index:
        index.add([make(30, text=f"A {WORD}"), make(31, text=f"B {WORD}"), make(32, attributes={"brand": WORD})])
        index.add([make(n, seller_id=SELLER) for n in range(40, 70)])
        index.remove(["l30", *(f"l{n}" for n in range(40, 70))])
        index.add([make(31, text="B"), make(32, image_vectors=[])])
        assert files_with(folder, WORD)
        assert files_with(folder, SELLER)
        assert index.rebuild()
        assert files_with(folder, WORD) + files_with(folder, SELLER) == []
        assert [nearest_id(index, n) for n in (0, 19, 31)] == ["l0", "l19", "l31"]
        index.add([make(n) for n in range(40, 60)])
        index.remove(["l41"])
        assert nearest_id(index, 40) == "l40"
    with ListingIndex.open(folder, INFO) as index:
        assert index.ids() == {f"l{n}" for n in (*range(20), 31, 32, 40, *range(42, 60))}
        assert [nearest_id(index, n) for n in (0, 31, 40, 59)] == ["l0", "l31", "l40", "l59"]
        assert index.get("l31").text == "B"  # type: ignore[union-attr]
        assert nearest_id(index, 41) != "l41"


def test_it_is_rebuilt_at_night_or_after_a_day_if_something_was_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    with ListingIndex.open(folder, INFO) as index:
        for hour, days, removed, due in [
            (3, 9, False, False),
            (4, 0.9, True, False),
            (4, 1.1, True, True),
            (3, 0, True, True),
        ]:
            monkeypatch.setattr(time, "localtime", lambda hour=hour: SimpleNamespace(tm_hour=hour))
            monkeypatch.setattr(time, "time", lambda days=days: real() + days * 86_400)
            if removed:
                index.remove([index.ids().pop()])
            assert index.rebuild(nightly=True) is due
            if due:
                assert not index.rebuild(nightly=True)


def test_a_read_beside_a_removal_is_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chromadb.api.models.Collection import Collection
    from chromadb.errors import InternalError

    get, failures = Collection.get, iter([InternalError("Error executing plan: Internal error: Error finding id")] * 3)

    def removed_meanwhile(self: Collection, *args: object, **arguments: object) -> object:
        for error in failures:
            raise error
        return get(self, *args, **arguments)

    with ListingIndex.open(folder, INFO) as index:
        everything = index.ids()
        monkeypatch.setattr(Collection, "get", removed_meanwhile)
        assert index.ids() == everything
        failures = iter([InternalError("no space left")])
        with pytest.raises(IndexFailure, match="no space left"):
            index.ids()


def test_index_serves_while_it_is_rebuilt(folder: Path) -> None:
    errors: list[BaseException] = []
    stop = threading.Event()
    numbers = count(100)

    def keep(work) -> None:  # type: ignore[no-untyped-def]
        try:
            while not stop.is_set():
                work()
        except BaseException as error:
            errors.append(error)

    with ListingIndex.open(folder, INFO) as index:

        def change() -> None:
            index.add([make(30, text=WORD), make(next(numbers))])
            index.add([make(30, text=f"{WORD} again")])
            index.remove(["l30"])

        def look() -> None:
            assert nearest_id(index, 3) == "l3"

        threads = [threading.Thread(target=keep, args=(work,)) for work in (change, look, look)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            assert index.rebuild()
        stop.set()
        for thread in threads:
            thread.join()
        assert errors == []
        assert index.rebuild()
        assert files_with(folder, WORD) == []
        assert index.ids() == {f"l{n}" for n in (*range(20), *range(100, next(numbers)))}
        assert index.photo_count() == index.count()


KILLED = """
import os, sys
from rag_index import ListingIndex
from rag_index.storage.location import FolderPlace
publish, copied = FolderPlace.publish, sys.argv[2]
if copied == "a part":
    from rag_index import index as module
    stored, calls = module.stored, []
    def die_later(*args):
        calls.append(1)
        return stored(*args) if len(calls) < 2 else os.kill(os.getpid(), 9)
    module.stored = die_later
def die(self, manifest):
    if copied == "published":
        publish(self, manifest)
    os.kill(os.getpid(), 9)
FolderPlace.publish = die
if __name__ == "__main__":
    ListingIndex.open(sys.argv[1]).rebuild()
"""


@pytest.mark.slow
@pytest.mark.parametrize("copied", ["a part", pytest.param("all", marks=pytest.mark.nightly), "published"])
def test_a_killed_rebuild_loses_nothing(folder: Path, repository: Path, copied: str) -> None:
    with ListingIndex.open(folder, INFO) as index:
        index.add([make(30, text=WORD)])
        index.remove(["l30"])
    command = [sys.executable, "-c", KILLED, str(folder), copied]
    killed = subprocess.run(command, cwd=repository, check=False, capture_output=True)  # until both processes are gone
    assert killed.returncode == -9
    assert len(list(folder.glob("g-*"))) == 2
    with ListingIndex.open(folder, INFO) as index:
        assert len(list(folder.glob("g-*"))) == 1
        assert index.ids() == {f"l{n}" for n in range(20)}
        assert nearest_id(index, 7) == "l7"
        assert index.rebuild()
    assert files_with(folder, WORD) == []


def test_a_failed_rebuild_leaves_the_index_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ListingIndex.open(folder, INFO) as index:
        with monkeypatch.context() as full:
            full.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space left on device")))
            with pytest.raises(OSError, match="no space"):
                index.rebuild()
        assert len(list(folder.glob("g-*"))) == 1
        index.remove(["l1"])
        assert index.rebuild()
        assert nearest_id(index, 2) == "l2"
        assert index.count() == 19


def test_leftovers_of_a_build_go_on_opening(folder: Path) -> None:
    left = [folder / name for name in ("g-20200101000000-abcdef", "g-20300101000000-abcdef")]
    for generation in left:
        generation.mkdir()
        (generation / location.DATABASE).write_text(WORD)
    with ListingIndex.open(folder, INFO) as index:
        assert index.count() == 20
        assert not any(generation.exists() for generation in left)
    assert files_with(folder, WORD) == []


ENOUGH = 1_100  # rows after which Chroma writes files of vectors


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "index"
    build((make(n) for n in range(ENOUGH)), folder, INFO)
    return folder


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("chroma.sqlite3", zeros),
        ("chroma.sqlite3", Path.unlink),
        ("*/header.bin", zeros),
        ("*/header.bin", Path.unlink),
        ("*/index_metadata.pickle", zeros),
        ("*/length.bin", Path.unlink),
        ("*/data_level0.bin", Path.unlink),
    ],
)
def test_damaged_file_is_said_and_built_again(
    whole: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    location = tmp_path / "index"
    shutil.copytree(whole, location)
    damage(next(location.glob(f"g-*/{name}")))
    with pytest.raises(IndexDamaged, match=r"damaged.*build it again"):
        ListingIndex.open(location, INFO)
    assert build([make(1)], location, INFO) == 1
    with ListingIndex.open(location, INFO) as index:
        assert index.ids() == {"l1"}
    assert len(list(location.glob("g-*"))) == 1


@pytest.mark.slow
def test_locked_database_is_not_damaged(whole: Path, tmp_path: Path) -> None:
    location = tmp_path / "index"
    shutil.copytree(whole, location)
    with closing(sqlite3.connect(next(location.glob("g-*/chroma.sqlite3")))) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(IndexFailure) as failure:
            ListingIndex.open(location, INFO)
    assert not isinstance(failure.value, IndexDamaged)
    with ListingIndex.open(location, INFO) as index:
        assert index.count() == ENOUGH


DIE_WITH_A_COPY = """
import os, sys
import sqlite3
from contextlib import closing
from pathlib import Path
from rag_index import own_copy, still_copy
with still_copy(sys.argv[1], Path(sys.argv[2])) as still:
    own_copy(still)
    os.kill(os.getpid(), 9)
"""


def left(under: Path) -> list[str]:
    return [p.name for p in under.glob("index-copies-*")]


def test_copies_hold_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    build([make(n) for n in range(20)], folder, INFO)
    with still_copy(str(folder), tmp_path) as still, ListingIndex.open(folder, INFO) as original:
        with ListingIndex.open(own_copy(still), INFO) as one, ListingIndex.open(own_copy(still), INFO) as other:
            one.remove(["l3"])  # a copy is nobody else's
            assert (original.count(), one.count(), other.count()) == (20, 19, 20)
            assert list(other.records()) == list(original.records())
        assert left(tmp_path)
    assert not left(tmp_path)


def test_copies_of_a_killed_process_go(tmp_path: Path, repository: Path) -> None:
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
