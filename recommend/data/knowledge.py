"""Knowledge by key in an LMDB file: vectors of users, items, pairs, in versions that are swapped while readers go on.

A version is written under its own prefix, in parts that nobody sees, and becomes the current one in a single
transaction. A snapshot is a read transaction: all that it looks up comes from one version, however many are published
meanwhile. A key that a version does not hold gives zeros, the default vector. Every version says until when the events
went that shaped it, and refuses samples from before that moment, whose labels it may have seen.

A process opens a folder once; its threads share the store, other processes open it for themselves.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import lmdb
import numpy as np
from filelock import FileLock

from recommend.data.parquet import DataError

CURRENT = b"\0\0\0\0current"  # sorts before every version, whose numbers start at 1
ABOUT = b"\0\0\0\0about"
CHUNK = 50_000  # keys of a transaction: another writer waits no longer than for these

Table = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Version:
    """Facts of a version.

    Attributes:
        until_ms: no event at or after this moment shaped it.
        widths, parts, rows: of each kind: size of its vectors, numbers in a key, keys.
        source: whose coordinates the vectors have; empty where nobody said.
    """

    number: int
    until_ms: int
    widths: Mapping[str, int]
    parts: Mapping[str, int]
    rows: Mapping[str, int]
    source: str = ""

    def prefix(self, kind: str) -> bytes:
        """The beginning of a kind's keys."""
        if kind not in self.widths:
            raise DataError(f"version {self.number} holds no knowledge of '{kind}'; it has {', '.join(self.widths)}.")
        return struct.pack(">IB", self.number, list(self.widths).index(kind))


class Snapshot:
    """One version, as a read transaction sees it."""

    def __init__(self, version: Version, transaction: lmdb.Transaction) -> None:
        self.version = version
        self._transaction = transaction

    def lookup(self, kind: str, keys: np.ndarray, time_ms: np.ndarray | None = None) -> np.ndarray:
        """(n, width) float32 vectors of (n,) or (n, parts) keys; zeros where a key is missing.

        Args:
            time_ms: (n,) moments of the samples that ask.

        Raises:
            DataError: a sample lies before the version's ``until_ms``, so that its own label may have shaped it.
        """
        version = self.version
        if time_ms is not None and len(time_ms) and int(np.min(time_ms)) < version.until_ms:
            raise DataError(
                f"knowledge of events until {version.until_ms} ms was asked for a sample at {int(np.min(time_ms))} ms; "
                "use a version that was published before it."
            )
        names = _names(version.prefix(kind), keys, version.parts[kind])
        width, get = version.widths[kind], self._transaction.get
        missing = bytes(4 * width)
        each = {name: get(name, missing) for name in dict.fromkeys(names)}  # of a request's rows one user asks
        joined = b"".join([each[name] for name in names])
        return np.frombuffer(joined, dtype="<f4").reshape(len(names), width)


class KnowledgeStore:
    """A folder of knowledge.

    Args:
        capacity: bytes that the file may grow to; on Linux and macOS they are reserved as addresses only.
        readonly: for servers; the folder must exist.
    """

    def __init__(self, folder: Path, capacity: int = 1 << 32, readonly: bool = False) -> None:
        self.folder = Path(folder)
        try:
            if not readonly:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._env = lmdb.open(str(self.folder), map_size=capacity, readonly=readonly, create=not readonly)
        except (lmdb.Error, OSError) as error:
            raise DataError(f"{folder} cannot be opened as a knowledge store: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release the file; snapshots must have ended."""
        self._env.close()

    def copy(self, folder: Path) -> None:
        """Write everything that is readable now into a folder that must be empty; publications go on meanwhile."""
        folder.mkdir(parents=True, exist_ok=True)
        self._env.copy(str(folder), compact=True)

    @contextmanager
    def snapshot(self, number: int | None = None) -> Iterator[Snapshot]:
        """The current version, or one that is still kept."""
        with self._env.begin(buffers=True) as transaction:
            current = transaction.get(CURRENT)
            if current is None:
                raise DataError(f"nothing has been published in {self.folder} yet.")
            versions = _about(transaction)
            version = int(bytes(current)) if number is None else number
            if version not in versions:
                raise DataError(f"{self.folder} keeps the versions {', '.join(map(str, versions))}, not {version}.")
            yield Snapshot(versions[version], transaction)

    def publish(self, tables: Mapping[str, Table], until_ms: int, keep: int = 2, source: str = "") -> Version:
        """Write a new version and make it the current one; readers go on meanwhile.

        Args:
            tables: kind to its keys, (n,) or (n, parts) integers, each once, and their (n, width) vectors.
            until_ms: no event at or after it shaped the vectors.
            keep: versions that stay readable, the new one included; older ones are deleted.
            source: see ``Version``.
        """
        with FileLock(str(self.folder / "publish.lock")), self._full():
            versions = {version.number: version for version in self.versions()}
            number = max(versions, default=0) + 1
            self._delete_all_but(
                versions
            )  # what an interrupted publication may have left, of its own or of old versions
            version = Version(
                number=number,
                until_ms=int(until_ms),
                widths={kind: vectors.shape[1] for kind, (_, vectors) in tables.items()},
                parts={kind: _columns(keys).shape[1] for kind, (keys, _) in tables.items()},
                rows={kind: len(keys) for kind, (keys, _) in tables.items()},
                source=source,
            )
            for kind, (keys, vectors) in tables.items():
                self._write(version, kind, *_sorted(kind, keys, vectors))
            remaining = sorted([*versions, number])[-max(keep, 1) :]
            with self._env.begin(write=True) as transaction:
                facts = [asdict({**versions, number: version}[n]) for n in remaining]
                transaction.put(ABOUT, json.dumps(facts).encode())
                transaction.put(CURRENT, str(number).encode())
            self._delete_all_but(remaining)
        return version

    def versions(self) -> list[Version]:
        """Those that are kept, oldest first."""
        with self._env.begin() as transaction:
            return list(_about(transaction).values())

    def _write(self, version: Version, kind: str, keys: np.ndarray, vectors: np.ndarray) -> None:
        for at in range(0, len(keys), CHUNK):
            part = _items(version, kind, keys[at : at + CHUNK], vectors[at : at + CHUNK])
            with self._env.begin(write=True) as transaction:
                transaction.cursor().putmulti(part, append=True)

    def _delete(self, prefix: bytes) -> None:
        """All keys that begin so, in parts; open snapshots still see them."""
        left = True
        while left:
            with self._env.begin(write=True) as transaction, transaction.cursor() as cursor:
                left = cursor.set_range(prefix)
                for _ in range(CHUNK):
                    left = left and cursor.key().startswith(prefix)
                    if not left:
                        break
                    left = cursor.delete()

    def _delete_all_but(self, remaining: Container[int]) -> None:
        """The rows of every version that is not kept."""
        number = self._next(0)  # under 0 lie CURRENT and ABOUT
        while number is not None:
            if number not in remaining:
                self._delete(struct.pack(">I", number))
            number = self._next(number)

    def _next(self, number: int) -> int | None:
        """The first version after a number that has rows."""
        with self._env.begin() as transaction, transaction.cursor() as cursor:
            there = cursor.set_range(struct.pack(">I", number + 1))
            return struct.unpack(">I", cursor.key()[:4])[0] if there else None

    @contextmanager
    def _full(self) -> Iterator[None]:
        try:
            yield
        except lmdb.MapFullError as error:
            raise DataError(f"{self.folder} is full; open it with a larger capacity.") from error


def _columns(keys: np.ndarray) -> np.ndarray:
    return keys if keys.ndim == 2 else keys[:, None]


def _names(prefix: bytes, keys: np.ndarray, parts: int) -> Sequence[bytes]:
    """LMDB keys; big-endian, so that they sort as the numbers do."""
    columns = _columns(np.asarray(keys))
    if len(columns) and columns.shape[1] != parts:
        raise DataError(f"these keys have {columns.shape[1]} parts, the published ones {parts}.")
    raw, size = columns.astype(">i8").tobytes(), 8 * parts
    return [prefix + raw[at : at + size] for at in range(0, len(raw), size)]


def _items(version: Version, kind: str, keys: np.ndarray, vectors: np.ndarray) -> list[tuple[bytes, bytes]]:
    raw, size = np.ascontiguousarray(vectors, dtype="<f4").tobytes(), 4 * version.widths[kind]
    values = [raw[at : at + size] for at in range(0, len(raw), size)]
    return list(zip(_names(version.prefix(kind), keys, version.parts[kind]), values, strict=True))


def _sorted(kind: str, keys: np.ndarray, vectors: np.ndarray) -> Table:
    columns = _columns(np.asarray(keys))
    if len(columns) != len(vectors):
        raise DataError(f"knowledge of '{kind}' has {len(columns)} keys and {len(vectors)} vectors.")
    if len(columns) and columns.min() < 0:
        raise DataError(f"a key of '{kind}' is negative; -1 means 'none' and has no knowledge.")
    order = np.lexsort(columns.T[::-1])
    columns = columns[order]
    if len(columns) > 1 and bool((columns[1:] == columns[:-1]).all(1).any()):
        raise DataError(f"a key of '{kind}' is there twice.")
    return columns, np.asarray(vectors)[order]


def _about(transaction: lmdb.Transaction) -> dict[int, Version]:
    stored = transaction.get(ABOUT)
    return {} if stored is None else {v["number"]: Version(**v) for v in json.loads(bytes(stored))}
