"""Servers share a database of PostgreSQL; a restore has it alone.

Every connection of a server holds a shared advisory lock (``app/store/db.py``), also after PostgreSQL was restarted.
The transaction that replaces the data takes it alone, or nothing is replaced. A second lock says that the restore which
started that transaction still lives: psql may outlive it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.store.db import IN_USE, StoreError, engine_of

RESTORING = 0x49504E  # any fixed number, unlike those of app/store/db.py
WAIT_SECONDS = 3.0  # a server that was stopped just now lets go within that time
BUSY = "A server, or another ./ipl command, uses the database that IPL_STORE names: stop it and run the restore again."


@contextlib.contextmanager
def alone(url: str) -> Iterator[Callable[[], None]]:
    """No server uses the database until the block ends or what is yielded is called. Raises StoreError."""
    try:
        with engine_of(url) as engine, engine.connect() as connection:  # with the connection its locks go
            take = text("SELECT pg_try_advisory_lock(:key)")
            deadline = time.monotonic() + WAIT_SECONDS
            for key in (IN_USE, RESTORING):
                while not connection.scalar(take, {"key": key}):
                    if time.monotonic() > deadline:
                        raise StoreError(BUSY)
                    time.sleep(0.1)
            connection.commit()

            def hand_over() -> None:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": IN_USE})
                connection.commit()

            yield hand_over
    except DBAPIError as error:
        reason = (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
        raise StoreError(f"The database that IPL_STORE names cannot be used ({reason}); check IPL_STORE.") from error


# The first statement of the transaction that replaces the data.
ALONE_OR_NOTHING = f"""
DO $$ BEGIN
  IF NOT pg_try_advisory_xact_lock({IN_USE}) THEN RAISE EXCEPTION 'a server uses the database, stop it'; END IF;
  IF pg_try_advisory_xact_lock({RESTORING}) THEN RAISE EXCEPTION 'the restore was killed'; END IF;
END $$;
"""
