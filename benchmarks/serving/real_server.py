"""A real ``ipl serve`` on a free port and a home of its own, with the models of the usual one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from listing.home import ipl_home

ROOT = Path(__file__).resolve().parents[2]


def environment(home: Path, **more: str) -> dict[str, str]:
    """Variables for commands on a home, without the settings of the caller; the models are linked into it."""
    home.mkdir()
    (home / "models").symlink_to(ipl_home() / "models", target_is_directory=True)
    others = {name: value for name, value in os.environ.items() if not name.startswith("IPL_")}
    required = {"PYTHONPATH": str(ROOT), "IPL_HOME": str(home), "MALLOC_ARENA_MAX": "2", "IPL_SETUP": "0"}
    return {**others, **required, **more}


@contextmanager
def served(variables: dict[str, str], log: Path, port: int = 0) -> Iterator[tuple[str, int]]:
    """(address, process id)"""
    command = [sys.executable, "-P", "-m", "app.cli", "serve", "--port", str(port)]
    with log.open("ab") as errors:
        process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if " at http" not in line:
                raise SystemExit(f"the server did not start: {log.read_text()[-2000:]}")
            yield line.split(" at ")[1].split("/  ")[0], process.pid
        finally:
            process.terminate()
            process.wait(60)
