"""A restore: alone on its home, and all of it or nothing of it, whenever it is killed and whatever fails."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys

import httpx
import pytest
from sqlalchemy import select

from app.cli.main import main
from app.settings import Settings
from app.store.backup.archive import back_up
from app.store.backup.restore import restore
from app.store.db import StoreError
from app.store.tables import OrderRow
from tests.app.support.restores import leftovers, server, start, state


def test_a_restore_beside_a_running_server_is_refused(archived, tmp_path, repository, capsys):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    with server(home, repository) as (url, _):
        listing = httpx.get(f"{url}/v1/listings").json()["listings"][0]["id"]
        httpx.patch(f"{url}/v1/listings/{listing}", json={"price": 12}).raise_for_status()
        assert main(["restore", str(archived / "new.tar"), "--home", str(home), "--force"]) == 1
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
    assert main(["restore", str(archived / "new.tar"), "--home", str(home), "--force"]) == 0


def test_a_second_server_on_the_same_home_is_refused(archived, tmp_path, repository):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    with server(home, repository) as (url, _):
        with server(home, repository) as (second, process):
            assert second == ""
            assert process.wait(30) != 0
            said = process.stderr.read()
        assert f"{home} is in use" in said
        assert httpx.get(f"{url}/healthz").status_code == 200
    with server(home, repository) as (url, _):  # killed: the lock went with it
        assert url


def test_a_backup_runs_beside_a_server(archived, tmp_path, repository, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    monkeypatch.setenv("IPL_HOME", str(home))
    with server(home, repository):
        assert main(["backup", str(tmp_path / "b.tar")]) == 0


def test_a_restore_during_a_backup_is_refused(archived, tmp_path, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    from app.store.backup import archive

    real, said = archive._write_tar, []

    def write(*arguments):
        try:
            restore(archived / "new.tar", Settings(home=home), force=True)
        except (StoreError, ValueError) as error:
            said.append(str(error))
        return real(*arguments)

    monkeypatch.setattr(archive, "_write_tar", write)
    back_up(Settings(home=home), tmp_path / "b.tar")
    assert len(said) == 1
    assert "backup" in said[0]
    restore(archived / "new.tar", Settings(home=home), force=True)


@pytest.mark.parametrize("command", ["serve", "backup", "restore"])
def test_what_dead_backups_and_restores_left_is_removed(archived, tmp_path, repository, monkeypatch, command):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    monkeypatch.setenv("IPL_HOME", str(home))
    for name in (".backup-999999", ".restore-999999"):
        (home / name / "media" / "ab").mkdir(parents=True)
        (home / name / "media" / "ab" / f"{'ab' * 16}.jpg").write_bytes(b"deleted since")
    half = tmp_path / ".b.tar.999999.part"
    half.write_bytes(b"half")
    (home / ".backup-999999" / "note.json").write_text(json.dumps({"home": str(home), "part": str(half)}))
    if command == "serve":
        with server(home, repository) as (url, _):
            assert url
            assert leftovers(home) == []
        return
    if command == "backup":
        assert main(["backup", str(tmp_path / "b.tar")]) == 0
    else:
        shutil.copy(archived / "new.tar", tmp_path / "b.tar")
        assert main(["restore", str(tmp_path / "b.tar"), "--force"]) == 0
    assert leftovers(home, tmp_path) == []


@pytest.mark.timeout(1200)
def test_killed_at_any_point_it_leaves_all_of_the_old_or_all_of_the_new(archived, starter, tmp_path, request):
    """At every second change of a file; with ``--kills 1`` at every one."""
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
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


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_whoever_comes_next_finishes_it(archived, starter, tmp_path, monkeypatch, command):
    """Killed between two moves; then no server is started, but another command runs."""
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    assert starter(["restore", archived / "new.tar", "--home", home, "--force"], 4, ["os.rename"]) == -signal.SIGKILL
    monkeypatch.setenv("IPL_HOME", str(home))
    out = tmp_path / "out.tar"
    if command == "backup":
        assert main(["backup", str(out)]) == 0
    else:
        assert main(["restore", str(archived / "new.tar"), "--force"]) == 0
        back_up(Settings(home=home), out)
    restore(out, Settings(home=tmp_path / "again"))
    restore(archived / "new.tar", Settings(home=tmp_path / "clean"))
    assert state(Settings(home=tmp_path / "again")) == state(Settings(home=tmp_path / "clean"))
    assert leftovers(home, tmp_path) == []


def test_nobody_opens_the_store_of_a_restore_that_was_cut_off(archived, starter, tmp_path, monkeypatch, repository):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    assert starter(["restore", archived / "new.tar", "--home", home, "--force"], 4, ["os.rename"]) == -signal.SIGKILL
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
    restore(archived / "new.tar", Settings(home=tmp_path / "clean"))
    assert state(Settings(home=home)) == state(Settings(home=tmp_path / "clean"))


@pytest.mark.parametrize("moved", range(1, 12))
def test_a_move_that_fails_takes_all_others_back(archived, tmp_path, monkeypatch, moved):
    """A full or broken disk instead of a kill: the command fails and the data is as it was."""
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
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
        assert left[0] > 0, "the failure was passed over"
        pytest.fail(f"there are fewer than {moved} moves")
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
    for kill in range(1, 100):
        old_again()
        status = starter(
            ["IPL_MEDIA", media, "restore", archived / "new.tar", "--home", home, "--force"], kill, ["os.rename"]
        )
        assert state(settings) in (old, new), f"killed before move {kill}: a mixture"
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert kill > 5
