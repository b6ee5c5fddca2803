"""The operator's pages, exports and access, on a feed that was used."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from app.accounts.passwords import write_password
from app.feed import model_selection
from app.ops import intervals, journey, tables, verdicts
from app.ops.api import TABLES
from app.ops.impressions import window
from app.ops.numbers import Measure
from app.store.tables import FeedPageRow, FeedRow, ListingRow, now
from app.web.server import create_app
from listing.intake.photos import intake
from tests.app.feed.test_feed import buy
from tests.app.feed.test_feed_log import visit
from tests.app.ops.worlds import report_of
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


def test_figures_are_what_the_rows_say(used):
    services, client, listings = used
    hidden = published(client)
    ago = now() - timedelta(hours=9)
    with services.store.write() as session:
        session.execute(update(ListingRow).where(ListingRow.id == hidden["id"]).values(published_at=ago))
    report = report_of(services, "7d")
    m, seen = report.measures, report.figures.impressions
    assert m["live_listings"].interval.value == 8
    assert m["pages"].interval.value == 30
    assert m["slow_pages"].n == 30
    assert any(f.says.startswith("No model serves: popularity ranks, ") for f in report.to_do)
    assert (m["auc"].n, len(seen)) == (int(seen.click.sum()), 8 * 30)
    whole = tables.model_health(report.figures).rows[0]
    assert whole[:5] == ("all", "popularity", "all", len(seen), int(seen.click.sum()))
    assert m["starved"].interval.value == 1
    assert [x.title for x in report.figures.starved] == [hidden["title"]]
    days = {row[0] for row in tables.model_health(report.figures).rows}
    assert len(days) == 3  # all, today, yesterday
    first = next(x for x in report.figures.arrived if x.id == listings[1]["id"])
    assert first.impressions >= first.clicks > 0
    assert first.waited is not None
    assert len(report_of(services, "1h").figures.impressions) < len(seen)  # a window is what it says


def test_a_listings_way_is_told_from_what_was_written_down(used):
    services, client, listings = used
    way = journey.journey(services, listings[1]["id"], "v1")
    steps = {s.name: s.says for s in way.steps}
    shown = [says for name, says in steps.items() if name.startswith("Shown ")]
    assert sum(int(says.split()[1]) for says in shown) == 30
    assert steps["Clicked"].startswith("10 times of 30")
    assert "pre-ranked" in way.now
    assert way.now.startswith("Stands ")
    assert "No model ranks: it goes by 10 clicks of 30 impressions" in way.now
    sold = journey.journey(services, listings[0]["id"], "v1")
    assert "sold and not on sale" in sold.now
    assert {t.id for t in journey.find(services.store, listings[1]["title"])} == {x["id"] for x in listings}
    assert [t.id for t in journey.find(services.store, listings[1]["id"])] == [listings[1]["id"]]
    assert journey.find(services.store, "% nothing") == []
    page = client.get(f"/ops/page/{way.pages[0][0]}").text
    assert "predicted click rate" in page
    assert client.get("/ops/page/none").status_code == client.get("/ops/listing/none").status_code == 404


def test_looking_changes_nothing(used):
    services, client, _ = used

    def state():
        with services.store.read() as session:
            rows = session.scalar(select(func.count()).select_from(FeedRow))
            pages = session.scalar(select(func.count()).select_from(FeedPageRow))
        live = services.feed.feed.catalog.live()
        return rows, pages, services.feed.feed.catalog.get("impressions", live).tolist()

    before = state()
    for path in ("", "feed?visitor=v1", "feed?visitor=nobody+was+ever+called+so", "new", "models", "assistant",
                 "reviews", "promotions"):  # fmt: skip
        for over in ("1h", "14d"):
            answer = client.get(f"/ops/{path}", params={"over": over} if "?" not in path else None)
            assert answer.status_code == 200, path
            assert "as of <time" in answer.text
    assert state() == before


def test_every_table_exports_and_formulas_stay_text(used, monkeypatch):
    monkeypatch.setattr(verdicts, "MAX_AGE_S", 0.0)
    _, client, _ = used
    client.patch(f"/v1/listings/{published(client)['id']}", json={"title": "=cmd()"})
    for name in TABLES:
        rows = client.get(f"/ops/export/{name}.json?over=7d").json()
        text = client.get(f"/ops/export/{name}.csv?over=7d").text
        assert len(text.splitlines()) >= len(rows) + 1
    assert "'=cmd()" in client.get("/ops/export/new-listings.csv").text
    assert code(client.get("/ops/export/nothing.csv")) == (404, "not_found")
    assert code(client.get("/ops/export/models.csv?over=3y")) == (422, "invalid")


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


def test_intervals_hold_what_they_promise():
    found = intervals.wilson(5, 50)
    assert (round(found.low, 3), round(found.high, 3)) == (0.043, 0.214)
    assert intervals.wilson(0, 0) == intervals.NOTHING
    assert intervals.share(0, 0) == "-"
    two = np.array([1, 1, 1, 2, 2])
    assert intervals.rate_interval(np.zeros(5), two).high == intervals.wilson(0, 2).high > 0.5
    apart = intervals.auc_interval(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8]), two[:4])
    assert apart == intervals.Interval(1.0, None, None)
    rare = intervals.pcoc_interval(np.zeros(1000), np.full(1000, 0.03), np.arange(1000))
    assert rare.low == pytest.approx(30 / 3.689, rel=0.01)  # 30 expected over the Poisson limit of none
    assert intervals.pcoc_interval(np.zeros(1000), np.full(1000, 0.03), np.zeros(1000)).low < 1.25  # one visitor alone
    assert not Measure("k", "n", "share", intervals.Interval(0.5, 0.5, 0.5)).exact
    assert Measure("k", "n", "count", intervals.exact(3.0)).words == "3"
    rng, hit = np.random.default_rng(0), {"auc": 0, "pcoc": 0, "p90": 0}
    for _ in range(200):
        visitor = np.repeat(np.arange(40), 12)
        mood = np.exp(rng.normal(0, 0.4, 40) - 0.08)[visitor]  # of mean 1: what a visitor does is alike
        said = rng.beta(2, 8, len(visitor))
        click = rng.random(len(visitor)) < np.minimum(said * mood, 1)
        level = intervals.pcoc_interval(click.astype(float), said, visitor)
        hit["pcoc"] += level.low <= 1.0 <= level.high
        order = intervals.auc_interval(click, rng.random(len(click)), visitor)
        hit["auc"] += order.low <= 0.5 <= order.high
        p90 = intervals.quantile(rng.random(200), 0.9)
        hit["p90"] += p90.low <= 0.9 <= p90.high
    assert all(180 <= n <= 199 for n in hit.values()), hit


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

    over = window()
    rows = {row[1]: row for row in tables.assistant(tables.assisted(services.store, over)).rows}
    day = rows[now().date().isoformat()]
    assert (day[2:4], day[4].split()[0]) == ((3, 2), "66.7")
    assert day[5] == 1.7  # five changes of three drafts; the rewrite is none
    # The title that the seller wrote came back from the rewrite and is not the model's; one changed later is.
    assert day[6:8] == (0.5, 0.0)
    assert rows["Longsleeve"][3] == 1
    facts = {row[0]: row[1:] for row in tables.wrong_words(tables.assisted(services.store, over)).rows}
    assert facts["colour"][0] == 2
    assert facts["colour"][2:] == (1, 0, 0, "navy → black")
    assert facts["brand"][2:] == (0, 1, 0, "")
    assert facts["size"][2:5] == (0, 0, 1)
    assert facts["closure"][1].startswith("100.0 %")
    services.publisher.delete(me, listing.id)
    (day,) = [row for row in tables.assistant(tables.assisted(services.store, window())).rows if row[0] == "day"]
    assert (day[3], day[6]) == (2, 0.0)


def test_the_feeds_own_log_is_measured_and_shown(used, capsys, monkeypatch):
    services, client, _ = used
    assert "has not been measured" in client.get("/ops/models").text
    home = services.settings.home
    monkeypatch.setenv("IPL_HOME", str(home))
    found = model_selection.measure(services.store, home)
    assert found[0].phenomenon.method == "MSNet"
    page = client.get("/ops/models").text
    assert "240 impressions of 2 days" in page
    rows = client.get("/ops/export/phenomena.json").json()
    assert [row["method"] for row in rows] == [f.phenomenon.method for f in found]
    for row, f in zip(rows, found, strict=True):
        assert row["verdict"] == f.verdict
        assert row["what it says"] == f.sentence()
        assert (row["number"] is None) == (f.estimate is None)
