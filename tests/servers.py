"""Real servers for tests, each on a free port of this machine: Chroma and PostgreSQL; ``kill`` is SIGKILL."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from app.setup.external_tools import find_postgres


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A ``chroma run`` process on a port of its own; ``kill`` is SIGKILL, and ``start`` starts it again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(sysconfig.get_path("scripts")) / "chroma"
        command = [str(program), "run", "--path", str(self.folder), "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/api/v2/heartbeat").is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.2)
        raise RuntimeError("chroma run did not come up within 90 s")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def as_owner() -> dict[str, str]:
    """PostgreSQL refuses to run as root: then it runs as somebody without rights."""
    return {"user": "postgres" if _exists("postgres") else "nobody"} if os.geteuid() == 0 else {}


def _exists(user: str) -> bool:
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


class Postgres:
    """A PostgreSQL server with a database cluster of its own, reached by TCP.

    Args:
        fsync: False spares the tests the waiting for the disk; a killed process loses nothing by it, a machine would.
    """

    def __init__(self, *, fsync: bool) -> None:
        programs = find_postgres()
        assert programs is not None
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="ipl-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, as_owner()["user"])
        self.port = free_port()
        switch = "on" if fsync else "off"
        self._options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync={switch}"
        self._run("initdb", "-U", "ipl", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def url(self, database: str = "postgres") -> str:
        """The address of a database, as ``IPL_STORE`` takes it."""
        return f"postgresql://ipl@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(a) for a in (self._programs / program, "-D", self.folder / "data", *arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **as_owner())  # type: ignore[call-overload]

    def start(self) -> None:
        """Start, and wait until it takes connections (after a kill: until it has recovered)."""
        self._run("pg_ctl", "-l", self.folder / "log", "-o", self._options, "-w", "start")

    def kill(self) -> None:
        """SIGKILL to the postmaster and to each of its children, the postmaster first so that it starts no others."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        postmaster.suspend()
        everyone = [postmaster, *postmaster.children(recursive=True)]
        for process in everyone:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(everyone, timeout=10)

    def remove(self) -> None:
        """Stop it, if it runs, and delete everything."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)
