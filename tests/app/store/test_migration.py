"""An older store is brought up to date on start, a newer one is refused, the models and the migrations agree."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.ops import numbers
from app.store.db import StoreError, migrate, open_engine, open_store
from app.store.tables import Base, ListingRow
from listing.intake.photos import intake
from listing.request import DraftRequest
from tests.fakes import jpeg, make_draft

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def old_store(url):
    """A store as the first schema left it: two listings, one of them published twice from the same draft."""
    engine = open_engine(url)
    migrate(engine, "0001")
    tables = sa.MetaData()
    with engine.execution_options(writes=True).begin() as connection:
        tables.reflect(connection)
        generated = make_draft(DraftRequest(photos=intake([jpeg()]))).model_dump(mode="json")

        def put(table, **values):
            connection.execute(tables.tables[table].insert().values(**values))

        put("sellers", id="s" * 32, name="me", created_at=AT)
        put(
            "drafts",
            id="d" * 32,
            seller_id="s" * 32,
            state="published",
            note="",
            tone="plain",
            generated=generated,
            created_at=AT,
            updated_at=AT,
        )
        for listing_id, draft_id in (("l1", "d" * 32), ("l2", "d" * 32)):
            put(
                "listings",
                id=listing_id,
                seller_id="s" * 32,
                draft_id=draft_id,
                status="active",
                category="Hoodie",
                title="Navy hoodie with zip",
                description="Sold as it is.",
                attributes={"colour": "navy"},
                price=9.5,
                currency="EUR",
                stock=1,
                origin="user",
                created_at=AT,
                published_at=AT,
            )
    engine.dispose()


def test_an_older_store_is_brought_up_to_date_and_loses_nothing(tmp_path, build):
    old_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    services = build()
    me = services.sellers.only()
    assert me.id == "s" * 32
    listings = {x.id: x for x in services.listings.own(me.id)}
    assert set(listings) == {"l1", "l2"}
    assert (listings["l1"].price, listings["l1"].created_at) == (9.5, AT)
    assert (listings["l1"].draft_id, listings["l2"].draft_id) == ("d" * 32, None)
    assert services.index.ids() == {"l1", "l2"}
    (found,) = [row for row in numbers.assistant(services.store).rows if row[0] == "category"]
    assert (found[3], found[5]) == (1, 1.0)  # one that can be compared, its title as it was written
    assert services.publisher.change(me.id, "l2", {"title": "New"}).title == "New"


def test_starting_twice_changes_nothing(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    open_store(url).engine.dispose()
    open_store(url).engine.dispose()


def test_migrations_and_models_agree(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    store.engine.dispose()


def test_a_failed_migration_changes_nothing(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    old_store(url)
    from alembic.operations import Operations

    def broken(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(Operations, "batch_alter_table", broken)
    with pytest.raises(OSError, match="no space"):
        open_store(url)
    monkeypatch.undo()
    engine = open_engine(url)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "0001"
        assert "outbox" not in sa.inspect(connection).get_table_names()
    engine.dispose()
    assert open_store(url)


def test_a_newer_store_is_refused_in_a_sentence(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    store = open_store(url)
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.engine.dispose()
    with pytest.raises(StoreError, match="newer version of IPL \\(schema 9999\\); update IPL"):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a database URL"),
        ("mongodb://x/y", "not a database URL"),
        ("sqlite:////proc/no/x.db", "name another"),
    ],
)
def test_unusable_urls_are_sentences(url, words):
    with pytest.raises(StoreError, match=words):
        open_store(url)


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    file = tmp_path / "store.sqlite"
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{file}")


@pytest.mark.stores
def test_the_store_keeps_times_in_utc(services, me, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    listing = services.publisher.publish(me, draft.draft_id, key="k")
    assert listing.created_at.utcoffset().total_seconds() == 0
    with services.store.read() as session:
        assert session.get(ListingRow, listing.id).created_at == listing.created_at
