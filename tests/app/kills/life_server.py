"""Servers of ``kill_server`` on files or on PostgreSQL and Chroma, and what must be true of their store."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Literal

import httpx
import psutil

from tests.servers import Postgres, Server, free_port

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 120.0
STOP_SECONDS = 120.0


class Starter:
    """A process from which others are forked, which so costs no imports; use it with ``with``.

    Args:
        log: what it and they say.
        program: ``kill_server`` or ``kill_command``, which say what an order is and what the answer.
    """

    def __init__(self, log: Path, program: str = "kill_server") -> None:
        self.log = log
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command, pipe = [sys.executable, f"tests/app/kills/{program}.py"], subprocess.PIPE
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=out, text=True
            )

    def __enter__(self) -> Starter:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def fork(self, order: dict[str, object]) -> int:
        """Another process; returns the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


class OneServer:
    """A server on a home: started, stopped in order, or killed.

    Args:
        settings: further ``IPL_*`` variables, such as the store's address.
    """

    def __init__(self, starter: Starter, home: Path, settings: dict[str, str]) -> None:
        self.starter, self.port = starter, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings: dict[str, object] = {
            "IPL_HOME": str(home),
            "IPL_PORT": str(self.port),
            "IPL_FEED_PER_SECOND": "1e6",
            "IPL_DRAFT_MINUTES": "0.1",  # on a shared database so long passes before a draft is known to be nobody's
            **settings,
        }
        self.process: int | None = None

    def start(self) -> None:
        """Start it; returns when it is ready."""
        self.process = self.starter.fork(self.settings)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until it answers that it can work."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if not psutil.pid_exists(self.process or 0):
                raise RuntimeError(f"the server ended: {self.starter.log.read_text()[-2000:]}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=10).is_success:
                    return
            time.sleep(0.05)
        raise RuntimeError("the server was not ready in time")

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it by a signal; returns when it is gone."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, number)
        until = time.monotonic() + STOP_SECONDS
        while psutil.pid_exists(self.process):
            assert time.monotonic() < until, "the server did not end"
            time.sleep(0.01)
        self.process = None


ENDED = ("refunded", "cancelled")


@dataclass
class DraftModel:
    """An unpublished draft: its photos in their order, and the words that stand in it."""

    id: str
    photos: list[str]
    words: list[str]
    state: str = "ready"
    price: float | None = None


@dataclass
class ListingModel:
    """A listing as its seller last set it. words: all that ever stood in it or its draft."""

    id: str
    draft: str
    key: str
    photos: list[str]
    title: str
    price: float | None
    words: list[str]
    status: str = "active"
    stock: int = 1


@dataclass
class OrderModel:
    """An order; it outlives its listing."""

    id: str
    listing: str
    amount: float
    state: str = "open"
    lines: list[str] = field(default_factory=list)  # messages, and what was done, as its conversation has them


@dataclass
class World:
    """Everything that must be true of the store."""

    drafts: dict[str, DraftModel] = field(default_factory=dict)
    listings: dict[str, ListingModel] = field(default_factory=dict)
    orders: dict[str, OrderModel] = field(default_factory=dict)
    gone_photos: set[str] = field(default_factory=set)
    gone_words: set[str] = field(default_factory=set)

    def standing(self, listing: str) -> list[OrderModel]:
        """Orders of a listing that were neither given back nor cancelled."""
        return [o for o in self.orders.values() if o.listing == listing and o.state not in ENDED]

    def forget(self, item: DraftModel | ListingModel) -> None:
        """It was deleted: no photo and no word of it may be left."""
        self.gone_photos.update(item.photos)
        self.gone_words.update(item.words)


Target = Literal["server", "chroma", "postgresql"]
TARGETS: tuple[Target, ...] = ("server", "chroma", "postgresql")


class Stack:
    """Everything that runs; use it with ``with``.

    Args:
        home: folder of the first server and of the index; the photos in it are everybody's.
        fsync: whether PostgreSQL waits for the disk, as it does by default.
        servers: how many share database, index and photos; they are killed in turn.
    """

    def __init__(self, home: Path, *, fsync: bool, servers: int = 1) -> None:
        self.home, self.postgres, self.chroma = home, Postgres(fsync=fsync), Server(home / "chroma")
        self.starter = Starter(home / "server.log")
        homes = [home, *(home / f"server{n}" for n in range(1, servers))]
        photos = {"IPL_MEDIA": str(home / "media")}
        self.servers = [OneServer(self.starter, own, photos) for own in homes]
        self.urls = [server.url for server in self.servers]
        self._turns = cycle(self.servers)
        self._killed = self.servers[0]

    def __enter__(self) -> Stack:
        try:
            self.postgres.start()
            self.chroma.start()
            for server in self.servers:
                server.settings |= {"IPL_STORE": self.postgres.url(), "IPL_INDEX": self.chroma.url}
                server.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.end()
        self.starter.__exit__()
        self.chroma.kill()
        self.postgres.remove()

    def start(self, target: Target) -> None:
        """Start it; returns when it answers, and not before the servers are ready again."""
        {"server": self._killed.start, "chroma": self.chroma.start, "postgresql": self.postgres.start}[target]()
        for server in self.servers:
            server.wait_until_ready()

    def kill(self, target: Target) -> None:
        """SIGKILL."""
        if target == "server":
            self._killed = next(self._turns)
            self._killed.end()
        else:
            {"chroma": self.chroma.kill, "postgresql": self.postgres.kill}[target]()
