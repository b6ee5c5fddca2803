"""Full text of the listings: what is found, that it follows every change, and that it forgets."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.store import full_text
from app.store.db import migrate
from app.store.tables import ListingRow, SellerRow

pytestmark = pytest.mark.stores


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
