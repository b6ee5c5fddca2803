"""An older store is brought up to date on start, a newer one is refused, the models and the migrations agree."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.store.db import StoreError, open_engine, open_store
from app.store.full_text import is_derived
from app.store.identity import store_id
from app.store.tables import Base, ListingRow

BEFORE = Path(__file__).with_name("before") / "schema-7.tar.gz"


@pytest.fixture
def old_store(tmp_path):
    """The URL of a store as the version before left it; ``test_before`` says what is in it."""
    with tarfile.open(BEFORE) as archive:
        archive.extract("home/store.sqlite", tmp_path, filter="data")
    return f"sqlite:///{tmp_path / 'home' / 'store.sqlite'}"


def test_starting_twice_changes_nothing(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    open_store(url).engine.dispose()
    open_store(url).engine.dispose()


@pytest.mark.parametrize("old", [True, False])
def test_the_tables_of_an_older_store_and_of_a_new_one_are_those_of_the_models(tmp_path, old_store, old):
    store = open_store(old_store if old else f"sqlite:///{tmp_path / 'store.sqlite'}")
    with store.engine.connect() as connection:
        options = {"include_object": lambda _, name, *__: not is_derived(name or "")}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    assert store_id(store.engine)
    store.engine.dispose()


def test_a_failed_migration_changes_nothing(old_store, monkeypatch):
    from alembic.operations import Operations

    def broken(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(Operations, "create_table", broken)
    with pytest.raises(OSError, match="no space"):
        open_store(old_store)
    monkeypatch.undo()
    engine = open_engine(old_store)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "0007"
        assert "reviews" not in sa.inspect(connection).get_table_names()
    engine.dispose()
    assert open_store(old_store)


def test_tables_of_something_else_are_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE orders (number INTEGER)"))
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(url)
    assert sa.inspect(engine).get_table_names() == ["orders"]
    engine.dispose()


@pytest.mark.parametrize(("schema", "words"), [("9999", "newer version of IPL.*update IPL"), ("0003", "early version")])
def test_a_store_of_another_schema_is_refused_in_a_sentence(tmp_path, schema, words):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    store = open_store(url)
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{schema}'"))
    store.engine.dispose()
    with pytest.raises(StoreError, match=words):
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
