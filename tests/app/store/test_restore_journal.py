"""A restore is all of it or nothing of it, whenever it is killed and whatever fails."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import pytest

from app.cli.main import main
from app.settings import Settings
from app.store.backup.archive import back_up
from app.store.backup.restore import restore
from tests.app.support.restores import leftovers, state


@pytest.mark.timeout(1200)
def test_killed_at_any_point_it_leaves_all_of_the_old_or_all_of_the_new(archived, starter, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(archived / "old", home)
    old = state(Settings(home=home))
    restore(archived / "new.tar", Settings(home=home), force=True)
    new = state(Settings(home=home))
    assert old != new
    seen = []
    for kill in range(1, 1000):
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
    assert seen.count("old") > 10
    assert seen.count("new") > 10


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
