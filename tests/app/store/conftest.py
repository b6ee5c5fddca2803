"""Homes and archives for the tests of restores, and a process that kills itself in the middle of one."""

from __future__ import annotations

import pytest

from app.settings import Settings
from app.store.backup.archive import back_up
from tests.app.kills.life_server import Starter
from tests.app.support.restores import publish_some, start, write_feed


@pytest.fixture(scope="session")
def archived(tmp_path_factory):
    """A folder with ``old``, a home with data, and ``new.tar``, an archive of other data."""
    folder = tmp_path_factory.mktemp("archived")
    for name, count, color in (("old", 2, 100), ("source", 3, 200)):
        services = start(Settings(home=folder / name))
        publish_some(services, count, color)
        write_feed(folder / name, name)
        services.close()
    (folder / "old" / "session.key").write_bytes(b"k" * 32)
    back_up(Settings(home=folder / "source"), folder / "new.tar")
    return folder


@pytest.fixture(scope="session")
def starter(tmp_path_factory):
    """Runs a restore that kills itself; returns its exit status."""
    with Starter(tmp_path_factory.mktemp("starter") / "log", "kill_restore") as process:
        yield lambda arguments, kill, only=(): process.fork(
            {"arguments": [str(a) for a in arguments], "kill": kill, "only": only}
        )
