"""What was deleted is gone: no word and no picture of it is left in any file of the home, nor in the database.

The looking is done from outside, in the raw bytes of every file, while the server runs and after ``kill -9``.
"""

from __future__ import annotations

import gc
import random
import re
import signal
from types import ModuleType

import httpx
import pytest
from PIL import Image
from sqlalchemy import select, text

from app.seller.actions import Actions
from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from app.store.db import Store, open_engine
from app.store.tables import OutboxRow
from listing.intake.photos import intake
from tests.app.support import small_index
from tests.app.support.clients import client_of
from tests.app.support.leftovers import files_with, marked_jpeg, publish_marked, rows_with, wait_until_gone
from tests.app.support.local_servers import served
from tests.app.support.shop import buy, seen
from tests.app.support.small_index import open_services
from tests.fakes import jpeg
from tests.forked import Forked

pytestmark = pytest.mark.slow

WORD = "quuxzebrine"


def places_with(services, word):
    """Where the word is: files below the home, tables of the database, the index."""
    found = files_with(services.settings.home, word) + rows_with(services.store.engine, word)
    records = services.index.past.index.records()
    return found + [f"index: {r.listing_id}" for r in records if word in r.model_dump_json()]


def at_night(services):
    """What the clock does at night if something was removed: the index, once it has followed, is rebuilt."""

    def waiting():
        with services.store.read() as session:
            return session.scalars(select(OutboxRow.key).where(OutboxRow.topic == "index")).all()

    wait_until_gone(waiting)
    services.index.rebuild()


@pytest.mark.stores(both=True)
def test_no_word_of_a_deleted_listing_stays_anywhere(services):
    with client_of(services) as client:
        kept = publish_marked(client, "plain", (20, 60, 60))
        listing = publish_marked(client, WORD, (90, 60, 60))
        page = seen(client)
        events = [{"kind": "click", "page_id": page["id"], "listing_id": listing["id"]}]
        client.post("/v1/events", json={"visitor": "vera", "events": events})
        assert client.get("/v1/listings", params={"q": WORD}).json()["listings"][0]["id"] == listing["id"]
        assert places_with(services, WORD)
        assert client.delete(f"/v1/listings/{listing['id']}").status_code == 204
        at_night(services)
        wait_until_gone(lambda: places_with(services, WORD))
        assert set(services.media.ids()) == {kept["photos"][0]["id"]}
        # The index goes on: found, added, changed and removed as before.
        assert client.get("/v1/listings", params={"q": "plain"}).json()["listings"][0]["id"] == kept["id"]
        later = publish_marked(client, "later", (20, 160, 60))
        assert services.index.ids() == {kept["id"], later["id"]}
        assert buy(client, kept).status_code == 201
        client.delete(f"/v1/listings/{later['id']}")
        assert services.index.ids() == {kept["id"]}


@pytest.mark.stores(both=True)
def test_no_changed_or_withdrawn_word_stays_indexed(services):
    with client_of(services) as client:
        listing = publish_marked(client, WORD, (90, 60, 60))
        facts = {"brand": "other"}
        changed = {"title": "Other hoodie", "description": "Another description.", "attributes": facts}
        assert client.patch(f"/v1/listings/{listing['id']}", json=changed).status_code == 200
        index = services.settings.home / "index"
        at_night(services)
        wait_until_gone(lambda: files_with(index, WORD))
        assert client.get("/v1/listings", params={"q": "other"}).json()["listings"][0]["id"] == listing["id"]
        assert client.patch(f"/v1/listings/{listing['id']}", json={"status": "removed"}).status_code == 200
        at_night(services)
        wait_until_gone(lambda: files_with(index, "Another description"))


def killed_while_deleting(home, what):
    process = Forked(small_index.delete_and_die, str(home), what, WORD)
    try:
        assert process.wait() == -signal.SIGKILL, process.said()[-2000:]
    finally:
        process.kill()


@pytest.mark.parametrize("what", ["listing", "draft", "post"])
def test_after_a_kill_in_the_middle_of_deleting_nothing_is_left(tmp_path, what):
    killed_while_deleting(tmp_path, what)
    assert list((tmp_path / "media").rglob("*.jpg"))
    services = open_services(tmp_path)
    try:
        assert list(services.media.ids()) == []  # from the start on, not after an hour
        with client_of(services):
            at_night(services)
            wait_until_gone(lambda: places_with(services, WORD))
    finally:
        services.close()
    services = open_services(tmp_path)  # once more, on what is left
    try:
        assert services.index.ids() == set()
    finally:
        services.close()
    assert files_with(tmp_path, WORD) == []


def test_a_closed_home_holds_nothing_deleted(tmp_path):
    services = open_services(tmp_path)
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, intake([jpeg()]), f"The note says {WORD}."))[-1].draft_id
    listing = services.publisher.publish(me, draft, key="k").id
    services.publisher.delete(me, listing)
    services.close()
    assert {place.split("/")[0] for place in files_with(tmp_path, WORD)} <= {"index"}, "which has its night"


def test_a_photo_with_a_row_is_never_deleted(build, me, services, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    with services.store.write() as session:
        session.add_all(OutboxRow(topic="photo", key=p.id) for p in draft.photos)
        session.add(OutboxRow(topic="photo", key="0" * 32))
    services.media.save("0" * 32, jpeg())
    again = build(index=services.index)
    assert set(again.media.ids()) == {p.id for p in draft.photos}
    with again.store.read() as session:
        assert session.query(OutboxRow).filter_by(topic="photo").count() == 0


def upload(url, word):
    files = [("files", (f"{word}.jpg", marked_jpeg(word), "image/jpeg"))]
    answer = httpx.post(f"{url}gradio_api/upload", files=files, headers={"Origin": url.rstrip("/")})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_raw_uploads_are_gone_at_the_next_start(services):
    folder = services.settings.home / "uploads"
    with served(services) as url:
        kept = folder / "of-a-killed-server"
        kept.mkdir()
        (kept / "raw.jpg").write_bytes(marked_jpeg(WORD))
        assert upload(url, WORD)
        assert files_with(folder, WORD)
    (folder / "tmp1234").write_bytes(marked_jpeg(WORD))  # cut off in the middle, then killed
    with served(services):
        assert [p for p in folder.rglob("*") if p.is_file()] == []


def test_compacting_leaves_no_deleted_row(tmp_path):
    """SQLite overwrites a row that is deleted, not the copies that it left when it moved to another page."""
    dice = random.Random(5)
    store = Store(open_engine(f"sqlite:///{tmp_path / 'store.sqlite'}"))
    with store.write() as session:
        session.execute(text("CREATE TABLE texts (id TEXT PRIMARY KEY, words TEXT, title TEXT UNIQUE)"))
    live: dict[str, str] = {}
    with store.write() as session:
        for number in range(3_000):
            word, key = f"zebrine{number:06d}", f"{dice.getrandbits(128):032x}"
            if not live or dice.random() < 0.6:
                row = {"id": key, "words": word * dice.choice([1, 5, 30, 400]), "title": word}
                session.execute(text("INSERT INTO texts VALUES (:id, :words, :title)"), row)
                live[key] = word
            else:
                gone = dice.choice(list(live))
                session.execute(text("DELETE FROM texts WHERE id = :id"), {"id": gone})
                del live[gone]
    assert not store.compact(largest=1)
    assert store.compact()
    store.engine.dispose()
    found = set(re.findall(rb"zebrine\d{6}", (tmp_path / "store.sqlite").read_bytes()))
    assert found == {word.encode() for word in live.values()}


def test_a_deletion_writes_the_file_anew_once(services, monkeypatch):
    compacted = []
    monkeypatch.setattr(services.store, "compact", lambda largest: compacted.append(largest) or len(compacted) > 1)
    services.deletions.after()
    assert [services.deletions.compact() for _ in range(3)] == [False, True, True], "again until it was done"
    assert len(compacted) == 2


def test_a_search_by_photo_keeps_no_pixels(services, me, tmp_path):
    session, photo = SellerSession(), tmp_path / "a.jpg"
    view = list(services.draft_writer.start(me, intake([jpeg()])))[-1]
    listing = services.publisher.publish(me, view.draft_id, key="k")
    photo.write_bytes(jpeg())
    Actions(services, "", session).find_by_photo(str(photo))
    session.page = "mine"
    assert listing.title in PageRenderer(services).mine(session, me)
    assert "with this photo" in PageRenderer(services).mine(session, me)
    kept, seen = [session.__dict__], set()
    while kept:
        thing = kept.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType):
            continue
        seen.add(id(thing))
        assert not isinstance(thing, Image.Image)
        kept += gc.get_referents(thing)
