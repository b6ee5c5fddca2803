"""The knowledge store: what is published is what is read, from one version, whatever is published meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import lmdb
import numpy as np
import pytest

from recommend.data import knowledge
from recommend.data.knowledge import KnowledgeStore
from recommend.data.parquet import DataError

KEYS = np.array([7, 2, 300, 1_000_000_007])
PAIRS = np.array([[7, 1], [7, 0], [2, 5]])


def vectors(rows: int, width: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


def current(store: KnowledgeStore, kind: str, keys: np.ndarray) -> np.ndarray:
    with store.snapshot() as snapshot:
        return snapshot.lookup(kind, keys)


def test_vectors_come_back_in_the_order_asked(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        users, pairs = vectors(4), vectors(3, width=2)
        version = store.publish({"user": (KEYS, users), "pair": (PAIRS, pairs)}, until_ms=1_000)
        assert version.rows == {"user": 4, "pair": 3}
        order = np.array([3, 0, 0, 2, 1])
        np.testing.assert_array_equal(current(store, "user", KEYS[order]), users[order])
        np.testing.assert_array_equal(current(store, "pair", PAIRS[::-1]), pairs[::-1])
    with KnowledgeStore(tmp_path, readonly=True) as store:  # another server, later
        np.testing.assert_array_equal(current(store, "user", KEYS), users)


def test_a_missing_key_gives_zeros(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        store.publish({"user": (KEYS, vectors(4)), "pair": (PAIRS, vectors(3))}, until_ms=0)
        looked_up = current(store, "user", np.array([-1, 7, 8, 0, 2**62]))
        assert (looked_up[[0, 2, 3, 4]] == 0).all()
        assert (looked_up[1] != 0).all()
        assert (current(store, "pair", np.array([[1, 7], [300, 0]])) == 0).all()  # not the other way round
        assert current(store, "user", np.array([], dtype=np.int64)).shape == (0, 4)


def test_a_snapshot_stays_with_its_version(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        first, second = vectors(4, seed=1), vectors(4, seed=2)
        store.publish({"user": (KEYS, first)}, until_ms=0)
        with store.snapshot() as old:
            done = threading.Thread(target=lambda: store.publish({"user": (KEYS, second)}, until_ms=0, keep=1))
            done.start()
            done.join()
            np.testing.assert_array_equal(old.lookup("user", KEYS), first)  # deleted meanwhile, still whole
        np.testing.assert_array_equal(current(store, "user", KEYS), second)


def test_readers_never_see_two_versions_at_once(tmp_path: Path) -> None:
    """Version n holds n in every number of both kinds; four readers look both up while thirty versions come and go."""
    keys = np.arange(500)
    problems: list[str] = []
    versions: set[int] = set()
    over = threading.Event()

    def tables(n: int) -> dict[str, knowledge.Table]:
        value = np.full((500, 4), n, dtype=np.float32)
        return {"user": (keys, value), "item": (keys, value)}

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not over.is_set():
            asked = rng.choice(keys, 200)
            with store.snapshot() as snapshot:
                values = {*np.unique(snapshot.lookup("user", asked)), *np.unique(snapshot.lookup("item", asked))}
            if len(values) != 1 or 0.0 in values:
                problems.append(str(values))
            versions.update(int(v) for v in values)

    with KnowledgeStore(tmp_path) as store:
        store.publish(tables(1), until_ms=0)
        readers = [threading.Thread(target=read, args=(n,)) for n in range(4)]
        for reader in readers:
            reader.start()
        for n in range(2, 31):
            store.publish(tables(n), until_ms=0)
        over.set()
        for reader in readers:
            reader.join()
        assert [v.number for v in store.versions()] == [29, 30]
    assert not problems
    assert len(versions) > 2  # the readers did go on during the publications


ELSEWHERE = """
import sys
import numpy as np
from recommend.data.knowledge import KnowledgeStore

with KnowledgeStore(sys.argv[1]) as store:
    store.publish({"user": (np.array([7]), np.full((1, 4), 9, dtype=np.float32))}, until_ms=0)
"""


def test_readers_follow_another_process(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        store.publish({"user": (KEYS, vectors(4))}, until_ms=0)
        subprocess.run([sys.executable, "-c", ELSEWHERE, str(tmp_path)], check=True)
        assert (current(store, "user", KEYS[:1]) == 9).all()


def entries(store: KnowledgeStore, folder: Path) -> int:
    """Of a copy of the store's file."""
    store.copy(folder)
    with lmdb.open(str(folder), readonly=True) as copy:
        return copy.stat()["entries"]


def test_a_publication_that_ends_early_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is full after some of the rows; in a larger one the next publication takes the number."""
    many, first = np.arange(100), vectors(100, seed=1)
    monkeypatch.setattr(knowledge, "CHUNK", 30)
    with KnowledgeStore(tmp_path / "store", capacity=65_536) as store:
        store.publish({"user": (many, first)}, until_ms=0)
        with pytest.raises(DataError, match="is full"):
            store.publish({"user": (np.arange(10_000), vectors(10_000))}, until_ms=0)
        np.testing.assert_array_equal(current(store, "user", many), first)
    with KnowledgeStore(tmp_path / "store") as store:
        assert entries(store, tmp_path / "before") > 102
        few = vectors(10, seed=3)
        assert store.publish({"user": (many[:10], few)}, until_ms=0, keep=1).number == 2
        np.testing.assert_array_equal(current(store, "user", many[:10]), few)
        assert (current(store, "user", many[10:]) == 0).all()
        assert entries(store, tmp_path / "after") == 10 + 2


def test_rows_left_by_a_crash_go_next_time(tmp_path: Path) -> None:
    """The power goes when the new version is current, and the old one's rows are not deleted, or only in part."""
    many, second, third = np.arange(100), vectors(100, seed=2), vectors(10, seed=3)
    with KnowledgeStore(tmp_path / "store") as store:
        store.publish({"user": (many, vectors(100, seed=1))}, until_ms=0, keep=1)
        store.copy(tmp_path / "old")
        store.publish({"user": (many, second)}, until_ms=0, keep=1)
    with lmdb.open(str(tmp_path / "old"), readonly=True) as old, old.begin() as transaction:
        rows = [(key, value) for key, value in transaction.cursor() if len(value) == 16]
    with lmdb.open(str(tmp_path / "store")) as file, file.begin(write=True) as transaction:
        assert transaction.cursor().putmulti(rows[:70])[1] == 70
    with KnowledgeStore(tmp_path / "store") as store:
        assert [v.number for v in store.versions()] == [2]
        assert entries(store, tmp_path / "before") == 70 + 100 + 2
        np.testing.assert_array_equal(current(store, "user", many), second)
        store.publish({"user": (many[:10], third)}, until_ms=0, keep=2)
        assert [v.number for v in store.versions()] == [2, 3]
        assert entries(store, tmp_path / "after") == 100 + 10 + 2
        np.testing.assert_array_equal(current(store, "user", many[:10]), third)
        with store.snapshot(2) as older:
            np.testing.assert_array_equal(older.lookup("user", many), second)
        with pytest.raises(DataError, match="keeps the versions 2, 3, not 1"), store.snapshot(1):
            pass


def test_a_sample_older_than_the_knowledge_is_refused(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        store.publish({"user": (KEYS, vectors(4))}, until_ms=5_000)
        with store.snapshot() as snapshot:
            snapshot.lookup("user", KEYS[:2], np.array([5_000, 9_000]))
            with pytest.raises(DataError, match="published before it"):
                snapshot.lookup("user", KEYS[:2], np.array([4_999, 9_000]))


def test_faults_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        KnowledgeStore(tmp_path / "none", readonly=True)
    with KnowledgeStore(tmp_path) as store:
        with pytest.raises(DataError, match="nothing has been published"), store.snapshot():
            pass
        for keys, rows, message in (([1, 1], 2, "there twice"), ([1, -1], 2, "negative"), ([1, 2], 3, "2 keys and 3")):
            with pytest.raises(DataError, match=message):
                store.publish({"user": (np.array(keys), vectors(rows))}, until_ms=0)
        store.publish({"user": (KEYS, vectors(4)), "pair": (PAIRS, vectors(3))}, until_ms=0)
        with store.snapshot() as snapshot:
            with pytest.raises(DataError, match="it has user, pair"):
                snapshot.lookup("seller", KEYS)
            with pytest.raises(DataError, match="have 1 parts, the published ones 2"):
                snapshot.lookup("pair", KEYS)
