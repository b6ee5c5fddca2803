"""A restore: alone on its home and database, and all or nothing of it, whenever it is killed and whatever fails."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time

import httpx
import psycopg
import pytest
from sqlalchemy import select, text

from app.cli.main import main
from app.settings import Settings
from app.store.backup import archive
from app.store.backup import restore as restoring
from app.store.backup.archive import back_up
from app.store.backup.postgres import BackupError, Psql
from app.store.backup.restore import restore
from app.store.db import StoreError, engine_of, open_store
from app.store.home_lock import HomeInUse
from app.store.tables import OrderRow
from app.views import AppError
from tests.app.support.restores import leftovers, publish_some, server, start, state, write_feed
from tests.servers import Postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def home(archived, tmp_path, monkeypatch):
    """A home with data, which the commands use."""
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))
    return shutil.copytree(archived / "old", tmp_path / "home")


def test_a_restore_beside_a_running_server_is_refused(archived, home, repository, capsys):
    command = ["restore", str(archived / "new.tar"), "--force"]
    with server(home, repository) as (url, _):
        listing = httpx.get(f"{url}/v1/listings").json()["listings"][0]["id"]
        httpx.patch(f"{url}/v1/listings/{listing}", json={"price": 12}).raise_for_status()
        assert main(command) == 1
        said = capsys.readouterr().err
        assert "stop" in said
        assert said.count("\n") == 1
        order = {"listing_id": listing, "buyer": "vera", "price": 12}
        sold = httpx.post(f"{url}/v1/orders", json=order, headers={"Idempotency-Key": "k"})
        assert sold.status_code == 201
    services = start(Settings(home=home))
    with services.store.read() as session:
        assert session.scalars(select(OrderRow.listing_id)).all() == [listing]
    services.close()
    assert main(command) == 0


def test_beside_a_server_a_backup_runs_and_a_second_server_is_refused(home, tmp_path, repository):
    with server(home, repository) as (url, _):
        assert main(["backup", str(tmp_path / "b.tar")]) == 0
        with server(home, repository) as (second, process):
            assert second == ""
            assert process.wait(30) != 0
            assert f"{home} is in use" in process.stderr.read()
        assert httpx.get(f"{url}/healthz").status_code == 200
    with server(home, repository) as (url, _):  # killed: the lock went with it
        assert url


def test_a_restore_during_a_backup_is_refused(archived, home, tmp_path, monkeypatch):
    real, refused = archive.check_photos, []

    def check(*arguments):
        with pytest.raises(HomeInUse, match="backup"):
            restore(archived / "new.tar", Settings(home=home), force=True)
        with pytest.raises(HomeInUse, match="backup"):
            back_up(Settings(home=home), tmp_path / "second.tar")
        refused.append(True)
        return real(*arguments)

    monkeypatch.setattr(archive, "check_photos", check)
    back_up(Settings(home=home), tmp_path / "b.tar")
    assert refused
    restore(archived / "new.tar", Settings(home=home), force=True)


@pytest.mark.parametrize("command", ["serve", "backup", "restore"])
def test_what_dead_backups_and_restores_left_is_removed(archived, home, tmp_path, repository, command):
    half = tmp_path / ".b.tar.999999.part"
    half.write_bytes(b"half")
    for name in (".backup-files", ".restore-files", ".restore-999999"):
        (home / name / "media" / "ab").mkdir(parents=True)
        (home / name / "media" / "ab" / f"{'ab' * 16}.jpg").write_bytes(b"deleted since")
    (home / ".restore-999999.lock").touch()  # of an earlier version
    (home / ".backup-files" / "note.json").write_text(json.dumps({"home": str(home), "part": str(half)}))
    if command == "serve":
        with server(home, repository) as (url, _):
            assert url
            assert leftovers(home) == []
        return
    shutil.copy(archived / "new.tar", tmp_path / "new.tar")
    arguments = {"backup": ["backup", str(tmp_path / "b.tar")], "restore": ["restore", str(tmp_path / "new.tar")]}
    assert main([*arguments[command], "--force"]) == 0
    assert leftovers(home, tmp_path) == []


@pytest.mark.timeout(1200)
def test_killed_at_any_point_it_leaves_all_of_the_old_or_all_of_the_new(archived, home, starter, request):
    """At every second change of a file; with ``--kills 1`` at every one."""
    old = state(Settings(home=home))
    restore(archived / "new.tar", Settings(home=home), force=True)
    new = state(Settings(home=home))
    assert old != new
    seen = []
    for kill in range(1, 1000, 1 if request.config.getoption("--kills") else 2):
        shutil.rmtree(home)
        shutil.copytree(archived / "old", home)
        status = starter(["restore", archived / "new.tar", "--home", home, "--force"], kill)
        left = state(Settings(home=home))
        assert left in (old, new), f"killed before change {kill}: a mixture"
        seen.append("old" if left == old else "new")
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert seen == sorted(seen, reverse=True), "an older state came back after a newer one"
    assert seen.count("old") > 5
    assert seen.count("new") > 5


@pytest.mark.parametrize("command", ["backup", "restore", "serve"])
def test_whoever_comes_next_finishes_it(archived, home, starter, tmp_path, capsys, command):
    """Killed between two moves; a command that cannot finish it opens nothing."""
    assert starter(["restore", archived / "new.tar", "--home", home, "--force"], 4, ["os.rename"]) == -signal.SIGKILL
    assert main(["accounts", "token", "me"]) == 1
    assert "cut off" in capsys.readouterr().err
    out, clean = tmp_path / "out.tar", Settings(home=tmp_path / "clean")
    if command == "backup":
        assert main(["backup", str(out)]) == 0
    elif command == "restore":
        assert main(["restore", str(archived / "new.tar"), "--force"]) == 0
    restore(archived / "new.tar", clean)
    assert state(Settings(home=home)) == state(clean)
    if command == "backup":
        restore(out, Settings(home=tmp_path / "again"))
        assert state(Settings(home=tmp_path / "again")) == state(clean)
    assert leftovers(home, tmp_path) == []


@pytest.mark.parametrize("moved", range(1, 12))
def test_a_move_that_fails_takes_all_others_back(archived, home, monkeypatch, moved):
    """A full or broken disk instead of a kill: the command fails and the data is as it was."""
    before = state(Settings(home=home))
    real, left = os.rename, [moved]

    def rename(source, target, **more):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(5, "Input/output error", str(source))
        return real(source, target, **more)

    monkeypatch.setattr(os, "rename", rename)
    with contextlib.suppress(OSError):
        restore(archived / "new.tar", Settings(home=home), force=True)
        pytest.fail("the failure was passed over, or there are fewer moves")
    monkeypatch.undo()
    assert state(Settings(home=home)) == before
    assert leftovers(home) == []
    assert not list(home.glob("before-restore-*"))


def test_a_media_folder_elsewhere_is_moved_as_a_whole_or_not_at_all(archived, starter, tmp_path):
    home, media = tmp_path / "home", tmp_path / "elsewhere" / "photos"

    def old_again():
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(media.parent, ignore_errors=True)
        shutil.copytree(archived / "old", home)
        media.parent.mkdir()
        (home / "media").rename(media)

    settings = Settings(home=home, media=media)
    old_again()
    old = state(settings)
    restore(archived / "new.tar", settings, force=True)
    new = state(settings)
    assert len(list(media.glob(".before-restore-*/??/*.jpg"))) == len(old[1])
    command = ["IPL_MEDIA", media, "restore", archived / "new.tar", "--home", home, "--force"]
    for kill in range(1, 100):
        old_again()
        status = starter(command, kill, ["os.rename"])
        if status:
            with pytest.raises(StoreError, match=f"IPL_HOME={home}"):  # nobody else serves these photos meanwhile
                restore(archived / "new.tar", Settings(home=tmp_path / "other", media=media))
        assert state(settings) in (old, new), f"killed before move {kill}: a mixture"
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert kill > 5


@pytest.fixture
def on_postgres(tmp_path, url):
    """Settings of a store on PostgreSQL with three listings, and an archive of what it held before the last one."""
    services = start(Settings(home=tmp_path / "home", store=url))
    publish_some(services, 2, 50)
    write_feed(tmp_path / "home", "old")
    back_up(services.settings, tmp_path / "p.tar")
    publish_some(services, 1, 7, key="later")
    services.close()
    write_feed(tmp_path / "home", "later")
    return services.settings


@pytest.fixture
def old_again(on_postgres, tmp_path, url, databases):
    """Makes that store anew, in a database of its own."""
    shutil.copytree(on_postgres.home, tmp_path / "kept")
    drop = "DROP DATABASE IF EXISTS killed WITH (FORCE)"

    def again():
        shutil.rmtree(on_postgres.home)
        shutil.copytree(tmp_path / "kept", on_postgres.home)
        with psycopg.connect(databases.server.url(), autocommit=True) as connection:
            connection.execute(drop)
            connection.execute(f"CREATE DATABASE killed TEMPLATE {url.rpartition('/')[2]}")
        return on_postgres.model_copy(update={"store": databases.server.url("killed")})

    yield again
    with psycopg.connect(databases.server.url(), autocommit=True) as connection:
        connection.execute(drop)


def wait_until_free(url):
    """PostgreSQL notices after a moment that the command which held the store was killed."""
    held = """SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE datname = current_database() AND locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted"""
    end = time.monotonic() + 60
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(held).fetchone():
            assert time.monotonic() < end, "a killed restore keeps the store"
            time.sleep(0.05)


@pytest.mark.postgres
def test_a_server_with_another_home_on_the_same_database_is_not_robbed(tmp_path):
    database = Postgres(fsync=False)
    try:
        database.start()
        services = start(Settings(home=tmp_path / "home", store=database.url()))
        other = Settings(home=tmp_path / "other", store=database.url())
        me = services.sellers.only().id
        publish_some(services, 1, 50)
        back_up(services.settings, tmp_path / "p.tar")
        for _ in range(2):
            publish_some(services, 1, 50, key=str(_))
            with pytest.raises(StoreError, match="stop"):
                restore(tmp_path / "p.tar", other, force=True)
            database.kill()  # nor after PostgreSQL was restarted
            database.start()
            assert services.listings.own(me)
        services.close()
        restore(tmp_path / "p.tar", services.settings, force=True)
        again = start(services.settings)
        assert len(again.listings.own(me)) == 1
        again.close()
    finally:
        database.remove()


@pytest.mark.postgres
def test_no_server_starts_until_its_database_is_restored(on_postgres, tmp_path, monkeypatch):
    real, said = restoring.run, []

    def run(*arguments):
        with pytest.raises((AppError, StoreError)) as refused:
            start(Settings(home=tmp_path / "third", store=on_postgres.store)).close()
        said.append(str(refused.value))
        return real(*arguments)

    monkeypatch.setattr(restoring, "run", run)
    late = []
    with monkeypatch.context() as patch:
        patch.setattr(Psql, "close", lambda session: late.insert(0, session))  # it ends a moment after the restore
        restore(tmp_path / "p.tar", on_postgres, force=True)
    assert said == ["The store is being restored; try again when that has ended."]
    start(on_postgres).close()
    late.pop().close()


BREAK_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON database = pg_database.oid
WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND datname = current_database()
"""


@pytest.mark.postgres
def test_a_session_lost_after_the_commit_costs_nothing(on_postgres, tmp_path, monkeypatch):
    real, ended = restoring.after_replacement, []

    def replaced(settings):
        with engine_of(settings.store) as engine, engine.connect() as connection:
            ended.extend(connection.scalars(text(BREAK_OFF)))
        return real(settings)

    monkeypatch.setattr(restoring, "after_replacement", replaced)
    restore(tmp_path / "p.tar", on_postgres, force=True)
    assert ended == [True]
    start(on_postgres).close()


@pytest.mark.postgres
@pytest.mark.timeout(1200)
def test_on_postgresql_database_and_photos_are_both_old_or_both_new(old_again, tmp_path, starter):
    old = state(old_again())
    settings = old_again()
    restore(tmp_path / "p.tar", settings, force=True)
    new = state(settings)
    assert old != new
    arguments = ["IPL_STORE", settings.store, "restore", tmp_path / "p.tar", "--home", settings.home, "--force"]
    seen = []
    for kill in range(1, 200):
        old_again()
        status = starter(arguments, kill, ["os.rename", "os.remove", "subprocess.Popen"])
        wait_until_free(settings.store)
        left = state(settings)
        assert left in (old, new), f"killed before change {kill}: a mixture"
        seen.append("old" if left == old else "new")
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert seen == sorted(seen, reverse=True)
    assert seen.count("old") > 3


OUTLIVES = """#!{python}
import os, signal, subprocess, sys, time
psql = subprocess.Popen(["{psql}", *sys.argv[1:]], stdin=subprocess.PIPE)
for line in sys.stdin.buffer:
    if line.startswith(b"COMMIT;"):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(2)
        if "{when}" == "before":
            break
    psql.stdin.write(line)
    psql.stdin.flush()
psql.stdin.close()
psql.wait()
"""


@pytest.mark.postgres
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_psql_that_outlives_its_restore_is_awaited(old_again, tmp_path, starter, when):
    """The command is killed as psql is told to commit, which it does later or not at all: until then nobody starts."""
    settings = old_again()
    old = state(settings)
    restore(tmp_path / "p.tar", settings, force=True)
    new = state(settings)
    old_again()
    programs = tmp_path / "programs"
    programs.mkdir()
    script = OUTLIVES.format(python=sys.executable, psql=shutil.which("psql"), when=when)
    (programs / "psql").write_text(script)
    (programs / "psql").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    arguments = ["PATH", path, "IPL_STORE", settings.store, "restore", tmp_path / "p.tar", "--home", settings.home]
    assert starter([*arguments, "--force"], 10_000) == -signal.SIGKILL
    with pytest.raises(AppError, match="being restored"):
        start(settings)
    wait_until_free(settings.store)
    assert state(settings) == (old if when == "before" else new)


@pytest.mark.postgres
def test_an_older_archive_replaces_a_newer_database(tmp_path, url):
    store = open_store(url)
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE reviews, messages, blocks, notices, saved_searches"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0007'"))
    store.engine.dispose()
    settings = Settings(home=tmp_path, store=url)
    back_up(settings, tmp_path / "older.tar")
    services = start(settings)
    publish_some(services, 1, 9)
    services.close()
    restore(tmp_path / "older.tar", settings, force=True)
    again = start(settings)
    assert list(again.media.ids()) == []
    again.close()


@pytest.mark.postgres
def test_a_newer_archive_leaves_the_database_alone(on_postgres, tmp_path):
    change = "UPDATE alembic_version SET version_num = '%s'"
    with engine_of(on_postgres.store) as engine:
        with engine.begin() as connection:
            current = connection.scalar(text("SELECT version_num FROM alembic_version"))
            connection.execute(text(change % "later"))
        back_up(on_postgres, tmp_path / "newer.tar")
        with engine.begin() as connection:
            connection.execute(text(change % current))
    before = state(on_postgres)
    with pytest.raises(BackupError, match="update it"):
        restore(tmp_path / "newer.tar", on_postgres, force=True)
    assert state(on_postgres) == before
    assert leftovers(on_postgres.home) == []
