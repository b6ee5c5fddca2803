"""Retention, listings that the index refuses, and the real index behind publishing.

Full text of the listings: what is found, that it follows every change, and that it forgets.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, select, text, update

from app.market import chroma_index
from app.store import full_text, listing_repo, outbox
from app.store.db import migrate
from app.store.tables import DraftRow, EventRow, ListingRow, OutboxRow, SellerRow, now
from listing.intake.photos import intake
from rag_index import BadRecord
from tests.fakes import FakeIndex, jpeg

pytestmark = pytest.mark.stores


def test_old_drafts_go_and_an_event_stays(build, photos):
    services = build()
    me = services.sellers.only().id
    kept = list(services.draft_writer.start(me, photos))[-1]
    listing = services.publisher.publish(me, kept.draft_id, key="k")
    left = list(services.draft_writer.start(me, intake([jpeg((200, 9, 9))])))[-1]
    assert services.housekeeping.retire() == 0
    with services.store.write() as session:
        session.execute(
            update(DraftRow).where(DraftRow.id == left.draft_id).values(updated_at=now() - timedelta(days=31))
        )
    later = build(index=services.index)
    assert [x.id for x in later.listings.own(me)] == [listing.id]
    assert set(later.media.ids()) == {p.id for p in listing.photos}
    with later.store.read() as session:
        events = list(session.scalars(select(EventRow).where(EventRow.kind == "abandoned")))
    assert [e.draft_id for e in events] == [left.draft_id]


class Picky(FakeIndex):
    """Refuses one title for good, like the index's own last look at contact data."""

    def put(self, listing, photos):
        if listing.title == "refused":
            raise BadRecord("no")
        super().put(listing, photos)


def test_a_refused_listing_holds_up_nobody(build):
    services = build(index=Picky())
    me = services.sellers.only().id
    ids = []
    for number, title in enumerate(("refused", "taken")):
        draft = list(services.draft_writer.start(me, intake([jpeg((number, 9, 9))])))[-1]
        services.drafts.edit(me, draft.draft_id, "title", title)
        ids.append(services.publisher.publish(me, draft.draft_id, key=title).id)
    assert services.index.ids() == {ids[1]}
    assert {x.id for x in services.listings.own(me)} == set(ids)
    with services.store.read() as session:
        assert session.scalars(select(OutboxRow).where(OutboxRow.topic == "index")).all() == []


def test_the_index_finds_and_holds_no_contacts(services, me, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    services.drafts.edit(me, draft.draft_id, "description", "Write to ann@example.com or call +49 176 12345678.")
    services.drafts.edit(me, draft.draft_id, "brand", "see www.example.com")
    listing = services.publisher.publish(me, draft.draft_id, key="k")
    record = services.index.past.index.get(listing.id)
    assert record is not None
    stored = record.model_dump_json(exclude={"image_vectors", "text_vector"})
    for contact in ("ann@", "12345678", "www."):
        assert contact not in listing.model_dump_json()
        assert contact not in stored
    assert len(record.image_vectors) == len(record.phashes) == 2
    assert [h.listing_id for h in services.index.search(record.text, None, limit=3)] == [listing.id]
    from PIL import Image

    with Image.open(services.media.path(listing.photos[1].id)) as photo:
        hits = services.index.search("", photo.convert("RGB"), limit=3)
    assert hits[0].listing_id == listing.id
    assert hits[0].score == pytest.approx(1.0, abs=1e-4)
    services.publisher.mark_sold(me, listing.id)
    assert services.index.past.index.get(listing.id).sold
    services.publisher.change(me, listing.id, {"status": "removed"})
    assert services.index.ids() == set()


@pytest.mark.slow
def test_a_bad_photo_keeps_no_other_out(services, me, monkeypatch):
    encoders, decode, asked = services.index.past.encoders, chroma_index._pixels, []
    encode = encoders.image_vectors
    monkeypatch.setattr(encoders, "batch_size", 2)
    monkeypatch.setattr(encoders, "image_vectors", lambda photos: asked.append(len(photos)) or encode(photos))
    monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.0)
    listings = []
    with services.outbox.held():
        for number in range(5):
            draft = list(services.draft_writer.start(me, intake([jpeg((number * 40, 9, 9))])))[-1]
            listings.append(services.publisher.publish(me, draft.draft_id, key=f"k{number}"))
        paths = [services.media.path(x.photos[0].id) for x in listings]
        whole = paths[1].read_bytes()
        paths[1].write_bytes(whole[:900])

        def failing(path):
            if path == paths[3]:
                raise OSError(5, "Input/output error")
            return decode(path)

        monkeypatch.setattr(chroma_index, "_pixels", failing)
    ids = [x.id for x in listings]
    # What is broken for good is passed over; what may pass is waited for, with those after it.
    assert services.index.ids() == {ids[0], ids[2]}
    monkeypatch.setattr(chroma_index, "_pixels", decode)
    services.outbox.catch_up()
    assert services.index.ids() == {ids[n] for n in (0, 2, 3, 4)}
    with services.store.read() as session:
        assert session.scalars(select(OutboxRow).where(OutboxRow.topic == "index")).all() == []
    paths[1].write_bytes(whole)
    services.index.remove(ids)
    asked.clear()
    services.housekeeping.reconcile()
    services.outbox.follow()
    assert asked == [2, 2, 1]
    assert services.index.ids() == set(ids)


def test_any_number_of_listings_is_looked_up(services, me, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    listing, asked = services.publisher.publish(me, draft.draft_id, key="k"), []
    event.listen(services.store.engine, "before_cursor_execute", lambda *call: asked.append(len(call[3])))
    with services.store.read() as session:
        rows = listing_repo.by_ids(session, [*(f"gone-{n}" for n in range(2500)), listing.id])
        assert [row.id for row in rows] == [listing.id]
    assert max(asked) <= 1100


@pytest.fixture
def store(services):
    with services.store.write() as session:
        session.add(SellerRow(id="s", name="ann"))
        session.flush()
        for n, (title, description, facts) in enumerate(
            [
                ("Red wool jumper", "Warm.", {"brand": "Zara"}),
                ("Green rucksack", "Of wool felt.", {"size": "one size"}),
                ("Red cap", "With a peak.", {}),
            ]
        ):
            about = {"title": title, "description": description, "attributes": facts, "category": "Hat"}
            session.add(ListingRow(id=f"l{n}", seller_id="s", currency="EUR", **about))
    return services.store


def found(store, *words):
    with store.read() as session:
        return full_text.best_texts(session, words, [], 10)


def test_texts_with_more_matching_words_come_first(store):
    assert found(store, "red", "wool")[0] == "l0"
    assert set(found(store, "red", "wool")) == {"l0", "l1", "l2"}
    assert found(store, "ucksac") == ["l1"]
    assert found(store, "zara") == ["l0"]
    assert found(store, "hoodie") == []
    assert found(store, '"', "%", "x' OR 1") == []


def test_a_misspelt_word_finds_what_is_written_alike(store):
    with store.read() as session:
        assert full_text.similar_texts(session, "rucksak", [], 10) == ["l1"]
        assert full_text.similar_texts(session, "umbrella", [], 10) == []
        assert full_text.similar_texts(session, "rucksak", [ListingRow.id != "l1"], 10) == []


def test_it_follows_changes_and_forgets_what_is_deleted(store):
    with store.write() as session:
        row = session.get(ListingRow, "l0")
        row.title, row.attributes = "Blue quuxine scarf", {"brand": "Mango"}
    assert found(store, "jumper") == found(store, "zara") == []
    assert found(store, "quuxine") == found(store, "mango") == ["l0"]
    with store.write() as session:
        session.delete(session.get(ListingRow, "l0"))
    assert found(store, "quuxine") == []
    if store.engine.dialect.name == "sqlite":
        with store.engine.begin() as connection:
            connection.execute(text("INSERT INTO listing_trigrams(listing_trigrams) VALUES ('integrity-check')"))
            connection.execute(
                text("CREATE VIRTUAL TABLE temp.terms USING fts5vocab('main', 'listing_trigrams', 'row')")
            )
            terms = set(connection.scalars(text("SELECT term FROM temp.terms")))
        assert "ruc" in terms
        assert not {"quu", "uux"} & terms


def test_it_is_made_where_it_is_missing(store):
    with store.engine.execution_options(writes=True).begin() as connection:
        if store.engine.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER listing_trigrams_changed"))
        else:
            connection.execute(text("DROP INDEX ix_listings_trigrams"))
        connection.execute(text("UPDATE listings SET title = 'Old umbrella' WHERE id = 'l2'"))
    migrate(store.engine)
    assert found(store, "umbrella") == ["l2"]
    with store.engine.connect() as connection:
        if store.engine.dialect.name == "postgresql":
            assert connection.scalar(text("SELECT 1 FROM pg_indexes WHERE indexname = 'ix_listings_trigrams'"))


def test_without_trigrams_the_columns_are_read(store, monkeypatch):
    monkeypatch.setattr(full_text, "_has_trigrams", lambda session: False)
    assert found(store, "red", "wool")[0] == "l0"
    assert found(store, "ucksac") == ["l1"]
    with store.read() as session:
        assert full_text.similar_texts(session, "rucksak", [], 10) == []
