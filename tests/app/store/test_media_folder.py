"""The media folder belongs to one store: another store's start touches nothing, and strays are kept for some days."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tarfile
import time
from datetime import timedelta

import pytest
from sqlalchemy import inspect, update

from app.cli.main import main
from app.settings import Settings
from app.store.backup.archive import back_up
from app.store.db import StoreError, engine_of
from app.store.tables import DraftRow, now
from app.views import AppError
from listing.intake.photos import intake
from tests.app.support.restores import publish_some, start
from tests.fakes import jpeg

DAY = 86_400


def refusal(settings):
    """What a start says when it refuses; nothing when it goes ahead."""
    try:
        start(settings).close()
    except StoreError as error:
        return str(error)
    return ""


def age(services):
    """Every photo is two hours old."""
    for path in services.media.folder.glob("??/*.jpg"):
        os.utime(path, (time.time() - 7200,) * 2)


def contents(folder):
    """Every photo below a folder, trash included."""
    return {p.name: p.read_bytes() for p in folder.rglob("*.jpg")}


@pytest.fixture
def used(tmp_path):
    """A server that was used two hours ago and is closed; its settings."""
    services = start(Settings(home=tmp_path / "home"))
    publish_some(services, 4, 90)
    age(services)
    services.close()
    return services.settings


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "older version"])
def test_a_start_with_a_mistyped_store_is_refused_and_no_photo_goes(used, marked):
    before = contents(used.media_folder)
    if not marked:
        (used.media_folder / ".store").unlink(missing_ok=True)
    typo = f"sqlite:///{used.home / 'stroe.sqlite'}"
    said = refusal(used.model_copy(update={"store": typo}))
    assert contents(used.media_folder) == before
    assert len(before) == 4
    assert re.search("another store.*IPL_STORE", said)
    assert not (used.home / "stroe.sqlite").exists()
    again = start(used)
    assert len(list(again.media.ids())) == 4
    again.close()


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "older version"])
def test_a_second_store_on_these_photos_is_refused(used, tmp_path, marked):
    if not marked:
        (used.media_folder / ".store").unlink()
    other = start(Settings(home=tmp_path / "other"))
    publish_some(other, 6, 90)
    other.close()
    before = contents(used.media_folder)
    said = refusal(Settings(home=tmp_path / "other", media=used.media_folder))
    assert contents(used.media_folder) == before
    assert "another store" in said


def test_the_command_ends_with_one_sentence(used, monkeypatch, capsys):
    monkeypatch.setenv("IPL_HOME", str(used.home))
    monkeypatch.setenv("IPL_STORE", f"sqlite:///{used.home / 'typo.sqlite'}")
    assert main(["serve", "--port", "0", "--no-rag"]) == 1
    said = capsys.readouterr().err
    assert "another store" in said
    assert said.count("\n") == 1
    assert len(contents(used.media_folder)) == 4


def test_an_unmarked_folder_is_marked_by_its_store(used):
    (used.media_folder / ".store").unlink(missing_ok=True)
    start(used).close()
    mark = used.media_folder / ".store"
    assert len(mark.read_text().strip()) == 32
    assert len(contents(used.media_folder)) == 4


@pytest.mark.parametrize("days", [None, 1.0])
def test_a_stray_photo_lies_in_the_trash_for_some_days(used, tmp_path, days):
    services = start(used.model_copy(update={"trash_days": days}) if days else used)
    stray = services.media.save("ab" * 16, b"left behind")
    os.utime(stray, (0, 0))
    assert services.housekeeping.sweep() == 1
    assert not stray.exists()
    assert contents(used.media_folder)[stray.name] == b"left behind"
    assert stray.stem not in set(services.media.ids())
    assert not services.media.path(stray.stem).exists()
    with pytest.raises(AppError, match="no such photo"):
        services.listings.photo_file(services.sellers.only().id, stray.stem)
    back_up(used, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert not [name for name in tar.getnames() if stray.stem in name]
    trashed = next(p for p in used.media_folder.rglob("*.jpg") if p.name == stray.name)
    assert time.time() - trashed.stat().st_mtime < 60  # its days in the trash are counted from now
    services.housekeeping.sweep()
    assert trashed.exists()
    os.utime(trashed, (time.time() - ((days or 7) - 0.1) * DAY,) * 2)
    services.housekeeping.sweep()
    assert trashed.exists()
    os.utime(trashed, (time.time() - ((days or 7) + 0.1) * DAY,) * 2)
    services.housekeeping.sweep()
    assert not trashed.exists()
    services.close()


@pytest.mark.parametrize(("home", "words"), [("home", "5 of 9 photos"), ("empty", "knows no photo")])
def test_when_most_photos_are_strays_nothing_is_swept_and_the_log_says_so(used, tmp_path, caplog, home, words):
    services = start(Settings(home=tmp_path / home))
    strays = [services.media.save(f"{n:032x}", b"stray") for n in range(5)]
    for stray in strays:
        os.utime(stray, (0, 0))
    with caplog.at_level(logging.WARNING):
        assert services.housekeeping.sweep() == 0
    assert all(stray.exists() for stray in strays)
    assert words in caplog.text
    services.close()


def test_a_backup_beside_foreign_photos_is_refused(used, tmp_path):
    other = start(Settings(home=tmp_path / "other"))
    publish_some(other, 4, 90)
    other.close()
    with pytest.raises(StoreError, match="another store"):
        back_up(Settings(home=tmp_path / "other", media=used.media_folder), tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.postgres
def test_a_new_database_beside_old_photos_is_refused_and_stays_empty(tmp_path, databases):
    with databases.fresh() as url:
        services = start(Settings(home=tmp_path, store=url))
        publish_some(services, 4, 90)
        age(services)
        services.close()
    before = contents(services.settings.media_folder)
    with databases.fresh("template1") as empty:  # the lost volume's
        assert "another store" in refusal(Settings(home=tmp_path, store=empty))
        assert contents(services.settings.media_folder) == before
        with engine_of(empty) as engine:
            assert inspect(engine).get_table_names() == []


def test_what_an_older_copy_of_the_store_put_into_the_trash_comes_back(tmp_path):
    services = start(Settings(home=tmp_path))
    publish_some(services, 4, 90)
    services.close()
    settings = services.settings
    older, newer = tmp_path / "older.sqlite", tmp_path / "newer.sqlite"
    shutil.copy(tmp_path / "store.sqlite", older)
    services = start(settings)
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, intake([jpeg((3, 3, 200))])))[-1]
    listing = services.publisher.publish(me, draft.draft_id, key="newer")
    age(services)
    services.close()
    shutil.move(tmp_path / "store.sqlite", newer)
    shutil.copy(older, tmp_path / "store.sqlite")
    start(settings).close()  # the wrong one: what it does not name goes into the trash
    shutil.copy(newer, tmp_path / "store.sqlite")
    again = start(settings)
    files = [again.listings.photo_file(me, p.id) for p in listing.photos]
    assert all(path.read_bytes().startswith(b"\xff\xd8") for path in files)
    for trashed in (settings.media_folder / ".trash").glob("*.jpg"):
        os.utime(trashed, (time.time() - 8 * DAY,) * 2)
    again.housekeeping.sweep()
    assert all(path.is_file() for path in files)
    again.close()


def test_a_draft_that_an_older_copy_of_the_store_holds_too_old_comes_back(tmp_path):
    """Housekeeping takes nothing from the disk: there the draft is old, in the newer store it has been published."""
    services = start(Settings(home=tmp_path))
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, intake([jpeg((3, 3, 200))])))[-1]
    with services.store.write() as session:
        session.execute(update(DraftRow).values(updated_at=now() - timedelta(days=31)))
    services.store.compact()
    older, newer, store = (tmp_path / name for name in ("older.sqlite", "newer.sqlite", "store.sqlite"))
    shutil.copy(store, older)
    listing = services.publisher.publish(me, draft.draft_id, key="newer")
    services.close()
    shutil.move(store, newer)
    shutil.copy(older, store)
    start(services.settings).close()
    assert list(services.media.ids()) == []
    shutil.copy(newer, store)
    again = start(services.settings)
    files = [again.listings.photo_file(me, p.id) for p in listing.photos]
    assert all(path.read_bytes().startswith(b"\xff\xd8") for path in files)
    again.close()


def test_a_deleted_photo_leaves_the_trash_too(used):
    services = start(used)
    me = services.sellers.only().id
    listing = services.listings.own(me)[0]
    for photo in listing.photos:
        path = services.media.path(photo.id)
        (used.media_folder / ".trash").mkdir(exist_ok=True)
        path.rename(used.media_folder / ".trash" / path.name)
    services.publisher.delete(me, listing.id)
    assert not {p.id for p in listing.photos} & {name[:32] for name in contents(used.media_folder)}
    services.close()
