"""Where an index lives: a folder (one process at a time) or a Chroma server (many).

Both keep *generations*: a build fills a new one, and one atomic write of the manifest makes it the current one. An
interrupted build therefore changes nothing; its remains are swept away by the next finished one, in a folder by whoever
opens it next. An embedded database keeps traces of what is removed (in its queue, in free pages, among the vectors):
they go with the whole generation, when the index is rebuilt.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rag_index.errors import IndexBusy, IndexDamaged, IndexFailure, IndexMismatch, IndexMissing, IndexUnreachable
from rag_index.storage.manifest import Manifest

DATABASE = "chroma.sqlite3"
MARKS = ("removed", "wiped")  # beside a database that keeps traces (of removals by an earlier version: the second)
NIGHT_HOUR, DAY_SECONDS = 3, 86_400.0  # when an index is rebuilt that keeps traces, and after how long at any hour
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# chromadb's own type of a client lacks `close`.
Client = Any


def new_generation() -> str:
    """A name that no other build has."""
    return f"g-{datetime.now(UTC):%Y%m%d%H%M%S}-{secrets.token_hex(3)}"


def find_place(location: str | Path) -> FolderPlace | ServerPlace:
    """A folder's place (locked for this process) or a server's, by the look of ``location``.

    IndexBusy: the folder is in use. IndexUnreachable: the server does not answer.
    """
    if str(location).startswith(("http://", "https://")):
        return ServerPlace(str(location))
    return FolderPlace(Path(location))


def check_answers(location: str | Path) -> str:
    """The address without its path if ``location`` is a server's, else "". IndexUnreachable: it does not answer."""
    parts = urlsplit(str(location))
    if parts.scheme not in ("http", "https"):
        return ""
    import httpx  # only for a server's: an installation for a model's server has no index and no httpx

    if not parts.hostname:
        raise IndexUnreachable(f"{location} is no server address; write it like http://localhost:8000.")
    name = f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    with plain_errors(name):
        httpx.get(f"{name}/api/v2/heartbeat", timeout=CONNECT_SECONDS)
    return name


@contextmanager
def plain_errors(where: str) -> Iterator[None]:
    """Chroma's and the network's errors as sentences: IndexUnreachable without a connection, else IndexFailure."""
    import httpx
    from chromadb.errors import ChromaError

    unreachable = (
        f"The index server at {where} does not answer; start it (chroma run --path FOLDER --port PORT) and try again, "
        "everything that was confirmed before is still there."
    )
    try:
        yield
    except httpx.HTTPError as error:
        raise IndexUnreachable(unreachable) from error
    except ChromaError as error:
        raise IndexFailure(f"The index at {where} reports: {str(error).splitlines()[0][:200]}.") from error
    except json.JSONDecodeError as error:
        raise IndexFailure(f"The index at {where} gave an answer that is no JSON; look at its log.") from error
    except ValueError as error:
        if "Could not connect" not in str(error):
            raise
        raise IndexUnreachable(unreachable) from error


def client_of(folder: Path) -> Client:
    """A Chroma client for the embedded database in a folder."""
    import chromadb

    return chromadb.PersistentClient(folder, settings=_settings())


def _settings() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


class Gate:
    """Many pass at the same time, or one is alone; nobody passes twice at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside, self._closed = 0, False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Around a call of Chroma."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody is inside; whoever comes meanwhile waits. For one thread at a time."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


class FolderPlace:
    """``manifest.json``, ``lock``, and one subfolder a generation with its embedded Chroma database."""

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock, Timeout

        self.name = str(folder)
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        # Two processes on one embedded Chroma folder can block each other for minutes; the second is told at once.
        self._lock = FileLock(folder / "lock", timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise IndexBusy(
                f"The index in {folder} is open in another process; close that one, or run a server "
                "(chroma run --path FOLDER) and give both its address."
            ) from error
        self._clients: dict[str, Client] = {}
        self._gate = Gate()
        with suppress(IndexMismatch):  # a manifest that cannot be read keeps everything
            there = (folder / "manifest.json").is_file()
            self.sweep(keep=self.current().generation if there else "")  # what builds left that were cut off

    def current(self) -> Manifest:
        """The manifest of the current generation; IndexMissing when there is none."""
        file = self.folder / "manifest.json"
        if not file.is_file():
            raise IndexMissing(f"There is no index in {self.folder}; make one with: ipl index build.")
        return Manifest.read(file.read_text(encoding="utf-8"), self.name)

    def check(self, generation: str) -> None:
        """Raises IndexDamaged: the database of that generation is. IndexFailure: it cannot be read just now."""
        file = self.folder / generation / DATABASE
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True)) as connection:
                verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # Python's SQLite lacks a module of Chroma's
                return
            if file.is_file() and error.sqlite_errorcode not in _DAMAGED:
                raise IndexFailure(f"The index in {self.folder} cannot be read now ({error}).") from error
            verdict = str(error)
        if verdict != "ok":
            raise self.damaged(verdict)

    def damaged(self, reason: str) -> IndexDamaged:
        """The error to raise where the files are damaged."""
        detail = " ".join(reason.split())[:200]
        return IndexDamaged(f"The index in {self.folder} is damaged ({detail}): build it again (ipl index build).")

    def client(self, generation: str) -> Client:
        """A Chroma client for that generation."""
        if generation not in self._clients:
            with plain_errors(self.name):
                self._clients[generation] = client_of(self.folder / generation)
        return self._clients[generation]

    def publish(self, manifest: Manifest) -> None:
        """Make that manifest's generation the current one, in one atomic write."""
        written = self.folder / "manifest.tmp"
        with written.open("w", encoding="utf-8") as file:
            file.write(manifest.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        written.replace(self.folder / "manifest.json")

    def drop(self, generation: str) -> None:
        """Remove that generation."""
        if generation in self._clients:
            self._clients.pop(generation).close()
        shutil.rmtree(self.folder / generation, ignore_errors=True)

    def sweep(self, keep: str) -> None:
        """Remove all generations but ``keep``."""
        for folder in self.folder.glob("g-*"):
            if folder.name != keep:
                self.drop(folder.name)

    def answering(self) -> AbstractContextManager[None]:
        """Around calls: they wait for who is ``alone``."""
        return self._gate.passing()

    def alone(self) -> AbstractContextManager[None]:
        """Around what needs that nobody calls."""
        return self._gate.alone()

    def note_removal(self, generation: str) -> None:
        """Before rows are removed or replaced: that generation keeps traces of them."""
        mark = self.folder / generation / MARKS[0]
        if not mark.exists():
            mark.touch(mode=0o600)

    def is_due(self, generation: str) -> bool:
        """Whether that generation keeps traces, and it is night or they are a day old."""
        marks = [mark for name in MARKS if (mark := self.folder / generation / name).exists()]
        night = time.localtime().tm_hour == NIGHT_HOUR
        return any(night or time.time() - mark.stat().st_mtime > DAY_SECONDS for mark in marks)

    def close(self) -> None:
        """Let others in."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._lock.release()


SERVER_SECONDS, CONNECT_SECONDS = 30.0, 5.0  # longest wait for a server; filling one takes seconds a batch
QUIET_SECONDS = 30.0  # one that hung is left alone for so long, so that not every caller waits for it


class ServerPlace:
    """A ``chroma run`` server. The manifest is the metadata of one empty collection, which is written at once."""

    HEAD = "ipl-head"

    def __init__(self, url: str) -> None:
        import chromadb
        import httpx

        self._hangs_until = 0.0
        # Chroma's client sends several requests while it is made, each without end if the server hangs.
        self.name = check_answers(url)
        parts = urlsplit(self.name)
        with plain_errors(self.name):
            secure = parts.scheme == "https"
            self._client: Client = chromadb.HttpClient(
                str(parts.hostname), int(parts.port or 0), ssl=secure, settings=_settings()
            )
        # Its calls wait without end and have no setting for it; a server that hangs must not hang its callers.
        client: Any = self._client
        client._server._session.timeout = httpx.Timeout(SERVER_SECONDS, connect=CONNECT_SECONDS)

    def _collections(self) -> dict[str, Any]:
        with plain_errors(self.name):
            return {c.name: c for c in self._client.list_collections()}

    def current(self) -> Manifest:
        """The manifest of the current generation; IndexMissing when there is none."""
        head = self._collections().get(self.HEAD)
        if head is None:
            raise IndexMissing(f"There is no index on {self.name}; make one with: ipl index build --index {self.name}.")
        return Manifest.read(str((head.metadata or {}).get("manifest", "")), self.name)

    def client(self, generation: str) -> Client:
        """The server's client, whatever the generation."""
        return self._client

    def publish(self, manifest: Manifest) -> None:
        """Make that manifest's generation the current one: one write of metadata."""
        metadata = {"manifest": manifest.model_dump_json()}
        with plain_errors(self.name):
            if self.HEAD in self._collections():
                self._client.get_collection(self.HEAD, embedding_function=None).modify(metadata=metadata)
            else:
                self._client.create_collection(self.HEAD, metadata=metadata, embedding_function=None)

    def drop(self, generation: str) -> None:
        """Remove that generation."""
        self._delete(name for name in self._collections() if generation in name)

    def sweep(self, keep: str) -> None:
        """Remove all generations but ``keep``."""
        self._delete(name for name in self._collections() if name.startswith("ipl-g-") and keep not in name)

    def _delete(self, names: Iterable[str]) -> None:
        for name in names:
            with plain_errors(self.name):
                self._client.delete_collection(name)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around calls: IndexUnreachable at once while the server is known to hang."""
        import httpx

        if time.monotonic() < self._hangs_until:
            raise IndexUnreachable(f"The index server at {self.name} hangs; it is asked again in a moment.")
        try:
            yield
        except IndexUnreachable as error:
            if isinstance(error.__cause__, httpx.TimeoutException):
                self._hangs_until = time.monotonic() + QUIET_SECONDS
            raise

    def note_removal(self, generation: str) -> None:
        """Nothing is noted: a server's files are its operator's."""

    def is_due(self, generation: str) -> bool:
        """Never by a clock."""
        return False

    def alone(self) -> AbstractContextManager[None]:
        """Around what needs that nobody of this process calls: a call is whole on the server."""
        return nullcontext()

    def close(self) -> None:
        """Let others in."""
        self._client.close()


Place = FolderPlace | ServerPlace
