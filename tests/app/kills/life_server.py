"""One server of ``kill_server`` on files or on servers, for a home that is given anew each time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 120.0
STOP_SECONDS = 120.0


class Starter:
    """A process from which others are forked, which so costs no imports; use it with ``with``.

    Args:
        log: what it and they say.
        program: ``kill_server`` or ``kill_restore``, which say what an order is and what the answer.
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
