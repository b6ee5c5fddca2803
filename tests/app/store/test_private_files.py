"""What is written is for its owner alone, whatever the umask."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import httpx

from listing.home import make_home
from tests.app.support.restores import server
from tests.fakes import jpeg


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


def test_an_older_home_is_closed_to_others_at_the_start(archived, tmp_path, repository):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    for name in ("index", "logs", "uploads"):
        (home / name).mkdir(exist_ok=True)
    home.chmod(0o755)
    for path in home.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    with server(home, repository) as (url, _):
        assert url
        assert [p for p in others(home) if Path(p).parent in (home, home.parent)] == []


def test_a_folder_in_which_everybody_may_write_is_left_as_it_is(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    make_home(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


def test_restored_files_and_backups_are_for_their_owner_alone(archived, tmp_path, repository):
    environment = {"IPL_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "PYTHONPATH": str(repository)}
    for command in (["restore", str(archived / "new.tar")], ["backup", str(tmp_path / "b.tar")]):
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
