"""A backup or a restore is all or nothing, whenever it is killed and whatever is full; a home has one server."""

from __future__ import annotations

import errno
import hashlib
import shutil
import signal

import httpx
import pytest

from app.cli.main import main
from app.settings import Settings
from app.store.backup import archive
from app.store.backup.archive import back_up
from app.store.backup.restore import restore
from app.store.home_lock import HomeInUse
from tests.app.support.restores import leftovers, publish_some, server, start, state, write_feed

pytestmark = pytest.mark.slow


@pytest.fixture
def home(archived, tmp_path, monkeypatch):
    """A home with data, which the commands use."""
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))
    return shutil.copytree(archived / "new", tmp_path / "home")


def test_beside_a_server_a_backup_runs_and_a_second_server_is_refused(home, tmp_path):
    with server(home) as (url, _):
        assert main(["backup", str(tmp_path / "b.tar")]) == 0
        with server(home) as (second, process):
            assert second == ""
            assert process.wait(30) != 0
            assert f"{home} is in use" in process.said()
        assert httpx.get(f"{url}/healthz").status_code == 200
    with server(home) as (url, _):  # killed: the lock went with it
        assert url


def test_a_second_backup_is_refused(home, tmp_path, monkeypatch):
    real, refused = archive.check_photos, []

    def check(*arguments):
        with pytest.raises(HomeInUse, match="backup"):
            back_up(Settings(home=home), tmp_path / "second.tar")
        refused.append(True)
        return real(*arguments)

    monkeypatch.setattr(archive, "check_photos", check)
    back_up(Settings(home=home), tmp_path / "b.tar")
    assert refused


@pytest.mark.parametrize("command", ["serve", "backup"])
def test_what_a_killed_backup_left_is_removed(home, tmp_path, starter, command):
    out = tmp_path / "b.tar"
    assert starter(["IPL_HOME", home, "backup", out], 1, ["os.rename"]) == -signal.SIGKILL
    assert len(leftovers(home, tmp_path)) == 3
    if command == "serve":
        with server(home) as (url, _):
            assert url
            assert leftovers(home, tmp_path) == []
    else:
        assert main(["backup", str(out)]) == 0
        assert leftovers(home, tmp_path) == []


def first_state(home, folder):
    """What a home holds, by the first start of a copy."""
    return state(Settings(home=shutil.copytree(home, folder / "copy")))


def content(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.timeout(1200)
def test_a_backup_killed_at_any_point_leaves_the_old_archive_or_a_whole_new_one(
    archived, home, starter, request, tmp_path
):
    """At every third change of a file; with ``--kills 1`` at every one."""
    out, new, seen = tmp_path / "b.tar", first_state(home, tmp_path), []
    for kill in range(1, 1000, 1 if request.config.getoption("--kills") else 3):
        shutil.copy(archived / "old.tar", out)
        status = starter(["IPL_HOME", home, "backup", out, "--force"], kill)
        seen.append("old" if content(out) == content(archived / "old.tar") else "new")
        if seen[-1] == "new":
            shutil.rmtree(tmp_path / "again", ignore_errors=True)
            restore(out, tmp_path / "again", Settings(home=home))
            assert state(Settings(home=tmp_path / "again")) == new
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert seen == sorted(seen, reverse=True)
    assert seen.count("old") > 5
    assert seen[-1] == "new"


@pytest.mark.timeout(1200)
def test_a_restore_killed_at_any_point_leaves_nothing_or_all(archived, tmp_path, starter, request):
    """At every second change of a file; with ``--kills 1`` at every one."""
    into, new, seen = tmp_path / "home", first_state(archived / "new", tmp_path), []
    for kill in range(1, 1000, 1 if request.config.getoption("--kills") else 2):
        status = starter(["restore", archived / "new.tar", "--into", into], kill)
        seen.append(into.exists())
        if into.exists():
            assert state(Settings(home=into)) == new
            shutil.rmtree(into)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert seen == sorted(seen)
    assert seen.count(False) > 5


@pytest.mark.postgres
@pytest.mark.timeout(1200)
def test_a_restore_into_postgresql_is_killed_before_or_after_all(tmp_path, url, databases, starter):
    services = start(Settings(home=tmp_path / "source", store=url))
    publish_some(services, 2, 50)
    write_feed(tmp_path / "source", "new")
    back_up(services.settings, tmp_path / "p.tar")
    services.close()
    new, into, seen = state(services.settings), tmp_path / "home", []
    for kill in range(1, 200):
        with databases.fresh("template1") as empty:
            arguments = ["IPL_STORE", empty, "restore", tmp_path / "p.tar", "--into", into]
            status = starter(arguments, kill, ["os.rename", "subprocess.Popen"])
            seen.append(into.exists())
            if into.exists():
                assert state(Settings(home=into, store=empty)) == new
                shutil.rmtree(into)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert seen[0] is False
    assert seen[-1] is True


@pytest.mark.parametrize("full", ["home", "archive"])
def test_a_full_disk_is_named_and_the_old_archive_stays(archived, home, tmp_path, monkeypatch, capsys, full):
    (tmp_path / "backups").mkdir()
    out = shutil.copy(archived / "old.tar", tmp_path / "backups" / "b.tar")

    def write(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "_stage_feed" if full == "home" else "_write_tar", write)
    assert main(["backup", str(out), "--force"]) == 1
    said = capsys.readouterr().err
    assert f"disk is full ({home if full == 'home' else tmp_path / 'backups'})" in said
    assert content(out) == content(archived / "old.tar")
    assert leftovers(home, tmp_path / "backups") == []
