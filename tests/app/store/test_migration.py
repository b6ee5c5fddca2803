"""An older store is brought up to date on start, a newer one refused; both schemas agree; an old home opens."""

from __future__ import annotations

import json
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient

from app.services import Services
from app.settings import Settings
from app.store.backup.restore import restore
from app.store.db import StoreError, open_engine, open_store
from app.store.full_text import is_derived
from app.store.media import store_id
from app.store.tables import Base, DraftRow, FeedPageRow, ListingRow, OutboxRow, SellerRow
from app.web.server import create_app
from tests.app.support.small_index import open_index, titles_in
from tests.fakes import FakePipeline

ARCHIVE = Path(__file__).with_name("before") / "schema-7.tar.gz"
TITLES = ["Hoodie number 0", "Hoodie with a new title", "Hoodie number 2"]


@pytest.fixture
def before(tmp_path):
    """A home of the version before and a backup of it: two people, three listings (one changed, one sold outside, one
    bought), a draft with an edit, a post, a promotion."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def old_store(before):
    return f"sqlite:///{before / 'home' / 'store.sqlite'}"


@pytest.mark.parametrize("old", [True, False])
def test_tables_are_the_models_new_or_migrated(tmp_path, old_store, old):
    store = open_store(old_store if old else f"sqlite:///{tmp_path / 'store.sqlite'}")
    with store.engine.connect() as connection:
        options = {"include_object": lambda _, name, *__: not is_derived(name or "")}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    assert store_id(store.engine)
    store.engine.dispose()


def test_an_older_draft_of_photos_alone_is_uploading_and_a_stopped_one_stays(old_store):
    engine = sa.create_engine(old_store)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE drafts SET state = 'stopped', problem_code = NULL"))
        row = connection.execute(sa.text("SELECT id FROM drafts")).scalars().first()
        connection.execute(sa.text("UPDATE drafts SET problem_code = 'stopped' WHERE id = :id"), {"id": row})
    engine.dispose()
    store = open_store(old_store)
    with store.engine.connect() as connection:
        states = dict(connection.execute(sa.text("SELECT id, state FROM drafts")).all())
    store.engine.dispose()
    assert states.pop(row) == "stopped"
    assert set(states.values()) <= {"uploading"}


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


NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
OLD = {  # tables of schema 19, with a row of each
    "outbox": {"id": 7, "listing_id": "l", "at": NOW},
    "listing_changes": {"id": 9, "listing_id": "l", "at": NOW},
    "photo_deletions": {"photo_id": "p", "at": NOW},
    "notices": {"id": "n", "kind": "ordered", "recipient": "s", "listing_id": "l", "order_id": None, "at": NOW,
                "due_at": NOW, "tries": 2},
    "ads": {"listing_id": "l", "bid": 2.5, "at": NOW},
    "feed_candidates": {"page_id": "f", "columns": {"item_id": [1]}},
}  # fmt: skip
TYPES = {int: sa.Integer, float: sa.Float, dict: sa.JSON, datetime: sa.DateTime(timezone=True)}


def as_of_schema_19(store):
    with store.write() as session:
        session.add(SellerRow(id="s", name="ann"))
        session.flush()
        texts = dict.fromkeys(("category", "title", "description", "currency"), "x")
        session.add(ListingRow(id="l", seller_id="s", attributes={}, **texts))
        session.add(FeedPageRow(id="f", visitor=1, known={}, models={}))
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text("DROP TABLE outbox"))
        connection.execute(sa.text("ALTER TABLE listings DROP COLUMN bid"))
        connection.execute(sa.text("ALTER TABLE feed_pages DROP COLUMN candidates"))
        for name, row in OLD.items():
            columns = [sa.Column(key, TYPES.get(type(value), sa.String(32))) for key, value in row.items()]
            table = sa.Table(name, sa.MetaData(), *columns)
            table.create(connection)
            connection.execute(table.insert().values(**row))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0019'"))
    store.engine.dispose()


@pytest.mark.parametrize("kind", ["files", pytest.param("servers", marks=pytest.mark.postgres)])
def test_what_waited_waits_in_the_one_outbox(tmp_path, request, kind):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}" if kind == "files" else request.getfixturevalue("url")
    as_of_schema_19(open_store(url))
    store = open_store(url)
    with store.engine.connect() as connection:
        assert set(OLD) & set(sa.inspect(connection).get_table_names()) == {"outbox"}
    with store.read() as session:
        rows = [(row.topic, row.key, row.body, row.tries, row.at) for row in session.scalars(sa.select(OutboxRow))]
        told = {"id": "n", "kind": "ordered", "listing_id": "l", "order_id": None}
        assert rows == [("index", "l", None, 0, NOW), ("photo", "p", None, 0, NOW), ("notice", "s", told, 2, NOW)]
        assert session.scalars(sa.select(ListingRow.bid)).all() == [2.5]
        assert session.get(FeedPageRow, "f").candidates == {"item_id": [1]}
    with store.write() as session:
        session.add(added := OutboxRow(topic="index", key="l"))
        session.flush()
        assert added.id == 4
    store.engine.dispose()


def test_what_went_leaves_the_store(tmp_path):
    """A store of before with a saved search opens; nothing of the search stays."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    store = open_store(url)
    as_of_schema_19(store)
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text("CREATE TABLE saved_searches (id TEXT, owner TEXT, wish JSON)"))
        connection.execute(sa.text("INSERT INTO saved_searches VALUES ('1', 'ann', '{}')"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0016'"))
    store.engine.dispose()
    engine = open_store(url).engine
    assert set(sa.inspect(engine).get_table_names()).isdisjoint({"saved_searches"})
    engine.dispose()


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
        ("sqlite:///text", "no store"),
    ],
)
def test_unusable_urls_are_sentences(url, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=words):
        open_store(url)


@pytest.mark.stores(both=True)
def test_the_store_keeps_times_in_utc(services, me, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    listing = services.publisher.publish(me, draft.draft_id, key="k")
    assert listing.created_at.utcoffset().total_seconds() == 0
    with services.store.read() as session:
        assert session.get(ListingRow, listing.id).created_at == listing.created_at


@pytest.mark.parametrize("publishes", [False, True])
def test_what_a_seller_said_before_drafts_were_kept_settled_stands_in_them(build, photos, publishes):
    services = build()
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, photos))[-1].draft_id
    services.drafts.edit(me, draft, "title", "My beloved hoodie")
    services.drafts.edit(me, draft, "size", "M")
    if publishes:
        services.publisher.publish(me, draft, key="k")
    before = services.drafts.get(me, draft).draft
    with services.store.write() as session:
        session.execute(sa.update(DraftRow).values(settled=sa.null()))
    assert build(index=services.index).drafts.get(me, draft).draft == before
    assert before.title == "My beloved hoodie"


def opened(home):
    return Services(Settings(home=home), pipeline=FakePipeline(), index=open_index(home / "index"))


def check_store(services, facts):
    """Listings with their photos, the order, the draft and the post, through the API."""
    headers = {"Authorization": f"Bearer {facts['token']}"}
    with TestClient(create_app(services, page=False), base_url="http://localhost", headers=headers) as client:
        listings = {row["id"]: row for row in client.get("/v1/listings").json()["listings"]}
        assert [listings[i]["title"] for i in facts["listings"]] == TITLES
        assert [listings[i]["status"] for i in facts["listings"]] == ["sold", "active", "sold"]
        assert [float(listings[i]["price"]) for i in facts["listings"]] == [10, 11, 12]
        for row in listings.values():
            assert len(row["photos"]) == 2
            for photo in row["photos"]:
                assert client.get(f"/v1/photos/{photo['id']}").content.startswith(b"\xff\xd8")
        assert [order["id"] for order in client.get("/v1/orders").json()["orders"]] == [facts["order"]]
        assert [post["id"] for post in client.get("/v1/posts").json()["posts"]] == [facts["post"]]
        assert client.get(f"/v1/drafts/{facts['draft']}").status_code == 404  # ben's
        # What that version had no column for: each seller gets a public page.
        page = re.search(r"/feed/sellers/[0-9a-f]{16}", client.get(f"/l/{facts['listings'][1]}").text)[0]
        assert TITLES[1] in client.get(page).text
    assert [p.name for p in services.promotions.calendar().promotions] == ["sale"]


def test_a_home_of_the_version_before_opens(before, monkeypatch, caplog):
    facts = json.loads((before / "facts.json").read_text())
    monkeypatch.setenv("IPL_PASSWORDS", str(before / "home" / "passwords"))
    opened(before / "home").close()
    (before / "home" / "passwords").unlink()  # its accounts are in the store
    services = opened(before / "home")
    assert ["IPL_PASSWORDS" in message for message in caplog.messages if "accounts" in message] == [True, True]
    try:
        check_store(services, facts)
        assert titles_in(services.index) == dict(zip(facts["listings"], TITLES, strict=True))
        app = create_app(services, page=False)
        for name in ("ann", "ben"):
            with TestClient(app, base_url="http://localhost", follow_redirects=False) as browser:
                form = {"name": name, "password": f"{name} likes hats"}
                assert browser.post("/sign-in", data=form).status_code == 303
                assert browser.post("/sign-in", data={**form, "password": "wrong"}).status_code == 401
    finally:
        services.close()


def test_a_backup_of_the_version_before_is_restored(before, tmp_path, monkeypatch):
    monkeypatch.setenv("IPL_PASSWORDS", str(before / "home" / "passwords"))
    facts = json.loads((before / "facts.json").read_text())
    home = tmp_path / "new"
    restored = restore(before / "backup.tar", home, Settings(home=home))
    assert (restored.listings, restored.photos) == (3, 8)
    services = opened(home)
    try:
        check_store(services, facts)
        assert titles_in(services.index) == dict(zip(facts["listings"], TITLES, strict=True))
    finally:
        services.close()
