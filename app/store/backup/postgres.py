"""PostgreSQL's own programs: ``pg_dump`` writes a copy, ``pg_restore`` makes it SQL, ``psql`` replaces the data."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import URL

from app.store.db import IN_USE, StoreError
from listing.errors import IplError

_DONE = b"ipl: done"
_BUSY = "A server, or another ./ipl command, uses the database that IPL_STORE names: stop it and run the restore again."
# Every connection of a server holds that lock shared (app/store/db.py); a server that stops lets go in 3 s.
_ALONE = f"""
SET client_min_messages = warning;
DO $$ BEGIN
  FOR attempt IN 1..30 LOOP
    IF pg_try_advisory_lock({IN_USE}) THEN RETURN; END IF;
    PERFORM pg_sleep(0.1);
  END LOOP;
  RAISE EXCEPTION '{_BUSY}';
END $$;
"""


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


def run(command: Sequence[str], url: URL | None = None) -> None:
    """Run a program, on a database if one is named. Raises BackupError with the first line of its complaint."""
    named, environment = _named(url) if url is not None else ([], None)
    done = subprocess.run([*command, *named], env=environment, capture_output=True, check=False)
    if done.returncode:
        raise _complaint(Path(command[0]).name, done.stderr.splitlines())


class Psql:
    """A session of psql. It is fed by a pipe: when this process dies, it ends, and what is not committed is undone."""

    def __init__(self, url: URL) -> None:
        named, environment = _named(url)
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [program("psql"), *options, *named], env=environment, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe
        )

    def run(self, *scripts: str | Path) -> None:
        """Run SQL, or files of it, and wait for the end. Raises BackupError with the first line of the complaint."""
        stdin, stderr = self._process.stdin, self._process.stderr
        assert stdin is not None
        assert stderr is not None
        with contextlib.suppress(BrokenPipeError):  # what was wrong comes on stderr
            for script in scripts:
                if isinstance(script, Path):
                    with script.open("rb") as file:
                        shutil.copyfileobj(file, stdin)
                else:
                    stdin.write(script.encode())
            stdin.write(b"\n\\warn " + _DONE + b"\n")
            stdin.flush()
        said = []
        for line in stderr:
            if line.strip() == _DONE:
                return
            said.append(line)
        raise _complaint("psql", said)

    def close(self) -> None:
        """End the session; the lock goes with it, at the latest a moment after."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()


@contextlib.contextmanager
def alone(url: URL) -> Iterator[Psql]:
    """A session beside which no server uses the database, nor can begin to. Raises StoreError."""
    session = Psql(url)
    try:
        try:
            session.run(_ALONE)
        except BackupError as error:
            busy = _BUSY in str(error)
            raise StoreError(
                _BUSY if busy else f"The database that IPL_STORE names cannot be used ({error}); check IPL_STORE."
            ) from error
        yield session
        with contextlib.suppress(BackupError):  # a session that broke off holds no lock, and what it did is done
            session.run(f"SELECT pg_advisory_unlock({IN_USE});")  # who starts now need not wait until its end
    finally:
        session.close()


def _named(url: URL) -> tuple[list[str], dict[str, str]]:
    """Option and environment that name a database; the password goes by the latter, which ``ps`` hides."""
    named = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return [f"--dbname={named}"], {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}


def _complaint(name: str, lines: Sequence[bytes]) -> BackupError:
    said = next((line.decode(errors="replace").strip() for line in lines if line.strip()), "it did not say why")
    return BackupError(f"{name} failed: {said[:300]}")
