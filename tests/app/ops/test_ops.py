"""The operator's page, its exports and who may see them, on a feed that was used."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from prometheus_client import generate_latest
from sqlalchemy import func, select, update

from app.ops import checks, intervals, places
from app.ops.api import TABLES
from app.ops.days import Point, changed, charts
from app.ops.page import SECTIONS
from app.ops.tables import figures
from app.store.tables import FeedPageRow, FeedRow, ListingRow, now
from listing.intake.photos import intake
from tests.app.ops.worlds import report_of
from tests.app.support.clients import client_of, code, published
from tests.app.support.shop import buy, visit
from tests.fakes import jpeg

pytestmark = [pytest.mark.stores, pytest.mark.slow]


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
    with services.store.write() as session:
        ago = now() - timedelta(hours=9)
        session.execute(update(ListingRow).where(ListingRow.id == hidden["id"]).values(published_at=ago))
    report = report_of(services, "7d")
    m, seen = report.measures, report.figures.impressions
    assert {k: m[k].interval.value for k in ("live_listings", "pages", "orders", "published", "starved")} == {
        "live_listings": 8, "pages": 30, "orders": 1, "published": 9, "starved": 1,
    }  # fmt: skip
    assert m["slow_pages"].n == 30
    assert (m["auc"].n, len(seen)) == (int(seen.click.sum()), 8 * 30)
    assert [x.title for x in report.figures.starved] == [hidden["title"]]
    first = next(x for x in report.figures.arrived if x.id == listings[1]["id"])
    assert first.impressions >= first.clicks > 0
    assert first.waited is not None
    day = report_of(services, "24h")
    before = {row[-1]: row[2] for row in figures(day).rows}
    assert day.measures["pages"].interval.value == 18
    assert (before["pages"], before["orders"], before["live_listings"]) == ("12", "0", None)


def test_a_sentence_says_why_a_listing_stands(used):
    services, client, listings = used
    standing = places.standing(services, listings[1]["id"], "v1")
    assert standing.now.startswith("Stands ")
    assert "pre-ranked" in standing.now
    assert "No model ranks: it goes by 10 clicks of 30 impressions" in standing.now
    assert "sold and not on sale" in places.standing(services, listings[0]["id"], "v1").now
    assert {t.id for t in places.find(services.store, listings[1]["title"])} == {x["id"] for x in listings}
    assert [t.id for t in places.find(services.store, listings[1]["id"])] == [listings[1]["id"]]
    assert places.find(services.store, "% nothing") == []
    past = client.get(f"/ops/?page={standing.pages[0].page}").text
    assert "predicted click rate" in past
    assert f"What {standing.pages[0].visitor} saw on" in past
    assert client.get("/ops/?page=none").status_code == client.get("/ops/?listing=none").status_code == 404


def test_the_first_sentence_names_the_day_of_a_change_and_chance_names_none():
    def days(rates, n):
        made = [(date(2026, 11, 16 + k), rate, (rate * (1 - rate) / n) ** 0.5) for k, rate in enumerate(rates)]
        return [Point(day, "click_rate", "dcn 0001", intervals.Interval(r, r - 1.96 * e, r + 1.96 * e), n)
                for day, r, e in made]  # fmt: skip

    fell = changed(days([0.113] * 8 + [0.09] * 3, 4000), "dcn 0003 serves since Tuesday")
    assert fell == (
        "Clicks of what was seen fell from 11.3 % to 9.0 % since Tuesday 24 November; dcn 0003 serves since Tuesday."
    )
    assert changed(days([0.11, 0.1, 0.112, 0.101, 0.11, 0.099], 400)).startswith(
        "Nothing changed beyond chance in 6 days"
    )
    says = {c["title"]: c["says"] for c in charts(days([0.113] * 8 + [0.09] * 3, 4000))}
    assert says["Click rate"] == "Clicks of what was seen fell from 11.3 % to 9.0 % since Tuesday 24 November"
    assert charts(days([0.11] * 6, 400))[1]["says"] == (
        "No change beyond chance: clicks of what was seen 11.0 % in the last seven days"
    )
    assert changed([]) == "Nobody has seen a page in the last two weeks."
    sold = [Point(date(2026, 11, 16 + k), "orders", "all", intervals.Interval(n, None, None), n)
            for k, n in enumerate([2, 2, 2, 2, 0])]  # fmt: skip
    (pieces,) = (c["says"] for c in charts(sold) if c["title"] == "Pieces sold")
    assert pieces.endswith("pieces sold a day 2.0 in the last seven days"), "the last day is not whole"


def test_looking_changes_nothing(used):
    services, client, listings = used

    def state():
        with services.store.read() as session:
            counts = [session.scalar(select(func.count()).select_from(table)) for table in (FeedRow, FeedPageRow)]
        live = services.feed.feed.catalog.live()
        return counts, services.feed.feed.catalog.get("impressions", live).tolist()

    before = state()
    asked = ("", "visitor=v1", "visitor=nobody+was+so+called", "find=hoodie", f"listing={listings[1]['id']}")
    for query in asked:
        for over in ("1h", "14d"):
            answer = client.get(f"/ops/?over={over}&{query}")
            assert answer.status_code == 200, query
            assert "as of <time" in answer.text
    assert state() == before
    page = client.get("/ops/").text
    for section in SECTIONS:
        assert f'id="{section}"' in page
        assert client.get(f"/ops/{section}?visitor=v1", follow_redirects=False).headers["location"] == (
            f"/ops/?visitor=v1#{section}"
        )


def test_every_table_exports_and_formulas_stay_text(used, monkeypatch):
    monkeypatch.setattr(checks, "MAX_AGE_S", 0.0)
    _, client, _ = used
    client.patch(f"/v1/listings/{published(client)['id']}", json={"title": "=cmd()"})
    for name in TABLES:
        rows = client.get(f"/ops/export/{name}.json?over=7d").json()
        text = client.get(f"/ops/export/{name}.csv?over=7d").text
        assert len(text.splitlines()) >= len(rows) + 1
    assert [(row["price"], row["state"]) for row in client.get("/ops/export/sold.json").json()] == [(10, "sold")]
    assert "'=cmd()" in client.get("/ops/export/new-listings.csv").text
    assert code(client.get("/ops/export/nothing.csv")) == (404, "not_found")
    assert code(client.get("/ops/export/models.csv?over=3y")) == (422, "invalid")


def test_intervals_hold_what_they_promise():
    few = intervals.wilson(5, 50)
    assert (round(few.low, 3), round(few.high, 3)) == (0.043, 0.214)
    assert intervals.wilson(0, 0) == intervals.NOTHING
    two = np.array([1, 1, 1, 2, 2])
    assert intervals.rate_interval(np.zeros(5), two).high == intervals.wilson(0, 2).high > 0.5
    apart = intervals.auc_interval(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8]), two[:4])
    assert apart == intervals.Interval(1.0, None, None)
    rare = intervals.pcoc_interval(np.zeros(1000), np.full(1000, 0.03), np.arange(1000))
    assert rare.low == pytest.approx(30 / 3.689, rel=0.01)  # 30 expected over the Poisson limit of none
    assert intervals.pcoc_interval(np.zeros(1000), np.full(1000, 0.03), np.zeros(1000)).low < 1.25  # one visitor alone
    rng, hit = np.random.default_rng(0), {"auc": 0, "pcoc": 0}
    for _ in range(200):
        visitor = np.repeat(np.arange(40), 12)
        mood = np.exp(rng.normal(0, 0.4, 40) - 0.08)[visitor]  # of mean 1: what a visitor does is alike
        said = rng.beta(2, 8, len(visitor))
        click = rng.random(len(visitor)) < np.minimum(said * mood, 1)
        level = intervals.pcoc_interval(click.astype(float), said, visitor)
        hit["pcoc"] += level.low <= 1.0 <= level.high
        order = intervals.auc_interval(click, rng.random(len(click)), visitor)
        hit["auc"] += order.low <= 0.5 <= order.high
    assert all(180 <= n <= 199 for n in hit.values()), hit


def test_what_sellers_make_of_three_drafts_is_counted(services, me):
    def draft(shade):
        return list(services.draft_writer.start(me, intake([jpeg((shade, 20, 20))])))[-1].draft_id

    untouched, edited, left = draft(10), draft(90), draft(200)
    services.publisher.publish(me, untouched, key="1")
    for field, value in (("colour", "black"), ("brand", None), ("size", "M"), ("title", "Other words")):
        services.drafts.edit(me, edited, field, value)
    services.publisher.publish(me, edited, key="2")
    services.drafts.abandon(me, left)
    text = generate_latest(services.metrics.registry).decode()
    for line in (
        'ipl_published_facts_total{fact="colour",outcome="kept"} 1.0',
        'ipl_published_facts_total{fact="colour",outcome="changed"} 1.0',
        'ipl_published_facts_total{fact="brand",outcome="left out"} 1.0',
        'ipl_published_facts_total{fact="size",outcome="filled in"} 1.0',
        'ipl_published_text_distance_bucket{le="0.0",part="title"} 1.0',
        'ipl_published_text_distance_count{part="title"} 2.0',
    ):
        assert line in text.splitlines(), line
