"""Homes and archives for the tests of backups, and a process that kills itself in the middle of one."""

from __future__ import annotations

import pytest

from app.settings import Settings
from app.store.backup.archive import back_up
from tests.app.kills.life_server import Starter
from tests.app.support.restores import publish_some, start, write_feed


@pytest.fixture(scope="session")
def archived(tmp_path_factory):
    """A folder with the homes ``old`` and ``new``, which hold other data, and an archive of each (``new.tar``)."""
    folder = tmp_path_factory.mktemp("archived")
    for name, count, color in (("old", 2, 100), ("new", 3, 200)):
        services = start(Settings(home=folder / name))
        publish_some(services, count, color)
        write_feed(folder / name, name)
        services.close()
        back_up(Settings(home=folder / name), folder / f"{name}.tar")
    return folder


@pytest.fixture(scope="session")
def starter(tmp_path_factory):
    """Runs a command that kills itself; returns its exit status."""
    with Starter(tmp_path_factory.mktemp("starter") / "log", "kill_command") as process:
        yield lambda arguments, kill, only=(): process.fork(
            {"arguments": [str(a) for a in arguments], "kill": kill, "only": only}
        )
