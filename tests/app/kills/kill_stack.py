"""A server with PostgreSQL and Chroma, each a process of its own that can be killed and started again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tests.app.kills.life_server import OneServer, Starter
from tests.servers import Postgres, Server

Target = Literal["server", "chroma", "postgresql"]
TARGETS: tuple[Target, ...] = ("server", "chroma", "postgresql")


class Stack:
    """Everything that runs; use it with ``with``.

    Args:
        home: folder of the server and of the index.
        fsync: whether PostgreSQL waits for the disk, as it does by default.
    """

    def __init__(self, home: Path, *, fsync: bool) -> None:
        self.home, self.postgres, self.chroma = home, Postgres(fsync=fsync), Server(home / "chroma")
        self.starter = Starter(home / "server.log")
        self.server = OneServer(self.starter, home, {})
        self.url = self.server.url

    def __enter__(self) -> Stack:
        try:
            self.postgres.start()
            self.chroma.start()
            self.server.settings |= {"IPL_STORE": self.postgres.url(), "IPL_INDEX": self.chroma.url}
            self.server.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.server.end()
        self.starter.__exit__()
        self.chroma.kill()
        self.postgres.remove()

    def start(self, target: Target) -> None:
        """Start it; returns when it answers, and not before the server is ready again."""
        {"server": self.server.start, "chroma": self.chroma.start, "postgresql": self.postgres.start}[target]()
        self.server.wait_until_ready()

    def kill(self, target: Target) -> None:
        """SIGKILL."""
        {"server": self.server.end, "chroma": self.chroma.kill, "postgresql": self.postgres.kill}[target]()
