"""Servers with PostgreSQL and Chroma, each a process of its own that can be killed and started again."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Literal

from tests.app.kills.life_server import OneServer, Starter
from tests.servers import Postgres, Server

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
