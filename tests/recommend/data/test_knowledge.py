"""The knowledge store: what is published is what is read, from one version, whatever is published meanwhile."""

from __future__ import annotations

import multiprocessing
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


def test_vectors_come_back_to_the_bit_in_the_order_asked(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        users, pairs = vectors(4), vectors(3, width=2)
        version = store.publish({"user": (KEYS, users), "pair": (PAIRS, pairs)}, until_ms=1_000)
        assert version.rows == {"user": 4, "pair": 3}
        order = np.array([3, 0, 0, 2, 1])
        np.testing.assert_array_equal(current(store, "user", KEYS[order]), users[order])
        np.testing.assert_array_equal(current(store, "pair", PAIRS[::-1]), pairs[::-1])
    with KnowledgeStore(tmp_path, readonly=True) as store:  # another server, later
        np.testing.assert_array_equal(current(store, "user", KEYS), users)


def test_a_missing_key_gives_the_default_vector(tmp_path: Path) -> None:
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


def _publish_elsewhere(folder: Path) -> None:
    with KnowledgeStore(folder) as store:
        store.publish({"user": (KEYS, np.full((4, 4), 9, dtype=np.float32))}, until_ms=0)


def test_another_process_publishes_and_readers_follow(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        store.publish({"user": (KEYS, vectors(4))}, until_ms=0)
        other = multiprocessing.get_context("spawn").Process(target=_publish_elsewhere, args=(tmp_path,))
        other.start()
        other.join(60)
        assert other.exitcode == 0
        assert (current(store, "user", KEYS) == 9).all()


def test_an_interrupted_publication_changes_nothing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, first = np.arange(100), vectors(100, seed=1)
    with KnowledgeStore(tmp_path) as store:
        store.publish({"user": (many, first)}, until_ms=0)
        monkeypatch.setattr(knowledge, "CHUNK", 30)
        write, calls = knowledge._items, []

        def fail(*arguments: object) -> object:
            calls.append(1)
            if len(calls) == 3:
                raise RuntimeError("power cut")
            return write(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(knowledge, "_items", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            store.publish({"user": (many, vectors(100, seed=2))}, until_ms=0)
        np.testing.assert_array_equal(current(store, "user", many), first)
        monkeypatch.setattr(knowledge, "_items", write)
        few = vectors(10, seed=3)
        store.publish({"user": (many[:10], few)}, until_ms=0, keep=1)  # takes the number of the one that failed
        np.testing.assert_array_equal(current(store, "user", many[:10]), few)
        assert (current(store, "user", many[10:]) == 0).all()
        with store._env.begin() as transaction:
            assert transaction.stat()["entries"] == 10 + 2


def test_rows_that_a_crash_left_behind_go_with_the_next_publication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes when the new version is current, and the old one's rows are not deleted, or only in part."""

    def entries(store: KnowledgeStore) -> int:
        with store._env.begin() as transaction:
            return transaction.stat()["entries"]

    many, delete = np.arange(100), KnowledgeStore._delete
    monkeypatch.setattr(knowledge, "CHUNK", 30)
    for deleted in (0, 30):

        def crash(store: KnowledgeStore, prefix: bytes, rows: int = deleted) -> None:
            with store._env.begin(write=True) as transaction, transaction.cursor() as cursor:
                cursor.set_range(prefix)
                for _ in range(rows):
                    cursor.delete()
            raise RuntimeError("power cut")

        with KnowledgeStore(tmp_path / str(deleted)) as store:
            store.publish({"user": (many, vectors(100, seed=1))}, until_ms=0, keep=1)
            second = vectors(100, seed=2)
            monkeypatch.setattr(KnowledgeStore, "_delete", crash)
            with pytest.raises(RuntimeError, match="power cut"):
                store.publish({"user": (many, second)}, until_ms=0, keep=1)
            monkeypatch.setattr(KnowledgeStore, "_delete", delete)
            assert [v.number for v in store.versions()] == [2]
            assert entries(store) == 100 - deleted + 100 + 2
            np.testing.assert_array_equal(current(store, "user", many), second)
            third = vectors(10, seed=3)
            store.publish({"user": (many[:10], third)}, until_ms=0, keep=2)
            assert [v.number for v in store.versions()] == [2, 3]
            assert entries(store) == 100 + 10 + 2
            np.testing.assert_array_equal(current(store, "user", many[:10]), third)
            with store.snapshot(2) as older:
                np.testing.assert_array_equal(older.lookup("user", many), second)


def test_a_sample_older_than_the_knowledge_is_refused(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        store.publish({"user": (KEYS, vectors(4))}, until_ms=5_000)
        with store.snapshot() as snapshot:
            snapshot.lookup("user", KEYS[:2], np.array([5_000, 9_000]))
            with pytest.raises(DataError, match="published before it"):
                snapshot.lookup("user", KEYS[:2], np.array([4_999, 9_000]))


def test_older_versions_are_kept_as_long_as_asked(tmp_path: Path) -> None:
    with KnowledgeStore(tmp_path) as store:
        for n in range(1, 5):
            store.publish({"user": (KEYS, np.full((4, 1), n, dtype=np.float32))}, until_ms=n, keep=3)
        assert [v.until_ms for v in store.versions()] == [2, 3, 4]
        with store.snapshot(2) as snapshot:
            assert (snapshot.lookup("user", KEYS) == 2).all()
        with pytest.raises(DataError, match="keeps the versions 2, 3, 4, not 1"), store.snapshot(1):
            pass


@pytest.mark.parametrize(
    ("keys", "rows", "message"),
    [(np.array([1, 1]), 2, "there twice"), (np.array([1, -1]), 2, "negative"), (np.array([1, 2]), 3, "2 keys and 3")],
)
def test_tables_that_make_no_sense_are_refused(tmp_path: Path, keys: np.ndarray, rows: int, message: str) -> None:
    with KnowledgeStore(tmp_path) as store, pytest.raises(DataError, match=message):
        store.publish({"user": (keys, vectors(rows))}, until_ms=0)


def test_faults_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        KnowledgeStore(tmp_path / "none", readonly=True)
    with KnowledgeStore(tmp_path) as store:
        with pytest.raises(DataError, match="nothing has been published"), store.snapshot():
            pass
        store.publish({"user": (KEYS, vectors(4)), "pair": (PAIRS, vectors(3))}, until_ms=0)
        with store.snapshot() as snapshot:
            with pytest.raises(DataError, match="it has user, pair"):
                snapshot.lookup("seller", KEYS)
            with pytest.raises(DataError, match="have 1 parts, the published ones 2"):
                snapshot.lookup("pair", KEYS)
    with KnowledgeStore(tmp_path / "tight", capacity=65_536) as store, pytest.raises(DataError, match="is full"):
        store.publish({"user": (np.arange(10_000), vectors(10_000))}, until_ms=0)
    assert issubclass(lmdb.MapFullError, lmdb.Error)
