"""A restore alone: never beside a running server or a backup, all of it or nothing of it whenever it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import select, text

from app.cli.main import main
from app.services import build_services
from app.settings import Settings
from app.store.backup.archive import BackupError, back_up
from app.store.backup.restore import restore
from app.store.db import StoreError
from app.store.tables import Base, ChangeRow, OrderRow, OutboxRow
from app.views import AppError
from listing.intake.photos import intake
from tests.fakes import FakeIndex, FakePipeline, jpeg
from tests.servers import Postgres

FEED = Path("feed") / "models" / "ranking" / "current"


def start(settings):
    return build_services(settings, pipeline=FakePipeline(), index=FakeIndex())


def publish_some(services, count, color):
    me = services.sellers.only().id
    ids = []
    for n in range(count):
        draft = list(services.draft_writer.start(me, intake([jpeg((40 * n, color, 9))])))[-1]
        ids.append(services.publisher.publish(me, draft.draft_id, key=str(n)).id)
    return ids


def write_feed(home, said):
    (home / FEED).parent.mkdir(parents=True, exist_ok=True)
    (home / FEED).write_text(said)


def state(settings):
    """Everything that a restore brings back, as the next start of a server finds it."""
    services = start(settings)
    try:
        with services.store.engine.connect() as connection:
            rows = {
                table.name: [
                    tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))
                ]
                for table in Base.metadata.sorted_tables
                if table.name not in (OutboxRow.__tablename__, ChangeRow.__tablename__)
            }
        photos = {i: services.media.path(i).read_bytes() for i in services.media.ids()}
    finally:
        services.close()
    key = settings.home / "session.key"
    return rows, photos, (settings.home / FEED).read_text(), key.exists()


def leftovers(*folders):
    """What a killed backup or restore left."""
    names = re.compile(r"\.backup-.*|\.restore-.*|restore\.journal.*|\..*\.part")
    return [p.name for folder in folders if folder.is_dir() for p in folder.iterdir() if names.fullmatch(p.name)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with ``old``, a home with data, and ``new.tar``, an archive of other data."""
    folder = tmp_path_factory.mktemp("made")
    for name, count, color in (("old", 2, 100), ("source", 3, 200)):
        services = start(Settings(home=folder / name))
        publish_some(services, count, color)
        write_feed(folder / name, name)
        services.close()
    (folder / "old" / "session.key").write_bytes(b"k" * 32)
    back_up(Settings(home=folder / "source"), folder / "new.tar")
    return folder


@pytest.fixture(scope="module")
def starter(repository):
    """Runs a restore that kills itself; returns its exit status."""
    process = subprocess.Popen(
        [sys.executable, "tests/app/kills/kill_restore.py"],
        cwd=repository,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("IPL_")}, "PYTHONPATH": str(repository)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def run(arguments, kill, only=()):
        print(json.dumps({"arguments": [str(a) for a in arguments], "kill": kill, "only": only}), file=process.stdin)
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield run
    process.stdin.close()
    process.stdout.close()
    process.stderr.close()
    process.wait()


@pytest.mark.timeout(1200)
def test_killed_at_any_point_it_leaves_all_of_the_old_or_all_of_the_new(made, starter, tmp_path, request):
    """At every second change of a file; with ``--kills 1`` at every one."""
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    old = state(Settings(home=home))
    restore(made / "new.tar", Settings(home=home), force=True)
    new = state(Settings(home=home))
    assert old != new
    seen = []
    for kill in range(1, 1000, 1 if request.config.getoption("--kills") else 2):
        shutil.rmtree(home)
        shutil.copytree(made / "old", home)
        status = starter(["restore", made / "new.tar", "--home", home, "--force"], kill)
        left = state(Settings(home=home))
        assert left in (old, new), f"killed before change {kill}: a mixture"
        seen.append("old" if left == old else "new")
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert seen == sorted(seen, reverse=True), "an older state came back after a newer one"
    assert seen.count("old") > 5
    assert seen.count("new") > 5


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_whoever_comes_next_finishes_it(made, starter, tmp_path, monkeypatch, command):
    """Killed between two moves; then no server is started, but another command runs."""
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    assert starter(["restore", made / "new.tar", "--home", home, "--force"], 4, ["os.rename"]) == -signal.SIGKILL
    monkeypatch.setenv("IPL_HOME", str(home))
    out = tmp_path / "out.tar"
    if command == "backup":
        assert main(["backup", str(out)]) == 0
    else:
        assert main(["restore", str(made / "new.tar"), "--force"]) == 0
        back_up(Settings(home=home), out)
    restore(out, Settings(home=tmp_path / "again"))
    restore(made / "new.tar", Settings(home=tmp_path / "clean"))
    assert state(Settings(home=tmp_path / "again")) == state(Settings(home=tmp_path / "clean"))
    assert leftovers(home, tmp_path) == []


def test_nobody_opens_the_store_of_a_restore_that_was_cut_off(made, starter, tmp_path, monkeypatch, repository):
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    assert starter(["restore", made / "new.tar", "--home", home, "--force"], 4, ["os.rename"]) == -signal.SIGKILL
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "accounts", "token", "me"],
        cwd=repository,
        env={"IPL_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cut off" in done.stderr
    restore(made / "new.tar", Settings(home=tmp_path / "clean"))
    assert state(Settings(home=home)) == state(Settings(home=tmp_path / "clean"))


@pytest.mark.parametrize("moved", range(1, 12))
def test_a_move_that_fails_takes_all_others_back(made, tmp_path, monkeypatch, moved):
    """A full or broken disk instead of a kill: the command fails and the data is as it was."""
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    before = state(Settings(home=home))
    real, left = os.rename, [moved]

    def rename(source, target, **more):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(5, "Input/output error", str(source))
        return real(source, target, **more)

    monkeypatch.setattr(os, "rename", rename)
    with contextlib.suppress(OSError):
        restore(made / "new.tar", Settings(home=home), force=True)
        assert left[0] > 0, "the failure was passed over"
        pytest.fail(f"there are fewer than {moved} moves")
    monkeypatch.undo()
    assert state(Settings(home=home)) == before
    assert leftovers(home) == []
    assert not list(home.glob("before-restore-*"))


def test_a_media_folder_elsewhere_is_moved_as_a_whole_or_not_at_all(made, starter, tmp_path):
    home, media = tmp_path / "home", tmp_path / "elsewhere" / "photos"

    def old_again():
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(media.parent, ignore_errors=True)
        shutil.copytree(made / "old", home)
        media.parent.mkdir()
        (home / "media").rename(media)

    settings = Settings(home=home, media=media)
    old_again()
    old = state(settings)
    restore(made / "new.tar", settings, force=True)
    new = state(settings)
    for kill in range(1, 100):
        old_again()
        status = starter(
            ["IPL_MEDIA", media, "restore", made / "new.tar", "--home", home, "--force"], kill, ["os.rename"]
        )
        assert state(settings) in (old, new), f"killed before move {kill}: a mixture"
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert kill > 5


# ------------------------------------------------------------------------------------------------ nobody else


@contextlib.contextmanager
def server(home, repository, **environment):
    """A real server on a home; yields its address and its process."""
    command = [sys.executable, "tests/app/support/slow_server.py", str(home), "0"]
    with subprocess.Popen(
        command,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o022,
    ) as process:
        try:
            line = process.stdout.readline()
            yield re.search(r"http://\S+?(?=/)", line).group(0) if line else "", process
        finally:
            process.kill()
            process.communicate()


def test_a_restore_beside_a_running_server_is_refused(made, tmp_path, repository, capsys):
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    with server(home, repository) as (url, _):
        listing = httpx.get(f"{url}/v1/listings").json()["listings"][0]["id"]
        httpx.patch(f"{url}/v1/listings/{listing}", json={"price": 12}).raise_for_status()
        assert main(["restore", str(made / "new.tar"), "--home", str(home), "--force"]) == 1
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
    assert main(["restore", str(made / "new.tar"), "--home", str(home), "--force"]) == 0


def test_a_second_server_on_the_same_home_is_refused(made, tmp_path, repository):
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    with server(home, repository) as (url, _):
        with server(home, repository) as (second, process):
            assert second == ""
            assert process.wait(30) != 0
            said = process.stderr.read()
        assert f"{home} is in use" in said
        assert httpx.get(f"{url}/healthz").status_code == 200
    with server(home, repository) as (url, _):  # killed: the lock went with it
        assert url


def test_a_backup_runs_beside_a_server(made, tmp_path, repository, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    monkeypatch.setenv("IPL_HOME", str(home))
    with server(home, repository):
        assert main(["backup", str(tmp_path / "b.tar")]) == 0


def test_a_restore_during_a_backup_is_refused(made, tmp_path, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    from app.store.backup import archive

    real, said = archive._write_tar, []

    def write(*arguments):
        try:
            restore(made / "new.tar", Settings(home=home), force=True)
        except (StoreError, ValueError) as error:
            said.append(str(error))
        return real(*arguments)

    monkeypatch.setattr(archive, "_write_tar", write)
    back_up(Settings(home=home), tmp_path / "b.tar")
    assert len(said) == 1
    assert "backup" in said[0]
    restore(made / "new.tar", Settings(home=home), force=True)


@pytest.mark.parametrize("command", ["serve", "backup", "restore"])
def test_what_dead_backups_and_restores_left_is_removed(made, tmp_path, repository, monkeypatch, command):
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    monkeypatch.setenv("IPL_HOME", str(home))
    for name in (".backup-999999", ".restore-999999"):
        (home / name / "media" / "ab").mkdir(parents=True)
        (home / name / "media" / "ab" / f"{'ab' * 16}.jpg").write_bytes(b"deleted since")
    (tmp_path / ".b.tar.999999.part").write_bytes(b"half")
    if command == "serve":
        with server(home, repository) as (url, _):
            assert url
            assert leftovers(home) == []
        return
    if command == "backup":
        assert main(["backup", str(tmp_path / "b.tar")]) == 0
    else:
        shutil.copy(made / "new.tar", tmp_path / "b.tar")
        assert main(["restore", str(tmp_path / "b.tar"), "--force"]) == 0
    assert leftovers(home, tmp_path) == []


def test_what_a_killed_backup_left_is_removed_by_the_next_start(made, starter, tmp_path, repository):
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    out = tmp_path / "out"
    out.mkdir()
    kill, halves = 1, 0
    while (status := starter(["IPL_HOME", home, "backup", out / "b.tar", "--force"], kill)) == -signal.SIGKILL:
        halves += bool(leftovers(out))
        kill += 4
        if kill > 400:
            break
    assert status == 0
    assert kill > 12
    assert halves
    with server(home, repository) as (url, _):
        assert url
        assert leftovers(home, out) == []


# ------------------------------------------------------------------------------------------------ PostgreSQL


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
    from app.store.db import migrate, open_engine

    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    migrate(engine, "0006")
    engine.dispose()
    settings = Settings(home=tmp_path, store=url)
    back_up(settings, tmp_path / "older.tar")
    services = start(settings)
    publish_some(services, 1, 9)
    services.close()
    restore(tmp_path / "older.tar", settings, force=True)
    again = start(settings)
    assert list(again.media.ids()) == []
    again.close()


# ------------------------------------------------------------------------------------------------ readable by whom


def others(folder):
    """What others than the owner can read below a folder."""
    return [str(p) for p in [folder, *folder.rglob("*")] if stat.S_IMODE(p.lstat().st_mode) & 0o077]


def test_a_home_is_for_its_owner_alone_whatever_the_umask(tmp_path, repository):
    home = tmp_path / "home"
    with server(home, repository) as (url, _):
        photos = {"photos": ("a.jpg", jpeg(), "image/jpeg")}
        draft = httpx.post(f"{url}/v1/drafts", files=photos, headers={"accept": "application/json"}).json()
        assert httpx.post(f"{url}/v1/listings", json={"draft_id": draft["id"]}).status_code < 300
        assert (home / "store.sqlite-wal").exists()
        assert others(home) == []


def test_an_older_home_is_closed_to_others_at_the_start(made, tmp_path, repository):
    home = tmp_path / "home"
    shutil.copytree(made / "old", home)
    for name in ("index", "logs", "uploads"):
        (home / name).mkdir(exist_ok=True)
    home.chmod(0o755)
    for path in home.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    with server(home, repository) as (url, _):
        assert url
        assert [p for p in others(home) if Path(p).parent in (home, home.parent)] == []


def test_restored_files_and_backups_are_for_their_owner_alone(made, tmp_path, repository):
    environment = {"IPL_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "PYTHONPATH": str(repository)}
    for command in (["restore", str(made / "new.tar")], ["backup", str(tmp_path / "b.tar")]):
        subprocess.run(
            [sys.executable, "-m", "app.cli", *command], cwd=repository, env=environment, check=True, umask=0
        )
    assert others(tmp_path / "home") == []
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600


def test_a_store_that_a_small_program_makes_is_private(tmp_path, repository):
    environment = {"IPL_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "app.cli", "accounts", "token", "me"]
    subprocess.run(command, cwd=repository, env=environment, check=True, capture_output=True, umask=0)
    assert others(tmp_path / "home") == []
