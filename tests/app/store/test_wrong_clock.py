"""A clock that jumps: nothing goes as too old that is not, and nobody is signed out."""

from __future__ import annotations

import logging
import shutil
import time
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.store import clock
from app.store.tables import DraftRow, FeedPageRow
from app.web.server import keepers
from tests.app.feed.test_feed import seen
from tests.app.support.clients import client_of, published


@pytest.fixture
def moved(monkeypatch):
    """Moves the clock of this process: ``moved(days=40)``; ``moved()`` sets it right again."""
    real = time.time

    class Moved(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(time.time(), tz)

    def move(**by):
        seconds = timedelta(**by).total_seconds()
        monkeypatch.setattr(time, "time", lambda: real() + seconds)
        monkeypatch.setattr(clock, "datetime", Moved)

    return move


def count(services, table):
    with services.store.read() as session:
        return session.scalar(select(func.count()).select_from(table))


def tidy(services):
    """What the clock does every hour."""
    for keeper in keepers(services):
        if keeper.name in ("retiring old drafts", "sweeping photos", "forgetting behaviour"):
            keeper.work()


def left(services, me, photos):
    """A draft, a page of the feed, and a photo in the trash."""
    draft = list(services.draft_writer.start(me, photos))[-1]
    with client_of(services) as client:
        published(client)
        seen(client)
    stray = services.media.save("ab" * 16, b"stray")
    trash = services.media.folder / ".trash"
    trash.mkdir(exist_ok=True)
    stray.rename(trash / stray.name)
    return draft, trash / stray.name


@pytest.mark.stores
def test_a_clock_that_jumps_ahead_deletes_nothing_for_a_day(build, photos, moved, caplog):
    services = build(log_days=20)
    draft, trashed = left(services, services.sellers.only().id, photos)
    files = set(services.media.ids())

    def check(again):
        tidy(again)
        assert count(again, DraftRow) == 2
        assert count(again, FeedPageRow) == 1
        assert set(again.media.ids()) == files
        assert trashed.exists()

    moved(days=40)
    with caplog.at_level(logging.WARNING):
        check(build(log_days=20, index=services.index))
    assert "1 draft" in caplog.text
    assert "clock" in caplog.text
    moved(days=40, hours=23)
    check(build(log_days=20, index=services.index))
    moved()
    check(build(log_days=20, index=services.index))
    moved(days=40, hours=25)  # ahead once more, and right in between
    check(build(log_days=20, index=services.index))
    moved(days=41, hours=26)  # it still says so a day later: it is right
    again = build(log_days=20, index=services.index)
    tidy(again)
    assert count(again, DraftRow) == 1  # the published one
    assert count(again, FeedPageRow) == 0
    assert not trashed.exists()
    assert not {p.id for p in draft.photos} & set(again.media.ids())


def test_a_start_with_an_older_copy_of_the_store_deletes_no_draft_for_a_day(build, photos, moved, tmp_path):
    moved(days=-40)
    services = build()
    draft = list(services.draft_writer.start(services.sellers.only().id, photos))[-1]
    services.close()
    shutil.copy(tmp_path / "store.sqlite", tmp_path / "older.sqlite")
    services = build()
    listing = services.publisher.publish(services.sellers.only().id, draft.draft_id, key="k")
    services.close()
    shutil.copy(tmp_path / "store.sqlite", tmp_path / "newer.sqlite")
    moved()
    shutil.copy(tmp_path / "older.sqlite", tmp_path / "store.sqlite")
    build().close()
    shutil.copy(tmp_path / "newer.sqlite", tmp_path / "store.sqlite")
    again = build()
    assert {p.id for p in listing.photos} <= set(again.media.ids())


def test_a_server_that_was_off_for_weeks_goes_on_a_day_later(build, photos, moved):
    services = build()
    list(services.draft_writer.start(services.sellers.only().id, photos))
    moved(days=50)
    assert count(build(), DraftRow) == 1
    moved(days=57)  # opened once a week
    assert count(build(), DraftRow) == 0


def test_a_clock_that_goes_back_signs_nobody_out(people, moved):
    made = people("ann", page=True)
    with made.browser("ann") as browser:
        device = browser.cookies["ipl_device"]
        for by in ({"hours": -1}, {"days": -13}, {}):
            moved(**by)
            assert browser.get("/v1/listings").status_code == 200
            assert made.app.state.sessions.device(device, "ann")
        moved(days=15)
        assert browser.get("/v1/listings").status_code == 401
        moved(days=-15)  # no clock is that wrong by chance: a cookie has an end on either side
        assert browser.get("/v1/listings").status_code == 401
