"""What is written is for its owner alone, whatever the umask."""

from __future__ import annotations

import os
import stat

import httpx
import pytest

from app.cli.main import main
from listing.home import make_home
from tests.app.support.restores import server
from tests.fakes import jpeg


def others(folder):
    """What others than the owner can read below a folder."""
    return [str(p) for p in [folder, *folder.rglob("*")] if stat.S_IMODE(p.lstat().st_mode) & 0o077]


@pytest.mark.slow
def test_a_server_closes_its_home_to_others(tmp_path):
    home = tmp_path / "home"
    for name in ("", "index", "logs", "uploads", "media"):  # as an older version made them
        (home / name).mkdir()
        (home / name).chmod(0o755)
    (home / "session.key").write_bytes(b"k" * 32)
    (home / "session.key").chmod(0o644)
    with server(home) as (url, _):
        photos = {"photos": ("a.jpg", jpeg(), "image/jpeg")}
        draft = httpx.post(f"{url}/v1/drafts", files=photos, headers={"accept": "application/json"}).json()
        assert httpx.post(f"{url}/v1/listings", json={"draft_id": draft["id"]}).status_code < 300
        assert (home / "store.sqlite-wal").exists()
        assert others(home) == []


def test_a_folder_for_everybody_is_left_alone(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    make_home(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


@pytest.mark.parametrize("first", ["restore", "accounts"])
def test_what_commands_write_is_for_its_owner_alone(archived, tmp_path, monkeypatch, first):
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))
    commands = {
        "restore": ["restore", str(archived / "new.tar"), "--into", str(tmp_path / "home")],
        "accounts": ["accounts", "token", "me"],
    }
    before = os.umask(0)
    try:
        assert main(commands[first]) == 0
        assert main(["backup", str(tmp_path / "b.tar")]) == 0
    finally:
        os.umask(before)
    assert others(tmp_path / "home") == []
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
