"""Eight ways for a clock to be wrong, played with real servers (libfaketime): nothing is lost.

``python -m pytest tests/app/store/test_clocks.py --nightly -s`` prints them as a table.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.services import Services
from app.settings import Settings
from app.setup.external_tools import find_faketime
from app.store.tables import DraftRow, now
from listing.intake.photos import intake
from tests.app.support.clients import client_of, published
from tests.fakes import FakeIndex, FakePipeline, jpeg

pytestmark = [pytest.mark.faketime, pytest.mark.nightly]  # test_retention plays the same jumps within this process

ROOT = Path(__file__).resolve().parents[3]
WHILE_IT_RUNS = 75.0  # seconds: a server looks for what is too old a minute after its start
# Days by which the clock is ahead at one start after the other; (before, after): it jumps while the server runs.
SEQUENCES: dict[str, list[float | tuple[float, float]]] = {
    "40 days ahead, then 42": [40, 42],
    "40 behind, right, 40 ahead": [-40, 0, 40],
    "ahead and right by turns": [40, 0, 40, 0, 40],
    "idle for three days, then 40 ahead": [3, 43],
    "40 further with each start": [40, 80, 120, 160],
    "23 hours further with each start": [n * 23 / 24 for n in range(1, 10)],
    "a clock of 1972, then the right one": [-20_000, 0],
    "40 ahead while it runs, then right, then 41": [(0, 40), 0, 41],
}


def used(home: Path) -> dict[str, int]:
    """A home with a listing, a draft of three weeks ago, one of today, and a photo that went into the trash today."""
    services = Services(Settings(home=home), pipeline=FakePipeline(), index=FakeIndex())
    me = services.sellers.only().id
    for shade in (9, 90):
        list(services.draft_writer.start(me, intake([jpeg((shade, 9, 9))])))
        if shade == 9:
            with services.store.write() as session:
                session.execute(update(DraftRow).values(updated_at=now() - timedelta(days=21)))
    with client_of(services) as client:
        published(client)
    stray = services.media.save("ab" * 16, jpeg())
    (services.media.folder / ".trash").mkdir()
    stray.rename(services.media.folder / ".trash" / stray.name)
    services.close()
    return held(home)


def held(home: Path) -> dict[str, int]:
    with closing(sqlite3.connect(home / "store.sqlite")) as store:
        count = {t: store.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("drafts", "listings", "photos")}
    trashed = [*(home / "media" / ".trash").rglob("*.jpg")]
    return {**count, "files": len([*(home / "media").glob("??/*.jpg")]), "in the trash": len(trashed)}


def run_server(home: Path, days: float | tuple[float, float]) -> None:
    """Start a server with that clock, wait until it has put its home in order, and stop it."""
    before, after = days if isinstance(days, tuple) else (days, days)
    clock, library = home / "clock", find_faketime()
    clock.write_text(f"{before:+f}d")
    fake = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # that goes on as the machine runs
        "NO_FAKE_STAT": "1",  # files are as old as they are
    }
    program = [sys.executable, "tests/app/support/slow_server.py", str(home), "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IPL_SHUTDOWN_SECONDS": "1", **fake}
    with (home / "log").open("a") as log:
        server = subprocess.Popen(program, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    assert server.stdout is not None
    try:
        assert re.search(r"http://", server.stdout.readline()), (home / "log").read_text()[-2000:]
        if before != after:
            clock.write_text(f"{after:+f}d")
            time.sleep(WHILE_IT_RUNS)
    finally:
        server.terminate()
        server.wait(60)


@pytest.mark.parametrize("name", SEQUENCES)
def test_nothing_is_lost_whatever_the_clock_says(tmp_path: Path, name: str) -> None:
    had = used(tmp_path)
    left = []
    for days in SEQUENCES[name]:
        run_server(tmp_path, days)
        left.append(held(tmp_path))
    print(f"| {name} | {len(left)} starts | {had} | {left[-1]} |")
    assert left == [had] * len(left)
    assert "the clock is" in (tmp_path / "log").read_text() or name.startswith("23 hours")
