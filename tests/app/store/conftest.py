"""Homes and archives for the tests of restores, and a process that kills itself in the middle of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from app.settings import Settings
from app.store.backup.archive import back_up
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
