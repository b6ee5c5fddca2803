"""Programs forked from a process that has imported all that they need: one starts in milliseconds, not in seconds."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.app.support.slow_server", "tests.app.support.small_index"])
START_SECONDS = 120.0


def _run(program: Callable[..., object], arguments: tuple[Any, ...], variables: dict[str, str], folder: str) -> None:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    os.umask(0o022)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started with
    program(*arguments)


def ipl(*arguments: str) -> None:
    """A command, as ``./ipl`` runs it."""
    from app.cli.main import main

    sys.exit(main(arguments))


def start_forking() -> None:
    """Start the process that is forked, if it does not run yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        forkserver.ensure_running()


class Forked:
    """A process that runs ``program(*arguments)``, with further environment variables; close it by ``kill``."""

    def __init__(self, program: Callable[..., object], *arguments: Any, **variables: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ipl-forked-"))
        start_forking()
        environment = {**os.environ, **variables}
        self._process = FORKS.Process(target=_run, args=(program, arguments, environment, str(self._folder)))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def said(self, name: str = "err") -> str:
        """What it has written so far to ``out`` or ``err``."""
        file = self._folder / name
        return file.read_text() if file.exists() else ""

    def line_with(self, words: str) -> str:
        """The first line of what it prints that holds these words; empty where it ends before."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            running = self._process.is_alive()
            for line in self.said("out").splitlines(keepends=True):
                if words in line and line.endswith("\n"):
                    return line
            if not running:
                return ""
            time.sleep(0.01)
        raise TimeoutError(f"it says nothing of {words!r}: {self.said()[-2000:]}")

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit status, as subprocess has it. Raises subprocess.TimeoutExpired."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self.pid), seconds)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        """End it, and forget what it said."""
        self._process.kill()
        self._process.join()
        shutil.rmtree(self._folder, ignore_errors=True)
