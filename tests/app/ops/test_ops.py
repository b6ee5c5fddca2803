"""The operator's numbers, export and access, on a feed that was used."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.accounts.passwords import write_password
from app.ops import charts as pictures
from app.ops import numbers
from app.ops.answers import answers
from app.ops.api import TABLES
from app.ops.impressions import impressions, share, wilson
from app.store.tables import FeedPageRow, FeedRow, ListingRow, now
from app.web.server import create_app
from listing.intake.photos import intake
from tests.app.feed.test_feed import buy, seen
from tests.app.feed.test_feed_log import visit
from tests.app.support.clients import client_of, code, published
from tests.fakes import jpeg

pytestmark = pytest.mark.stores


@pytest.fixture
def used(build):
    """Services whose feed had visitors today and yesterday."""
    services = build(feed_per_second=1e6)
    with client_of(services) as client:
        listings = [published(client, price=10 + n) for n in range(8)]
        for n in range(30):
            visit(client, f"v{n % 5}", click=[listings[n % 3]["id"]])
        buy(client, listings[0], "v1")
        with services.store.write() as session:
            pages = session.scalars(select(FeedPageRow.id).order_by(FeedPageRow.at).limit(12)).all()
            session.execute(update(FeedPageRow).where(FeedPageRow.id.in_(pages)).values(at=now() - timedelta(days=1)))
        yield services, client, listings


def test_the_three_questions_have_answers(used, monkeypatch):
    services, *_ = used
    monkeypatch.setattr(services.feed, "p99_ms", lambda: 40.0)  # how busy this machine is now is not the question
    healthy, chance, off = answers(services.store, services.feed, services.promotions)
    assert (healthy.state, chance.state) == ("look", "good")
    assert "without a model for pre-ranking, ranking" in healthy.says
    assert "7 listings live" in healthy.detail
    assert off.state in ("good", "bad")
    assert "PCOC" in off.detail


def test_an_empty_store_says_that_nothing_is_known(services):
    assert {a.state for a in answers(services.store, services.feed, services.promotions)} == {"unknown"}
    assert all(not make(services).rows for name, make in TABLES.items() if name != "models")


def test_a_starved_listing_is_found(used):
    services, client, _ = used
    hidden = published(client)
    with services.store.write() as session:
        session.execute(
            update(ListingRow).where(ListingRow.id == hidden["id"]).values(published_at=now() - timedelta(hours=9))
        )
    table = numbers.new_listings(services.store)
    assert [row[6] for row in table.rows].count("starved") == 1
    assert answers(services.store, services.feed, services.promotions)[1].state == "bad"  # one of nine
    first = next(row for row in table.rows if row[7])
    assert first[3] >= first[7] > 0
    assert first[5] >= first[4] >= 0


def test_model_health_is_what_the_rows_say(used):
    services, *_ = used
    table = numbers.model_health(impressions(services.store))
    whole = {row[0]: row for row in table.rows if row[1] == "all"}
    assert len(whole) == 2
    seen_rows = impressions(services.store)
    for day, row in whole.items():
        at = seen_rows.day == day
        assert row[2:4] == (at.sum(), seen_rows.click[at].sum())
        assert row[7] == pytest.approx(seen_rows.pctr[at].sum() / seen_rows.click[at].sum(), abs=0.006)
    assert sum(row[2] for row in whole.values()) == len(seen_rows)


def test_a_share_has_its_interval():
    low, high = wilson(5, 50)
    assert (round(low, 3), round(high, 3)) == (0.043, 0.214)
    assert wilson(0, 0) == (0.0, 1.0)
    assert share(0, 0) == "-"


def test_looking_changes_nothing(used):
    services, *_ = used
    with services.store.read() as session:
        before = len(session.scalars(select(FeedRow.id)).all())
    slate, listings = services.feed.explain("v1", 20)
    table = numbers.feed_table(slate, {n: x.title for n, x in listings.items()}, {})
    assert len(table.rows) == 7
    assert [row[0] for row in table.rows] == list(range(1, 8))
    services.feed.explain("nobody was ever called so", 20)
    with services.store.read() as session:
        assert len(session.scalars(select(FeedRow.id)).all()) == before
    assert services.feed.feed.catalog.get("impressions", services.feed.feed.catalog.live()).sum() > 0


def test_every_table_exports_and_formulas_stay_text(used):
    _, client, _ = used
    client.patch(f"/v1/listings/{published(client)['id']}", json={"title": "=cmd()"})
    for name in TABLES:
        rows = client.get(f"/ops/export/{name}.json").json()
        text = client.get(f"/ops/export/{name}.csv").text
        assert len(text.splitlines()) >= len(rows) + 1
    assert "'=cmd()" in client.get("/ops/export/new-listings.csv").text
    assert code(client.get("/ops/export/nothing.csv")) == (404, "not_found")


def test_only_operators_may_look(build, tmp_path):
    file = tmp_path / "passwords"
    for name in ("ann", "bob"):
        write_password(file, name, "long enough")
    services = build(passwords=file, operators="ann")
    app = create_app(services, page=False)

    def status(name):
        token = services.sellers.new_token(services.sellers.named(name))
        client = TestClient(app, base_url="http://localhost", headers={"Authorization": f"Bearer {token}"})
        return client.get("/ops/export/models.json").status_code

    assert (status("ann"), status("bob")) == (200, 403)
    front = TestClient(app, base_url="http://localhost").get("/ops", follow_redirects=False)
    assert (front.status_code, front.headers["location"]) == (307, "/ops/")  # the page itself asks who it is
    assert TestClient(app, base_url="http://localhost").get("/ops/export/models.json").status_code == 401


def test_pictures_state_what_is_seen(used):
    services, client, _ = used
    table = numbers.model_health(impressions(services.store))
    rows = impressions(services.store)
    assert pictures.reliability(rows).axes[0].get_title(loc="left").startswith("Predictions")
    assert pictures.by_day(table).axes[0].get_title(loc="left").startswith("Predictions")
    assert (
        pictures.first_impressions(numbers.new_listings(services.store))
        .axes[0]
        .get_title(loc="left")
        .startswith("Half")
    )
    slate, _ = services.feed.explain("v1", 20)
    assert " ms, most of it in " in pictures.funnel(slate.counts, slate.ms).axes[0].get_title(loc="left")
    assert seen(client)["places"]


def test_what_sellers_make_of_three_drafts(services, me):
    def draft(shade):
        return list(services.draft_writer.start(me, intake([jpeg((shade, 20, 20))])))[-1].draft_id

    untouched, edited, left = draft(10), draft(90), draft(200)
    listing = services.publisher.publish(me, untouched, key="1")
    services.drafts.edit(me, edited, "colour", "black")
    services.drafts.edit(me, edited, "brand", None)
    services.drafts.edit(me, edited, "size", "M")
    services.drafts.edit(me, edited, "title", "Other words")
    list(services.draft_writer.write_again(me, edited, tone="shorter", from_photos=False))
    services.drafts.edit(me, edited, "category", "Longsleeve")
    services.publisher.publish(me, edited, key="2")
    services.drafts.abandon(me, left)
    services.publisher.change(me, listing.id, {"title": "Half a year later"})

    rows = {row[1]: row for row in numbers.assistant(services.store).rows}
    day = rows[now().date().isoformat()]
    assert (day[2:4], day[4].split()[0]) == ((3, 2), "66.7")
    # The title that the seller wrote came back from the rewrite and is not the model's; one changed later is.
    assert day[5:7] == (0.5, 0.0)
    assert {name: row[9].split()[0] for name, row in rows.items() if row[0] == "fact"} == {
        "brand": "50.0",
        "closure": "100.0",
        "colour": "50.0",
    }
    assert rows["Longsleeve"][3] == 1
    services.publisher.delete(me, listing.id)
    (day,) = [row for row in numbers.assistant(services.store).rows if row[0] == "day"]
    assert (day[3], day[5]) == (2, 0.0)
