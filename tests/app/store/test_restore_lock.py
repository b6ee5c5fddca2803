"""A restore alone: never beside a running server or a backup; what dead ones left is removed."""

from __future__ import annotations

import json
import shutil
import signal

import httpx
import pytest
from sqlalchemy import select

from app.cli.main import main
from app.settings import Settings
from app.store.backup.archive import back_up
from app.store.backup.restore import restore
from app.store.db import StoreError
from app.store.tables import OrderRow
from tests.app.support.restores import leftovers, server, start


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


def test_what_a_killed_backup_left_is_removed_by_the_next_start(archived, starter, tmp_path, repository):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
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
