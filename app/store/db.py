"""The database behind the store: engine, transactions, and the migration of an older schema on start."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event, insert, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from app.store import full_text
from app.store.files import give_way, hold_back
from app.store.tables import Base, IdentityRow
from app.views import AppError
from listing.errors import IplError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_SECONDS = 15
_LOCK = 0x49504C  # any fixed number: the key of PostgreSQL's advisory lock during a migration
FOLLOWING = 0x49504E  # another one: of the server that brings the index up to date
NOTIFYING = 0x49504F  # of the server that sends notices
_DISK_FULL = ("disk is full", "no space left", "diskfull", "could not extend file")
# SQLite's first codes, of which others are kinds.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNREADABLE = (
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_AUTH,
)  # fmt: skip
REMEDY = (
    "leave its files as they are and bring the last good archive into another folder (./ipl restore FILE --into DIR)"
)
UNSAVED = ("disk_full", "read_only")  # codes of errors after which reading goes on
_LOCKED = ("database is locked", "database table is locked")
# PostgreSQL's codes: a lock did not come in time, a deadlock, two that cannot both be; a server that stops or is full.
_TRY_AGAIN = ("55P03", "40P01", "40001")
_AWAY = ("08", "57P", "53300")
CONNECT_SECONDS = 5  # longest wait for PostgreSQL to take a connection
POOL_SECONDS = 10  # longest wait for one of our own connections


class StoreError(IplError):
    """The store cannot be used; the message is one sentence that says what to do."""

    code, http_status = "store", 503


def open_engine(url: str) -> Engine:
    """An engine for SQLite (write-ahead log, foreign keys, waits for a lock) or PostgreSQL. Raises StoreError."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                _ready_file(Path(parsed.database))
            engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, json_serializer=_json)
            event.listen(engine, "connect", _sqlite_connect)
            event.listen(engine, "begin", _sqlite_begin)
            return engine
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        limits: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
        if "options" not in parsed.query:
            limits["options"] = f"-c lock_timeout={BUSY_SECONDS}s"
        return create_engine(
            parsed, pool_pre_ping=True, pool_timeout=POOL_SECONDS, connect_args=limits, json_serializer=_json
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError("IPL_STORE is not a database URL; write sqlite:///FILE or postgresql://...") from error
    except ModuleNotFoundError as error:
        raise StoreError(f"The database needs the package {error.name}; install it with pip.") from error
    except OSError as error:
        raise StoreError(
            f"The folder of the store cannot be made ({error.strerror}); name another with IPL_STORE."
        ) from error


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """``open_engine`` for a while."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _ready_file(file: Path) -> None:
    """A new database's file is its owner's alone."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        file.touch(mode=0o600)
    give_way(file)


def _json(value: Any) -> str:
    """JSON in which letters stay letters, so that words in it can be searched."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions itself, below
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


def _sqlite_begin(connection: Connection) -> None:
    # A transaction that will write takes the lock at once: one that starts by reading cannot wait for it later.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Store:
    """Sessions on one engine: ``read()`` and ``write()``, each one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._read = sessionmaker(engine, expire_on_commit=False)
        self._write = sessionmaker(engine.execution_options(writes=True), expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with sentences(), self._read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back whole on any error.

        Raises:
            AppError: the disk is full or read-only (507), the database stays locked or does not answer (503), or is
                damaged (500). When it went away in the middle of a commit, the transaction may have happened all the
                same.
        """
        with sentences(), self._write.begin() as session:
            yield session

    @contextmanager
    def alone(self, key: int) -> Iterator[bool]:
        """Whether no other server does just now what the key stands for; none begins before the block, or we, end.

        A store in a file has one server.
        """
        if self.engine.dialect.name != "postgresql":
            yield True
            return
        with self.read() as session:
            yield bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}))

    def check(self) -> None:
        """Raises AppError (503) when the database does not answer."""
        try:
            with self.read() as session:
                session.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise store_away() from error

    def empty_log(self) -> bool:
        """Take SQLite's write-ahead log into the database and cut it to nothing, as it holds what was deleted since.

        False while somebody reads or writes: nobody waits, it has to be tried again. Other databases have none: True.
        """
        file = self._file()
        if file is None:
            return True
        try:
            with closing(sqlite3.connect(file, timeout=0.05)) as connection:
                busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return False
        return not busy

    def compact(self, largest: int | None = None) -> bool:
        """Write SQLite's file anew (VACUUM): overwriting deleted rows misses what they left where they moved from.

        Writers wait meanwhile, about a second for 100 MB. False when it cannot be done now, or when the file has more
        than ``largest`` bytes. Other databases see to it themselves: True.
        """
        file = self._file()
        if file is None:
            return True
        try:
            if largest is not None and file.stat().st_size > largest:
                return False
            with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("VACUUM")
        except (sqlite3.Error, OSError):
            return False
        return self.empty_log()

    def hold_back(self) -> None:
        """Hold space back that a full disk needs for deletions; for a clock. Other databases see to it themselves."""
        file = self._file()
        if file is not None:
            hold_back(file)

    def _file(self) -> Path | None:
        return _file_of(self.engine)


def _file_of(engine: Engine) -> Path | None:
    url = engine.url
    on_disk = url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:"
    return Path(url.database) if on_disk and url.database else None


def make_room(session: Session) -> None:
    """Before a deletion: on a nearly full disk the space that was held back for it is given free."""
    file = _file_of(session.get_bind().engine)
    if file is not None:
        give_way(file)


def count_of(session: Session, statement: Executable) -> int:
    """Run a deletion or a change; returns how many rows it met."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def alone_in(session: Session, table: type[DeclarativeBase]) -> None:
    """Nobody else writes into a table until the session's transaction ends; reading goes on.

    For a rule over several rows, such as that no two overlap. On SQLite a writing transaction is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"LOCK TABLE {table.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))


@contextmanager
def sentences() -> Iterator[None]:
    """The database's errors in the block become sentences. Raises AppError."""
    try:
        yield
    except DataError as error:  # such as PostgreSQL's to a NUL in a text
        message = "The text has a character that cannot be stored; remove it."
        raise AppError("invalid", message, 422) from error
    except DBAPIError as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        raise sentence from error
    except PoolTimeout as error:
        raise _busy() from error


def _sentence(error: DBAPIError) -> AppError | None:
    """What a failure of the database means to people; None for one that nobody foresaw."""
    reason = f"{type(error.orig).__name__} {error.orig}".lower()
    kind = getattr(error.orig, "sqlite_errorcode", 0)
    if any(words in reason for words in _DISK_FULL) or kind == sqlite3.SQLITE_IOERR_SHMSIZE:
        return disk_full()
    if any(words in reason for words in _LOCKED) or getattr(error.orig, "sqlstate", None) in _TRY_AGAIN:
        return _busy()
    if kind & 0xFF in _DAMAGED:
        return AppError("damaged", f"The store is damaged; its operator has to {REMEDY}.", 500)
    if kind & 0xFF == sqlite3.SQLITE_READONLY:
        return read_only()
    if kind & 0xFF == sqlite3.SQLITE_IOERR:
        return AppError("disk", "The store's disk cannot be read or written; its operator has to look at it.", 503)
    return store_away() if _is_away(error) else None


def _is_away(error: DBAPIError) -> bool:
    """Whether the database cannot be reached, as opposed to refusing what was asked of it."""
    code = getattr(error.orig, "sqlstate", "")  # psycopg's; None when no server answered, none at all with SQLite
    if error.connection_invalidated or (code or "").startswith(_AWAY):
        return True
    return isinstance(error, OperationalError) and (code is None or "unable to open database" in str(error.orig))


def store_away() -> AppError:
    """The answer while the database cannot be reached."""
    return AppError("store", "The store does not answer; try again in a moment.", 503, 2)


def _busy() -> AppError:
    return AppError("busy", "Somebody else is saving right now; try again in a moment.", 503, 1)


def disk_full() -> AppError:
    """The answer to a full disk."""
    return AppError("disk_full", "The disk is full, nothing was saved; free some space and try again.", 507)


def read_only() -> AppError:
    """The answer where nothing can be written."""
    return AppError("read_only", "The disk is read-only, nothing was saved; make it writable and try again.", 507)


def open_store(url: str) -> Store:
    """The store at ``url``, its schema brought up to date.

    Raises:
        StoreError: it is locked, damaged, cannot be read or reached, is no store, or was written by a newer version.
        AppError: it is on a disk that is full or read-only.
    """
    engine = open_engine(url)
    try:
        migrate(engine)
    except DBAPIError as error:
        engine.dispose()
        sentence, file = _sentence(error), _file_of(engine)
        code = sentence.code if sentence is not None else ""
        if sentence is not None and code not in ("store", "busy", "damaged"):
            raise sentence from error
        if file is not None and os.statvfs(file.parent).f_flag & os.ST_RDONLY:
            raise read_only() from error
        raise unusable(make_url(url).render_as_string(hide_password=True), error.orig) from error
    return Store(engine)


def unusable(where: str, error: BaseException | None) -> StoreError:
    """Why the store cannot be used, by the database's error: locked, damaged, unreadable, or anything else."""
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    detail = (str(error).strip() or type(error).__name__).splitlines()[0]
    if kind in _HELD:
        wait = "nothing is wrong with it: stop that program, or try again later"
        sentence = f"is locked by another program for longer than {BUSY_SECONDS} s; {wait}"
    elif kind in _DAMAGED:
        sentence = f"is damaged or no store ({detail}): check IPL_STORE, else {REMEDY}"
    elif kind in _UNREADABLE:
        sentence = f"cannot be read ({detail}): look at its owner, its rights and its disk, or check IPL_STORE"
    else:
        sentence = f"cannot be opened ({detail}); check IPL_STORE"
    return StoreError(f"The store {where} {sentence}.")


def _alembic() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@cache
def migrations() -> tuple[ScriptDirectory, frozenset[str]]:
    """Alembic's scripts, and every schema that this version can read."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_alembic())
    return scripts, frozenset(script.revision for script in scripts.walk_revisions())


def migrate(engine: Engine) -> None:
    """Make the tables, or bring an older schema up to date, in one transaction; concurrent starts wait for each other.

    Raises:
        StoreError: the schema is of a newer version, or older than any that is brought up to date.
        DBAPIError: the database holds tables of something else.
    """
    from alembic import command
    from alembic.migration import MigrationContext

    scripts, readable = migrations()
    with engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        context = MigrationContext.configure(connection)
        current = context.get_current_revision()
        if current is None:
            Base.metadata.create_all(connection, checkfirst=False)
            connection.execute(insert(IdentityRow).values(id=secrets.token_hex(16)))
            context.stamp(scripts, "head")
        elif current in readable:
            if current != scripts.get_current_head():
                config = _alembic()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        elif current > max(readable):
            raise StoreError(
                f"The store was written by a newer version of IPL (schema {current}); update IPL or name another store "
                "with IPL_STORE."
            )
        else:
            raise StoreError(
                f"The store was written by an early version of IPL (schema {current}), which this one cannot bring up "
                "to date; name another store with IPL_STORE."
            )
        full_text.prepare(connection)
