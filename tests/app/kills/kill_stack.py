"""A server with PostgreSQL and Chroma, each a process of its own that can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import httpx
import psutil

from tests.servers import Postgres, Server, free_port

Target = Literal["server", "chroma", "postgresql"]
TARGETS: tuple[Target, ...] = ("server", "chroma", "postgresql")
ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 120.0


class Stack:
    """Everything that runs; use it with ``with``.

    Args:
        home: folder of the server and of the index.
        fsync: whether PostgreSQL waits for the disk, as it does by default.
    """

    def __init__(self, home: Path, *, fsync: bool) -> None:
        self.home = home
        self.postgres = Postgres(fsync=fsync)
        self.chroma = Server(home / "chroma")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.starter: subprocess.Popen[str] | None = None
        self.server: int | None = None  # its process

    def __enter__(self) -> Stack:
        try:
            for target in ("postgresql", "chroma", "server"):
                self.start(target)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kill_server()
        if self.starter is not None:
            self.starter.kill()
            self.starter.communicate()
        self.chroma.kill()
        self.postgres.remove()

    def start(self, target: Target) -> None:
        """Start it; returns when it answers, and not before the server is ready again."""
        starts = {"server": self._start_server, "chroma": self.chroma.start, "postgresql": self.postgres.start}
        starts[target]()
        if self.server is not None:
            self._wait_until_ready()

    def kill(self, target: Target) -> None:
        """SIGKILL."""
        kills = {"server": self._kill_server, "chroma": self.chroma.kill, "postgresql": self.postgres.kill}
        kills[target]()

    def _start_server(self) -> None:
        if self.starter is None:
            self.starter = self._open_starter()
        assert self.starter.stdin is not None
        assert self.starter.stdout is not None
        self.starter.stdin.write("\n")
        self.starter.stdin.flush()
        self.server = int(self.starter.stdout.readline())

    def _open_starter(self) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "IPL_HOME": str(self.home),
            "IPL_PORT": str(self.port),
            "IPL_STORE": self.postgres.url(),
            "IPL_INDEX": self.chroma.url,
            "IPL_FEED_PER_SECOND": "1e6",
            "IPL_DRAFT_MINUTES": "0.1",  # so that a draft that was cut off is found within the test
        }
        command = [sys.executable, "tests/app/kills/kill_server.py"]
        pipe = subprocess.PIPE
        with (self.home / "server.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True)

    def _kill_server(self) -> None:
        if self.server is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.server, signal.SIGKILL)
            while psutil.pid_exists(self.server):
                time.sleep(0.01)

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if not psutil.pid_exists(self.server or 0):
                raise RuntimeError(f"the server ended: {(self.home / 'server.log').read_text()[-2000:]}")
            try:
                if httpx.get(f"{self.url}/readyz", timeout=10).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError("the server was not ready in time")
