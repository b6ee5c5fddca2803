"""The target of the benchmark of abuse: a real ``ipl serve`` with stock and two people, one of whom reads meanwhile."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
from PIL import Image

from benchmarks.serving.real_server import environment, served
from benchmarks.serving.stock import fill

PASSWORDS = {"ann": "a right good password", "mallory": "another good password"}
PROBE_SECONDS = 0.1
LISTINGS = 200


@dataclass
class Target:
    """A running server and what belongs to it."""

    url: str
    pid: int
    home: Path
    temporary: Path
    log: Path
    tokens: dict[str, str]
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 80)

    def disk_mb(self) -> float:
        """Megabytes below the home and the folder of temporary files, unnamed ones of the server included."""
        total = 0.0
        for folder in (self.home, self.temporary):
            for path in folder.rglob("*"):
                with suppress(OSError):
                    total += path.lstat().st_size if path.is_file() and not path.is_symlink() else 0
        for link in Path(f"/proc/{self.pid}/fd").glob("*"):
            with suppress(OSError):
                total += os.stat(link).st_size if " (deleted)" in os.readlink(link) else 0
        return total / 1e6

    def memory_mb(self) -> float:
        """Resident megabytes of the server and its children."""
        process = psutil.Process(self.pid)
        total = 0
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
        return total / 1e6


@contextmanager
def server() -> Iterator[Target]:
    """A real server with two people, on a home of its own with the models of the usual one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home, temporary = folder / "home", folder / "tmp"
        temporary.mkdir()
        variables = environment(home, TMPDIR=str(temporary))

        def ipl(*arguments: str, text: str = "") -> str:
            command = [sys.executable, "-P", "-m", "app.cli", *arguments]
            done = subprocess.run(command, env=variables, input=text, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-500:]}")
            return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

        for person, password in PASSWORDS.items():
            ipl("accounts", "password", person, text=password + "\n")
        tokens = {person: ipl("accounts", "token", person) for person in PASSWORDS}
        fill(home, LISTINGS, 0)
        with served(variables, folder / "log") as (url, pid):
            target = Target(url, pid, home, temporary, folder / "log", tokens)
            target.cookies.update({person: dict(sign_in(target, person).cookies) for person in PASSWORDS})
            warm(target)
            yield target


@dataclass
class Probe:
    """A signed-in person who goes on reading, and what the server takes meanwhile. Use it with ``with``."""

    target: Target
    ms: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    memory_mb: float = 0.0
    disk_mb: float = 0.0

    def __enter__(self) -> Probe:
        self._end = threading.Event()
        self._before = self.target.disk_mb()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._read, self._measure)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self.target.tokens['ann']}"}
        with httpx.Client(base_url=self.target.url, headers=headers, timeout=20) as client:
            for number in range(10**9):
                if self._end.wait(PROBE_SECONDS):
                    return
                path = ("/v1/listings", "/v1/feed/me")[number % 2]
                stays = {} if number % 4 < 2 else {"Connection": "close"}
                began = time.monotonic()
                try:
                    status = client.get(path, headers=stays).status_code
                    if status != 200:
                        self.failed[str(status)] += 1
                except httpx.HTTPError as error:
                    self.failed[type(error).__name__] += 1
                self.ms.append(1000 * (time.monotonic() - began))

    def _measure(self) -> None:
        while True:
            self.memory_mb = max(self.memory_mb, self.target.memory_mb())
            self.disk_mb = max(self.disk_mb, self.target.disk_mb() - self._before)
            if self._end.wait(0.2):
                return


def warm(target: Target) -> None:
    """A first search by a photo: the server loads what it needs for it."""
    file = io.BytesIO()
    Image.new("RGB", (400, 400), (40, 60, 90)).save(file, "JPEG")
    headers = {"Authorization": f"Bearer {target.tokens['ann']}"}
    with httpx.Client(base_url=target.url, timeout=120, headers=headers) as client:
        client.post("/v1/listings/search", files={"photo": ("a.jpg", file.getvalue())}).raise_for_status()


def sign_in(target: Target, person: str) -> httpx.Response:
    """The answer to somebody who signs in with the browser that they have."""
    data = {"name": person, "password": PASSWORDS[person]}
    with httpx.Client(base_url=target.url, timeout=20, cookies=target.cookies.get(person)) as client:
        return client.post("/sign-in", data=data)
