"""A restore into PostgreSQL: alone in the database, and database and photos in step."""

from __future__ import annotations

import os
import shutil
import signal
import time

import psycopg
import pytest
from sqlalchemy import text

from app.settings import Settings
from app.store.backup.archive import BackupError, back_up
from app.store.backup.restore import restore
from app.store.db import StoreError, open_store
from app.views import AppError
from listing.intake.photos import intake
from tests.app.support.restores import leftovers, publish_some, start, state, write_feed
from tests.fakes import jpeg
from tests.servers import Postgres


@pytest.fixture
def on_postgres(tmp_path, url):
    """Services on PostgreSQL with data, and an archive of what they held before the last listing."""
    services = start(Settings(home=tmp_path / "home", store=url))
    publish_some(services, 2, 50)
    write_feed(tmp_path / "home", "old")
    back_up(services.settings, tmp_path / "p.tar")
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, intake([jpeg((7, 7, 7))])))[-1]
    services.publisher.publish(me, draft.draft_id, key="later")
    yield services
    services.close()


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
def test_a_server_with_another_home_on_the_same_database_is_not_robbed(on_postgres, tmp_path, url):
    with pytest.raises(StoreError, match="stop"):
        restore(tmp_path / "p.tar", Settings(home=tmp_path / "other", store=url), force=True)
    assert len(on_postgres.listings.own(on_postgres.sellers.only().id)) == 3
    on_postgres.close()
    restore(tmp_path / "p.tar", Settings(home=tmp_path / "home", store=url), force=True)
    again = start(on_postgres.settings)
    assert len(again.listings.own(again.sellers.only().id)) == 2
    again.close()


@pytest.mark.postgres
def test_nor_after_postgresql_was_restarted(tmp_path):
    database = Postgres(fsync=False)
    try:
        database.start()
        services = start(Settings(home=tmp_path / "home", store=database.url()))
        publish_some(services, 1, 50)
        back_up(services.settings, tmp_path / "p.tar")
        database.kill()
        database.start()
        assert len(services.listings.own(services.sellers.only().id)) == 1
        with pytest.raises(StoreError, match="stop"):
            restore(tmp_path / "p.tar", Settings(home=tmp_path / "other", store=database.url()), force=True)
        services.close()
    finally:
        database.remove()


@pytest.mark.postgres
def test_no_server_starts_on_a_database_that_is_being_restored(on_postgres, tmp_path, url, monkeypatch):
    on_postgres.close()
    from app.store.backup import restore as module

    real, said = module.run_program, []

    def run(*arguments, **more):
        try:
            start(Settings(home=tmp_path / "third", store=url)).close()
        except (AppError, StoreError) as error:
            said.append(str(error))
        return real(*arguments, **more)

    monkeypatch.setattr(module, "run_program", run)
    restore(tmp_path / "p.tar", on_postgres.settings, force=True)
    assert said == ["The store is being restored; try again when that has ended."]


@pytest.mark.postgres
def test_a_server_that_starts_in_the_last_moment_stops_the_restore(on_postgres, tmp_path, url, monkeypatch):
    on_postgres.close()
    before = state(on_postgres.settings)
    from app.store.backup import restore as module

    real, servers = module.run_postgres, []

    def run(*arguments, **more):
        servers.append(start(Settings(home=tmp_path / "third", store=url)))
        return real(*arguments, **more)

    monkeypatch.setattr(module, "run_postgres", run)
    with pytest.raises(BackupError, match="a server uses the database"):
        restore(tmp_path / "p.tar", on_postgres.settings, force=True)
    servers[0].close()
    assert state(on_postgres.settings) == before
    assert leftovers(on_postgres.settings.home) == []


@pytest.fixture
def copies(databases):
    """Makes a database anew from another one; all are gone afterwards."""
    names = set()

    def copy(source, name):
        names.add(name)
        with psycopg.connect(databases.server.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {source.rpartition('/')[2]}")
        return databases.server.url(name)

    yield copy
    with psycopg.connect(databases.server.url(), autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.postgres
@pytest.mark.timeout(1200)
def test_on_postgresql_database_and_photos_are_both_old_or_both_new(on_postgres, tmp_path, url, copies, starter):
    on_postgres.close()
    write_feed(tmp_path / "home", "later")
    shutil.copytree(tmp_path / "home", tmp_path / "kept")
    home = tmp_path / "home"

    def old_again():
        shutil.rmtree(home)
        shutil.copytree(tmp_path / "kept", home)
        return Settings(home=home, store=copies(url, "killed"))

    old = state(old_again())
    settings = old_again()
    restore(tmp_path / "p.tar", settings, force=True)
    new = state(settings)
    assert old != new
    seen = []
    for kill in range(1, 200):
        settings = old_again()
        arguments = ["IPL_STORE", settings.store, "restore", tmp_path / "p.tar", "--home", home, "--force"]
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


@pytest.mark.postgres
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_database_program_that_outlives_the_restore_changes_nothing_later(
    on_postgres, tmp_path, url, copies, starter, when
):
    """psql goes on when the command that started it is killed: what it does then and what the next start does agree."""
    on_postgres.close()
    write_feed(tmp_path / "home", "later")
    shutil.copytree(tmp_path / "home", tmp_path / "kept")
    settings = Settings(home=tmp_path / "home", store=copies(url, "outlived"))
    old = state(settings)
    restore(tmp_path / "p.tar", settings, force=True)
    new = state(settings)
    shutil.rmtree(settings.home)
    shutil.copytree(tmp_path / "kept", settings.home)
    copies(url, "outlived")
    programs, real = tmp_path / "programs", shutil.which("psql")
    programs.mkdir()
    script = f'#!/bin/sh\nkill -9 $PPID\nsleep 1\nexec {real} "$@"\n'
    if when == "after":
        script = f'#!/bin/sh\n{real} "$@"\nkill -9 $PPID\n'
    (programs / "psql").write_text(script)
    (programs / "psql").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    arguments = ["PATH", path, "IPL_STORE", settings.store, "restore", tmp_path / "p.tar", "--home", settings.home]
    assert starter([*arguments, "--force"], 10_000) == -signal.SIGKILL
    assert state(settings) == (old if when == "before" else new)
    time.sleep(2)
    assert state(settings) == (old if when == "before" else new)


@pytest.mark.postgres
def test_an_older_archive_replaces_a_database_of_this_version(tmp_path, url):
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
