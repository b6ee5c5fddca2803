"""PostgreSQL's own programs: ``pg_dump`` writes a copy, ``pg_restore`` brings it into an empty database."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import URL

from listing.errors import IplError


class BackupError(IplError):
    """The backup cannot be made, or not be loaded; the message is one sentence that says what to do."""

    code = "no_backup"


def program(name: str) -> str:
    """Where one of the programs is. Raises BackupError where there is none."""
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"A store on PostgreSQL is copied by its own program {name}, which is not installed here: install "
            "PostgreSQL's client programs (apt-get install postgresql-client), or run it where the database is."
        )
    return found


def dump(url: URL, snapshot: str, file: Path) -> None:
    """Write the database as of that snapshot. Raises BackupError."""
    _run("pg_dump", url, "--format=custom", f"--snapshot={snapshot}", f"--file={file}")


def load(file: Path, url: URL) -> None:
    """Bring a dump into an empty database, in one transaction. Raises BackupError."""
    _run("pg_restore", url, "--single-transaction", "--exit-on-error", str(file))


def _run(name: str, url: URL, *options: str) -> None:
    """Run a program on a database, whose password goes by the environment, which ``ps`` hides."""
    named = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    command = [program(name), "--no-owner", "--no-privileges", f"--dbname={named}", *options]
    done = subprocess.run(command, env={**os.environ, **password}, capture_output=True, check=False)
    if done.returncode:
        lines = (line.decode(errors="replace").strip() for line in done.stderr.splitlines())
        said = next(filter(None, lines), "it did not say why")
        raise BackupError(f"{name} failed: {said[:300]}")
