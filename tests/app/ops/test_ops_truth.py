"""The page says what is true: of stores with a known fault, of a healthy one, and of thirty at random."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from prometheus_client import generate_latest
from sqlalchemy import select

from app.feed.phenomena import FILE
from app.metrics import Metrics
from app.ops.checks import WORST, Reports
from app.ops.collector import OpsCollector
from app.ops.figures import KEYS, Figures, NewListing
from app.ops.impressions import window
from app.ops.serving import serving
from app.store.tables import FeedPageRow, now
from recommend.cascade.routes import answering
from recommend.cascade.scoring import Serving
from tests.app.ops.worlds import World, fill, report_of
from tests.app.support.clients import client_of, published

FAULTS = {
    "no model": (World(model=False, order=False), r"No model serves: popularity ranks \(AUC \.", "models_missing"),
    "stale": (World(stale=40), r"is stale: it learned nothing of the last 4[01]\.\d days", "model_age"),
    "promises too much": (World(off=1.8), r"promises too much: predicted over observed clicks is 1\.\d\d \[", "pcoc"),
    "promises too little": (World(off=0.5), r"promises too little: predicted over observed clicks is 0\.\d", "pcoc"),
    "few clicks": (World(arrive=0.02), r"promises too much: predicted over observed clicks is \d\d\.\d\d \[", "pcoc"),
    "no clicks": (World(arrive=0.0), r"promises too much: predicted over .* is above \d+\.\d\d \(0 ", "pcoc"),
    "no order": (World(order=False, visitors=200), "orders listings hardly better than chance", "auc"),
    "failed": (World(failed=True), "The ranking model 0002 failed: it says the same of everything", "model_failures"),
    "starved": (World(starved=0.5), r"New listings wait too long: 50\.0 % \[", "seen_in_time"),
    "slow": (World(slow=0.2), r"Pages are slow: 20\.0 % \[", "slow_pages"),
    "no index": (World(dark=1.0), r"The index is missing: of the listings on sale 100\.0 %", "without_vector"),
}  # fmt: skip
CAUSED = {"starved": {"starved"}, "no clicks": {"auc"}, "few clicks": {"auc"}}  # by the same fault


@pytest.mark.parametrize("fault", FAULTS)
def test_the_headline_names_the_fault_and_all_else_is_green(services, fault):
    world, says, measure = FAULTS[fault]
    fill(services, world)
    report = report_of(services)
    assert re.search(says, report.headline), report.headline
    assert report.to_do[0].says == report.headline
    assert report.to_do[0].check.do
    assert report.to_do[0].check.measure == measure
    others = {f.check.measure for f in report.findings if f.state != "good"} - {measure}
    of_models = {"pcoc", "auc", "model_age"} if fault == "no model" else set()
    assert others <= CAUSED.get(fault, set()) | of_models, [(f.check.measure, f.state, f.says) for f in report.findings]


def test_a_healthy_store_is_green(services):
    fill(services, World())
    report = report_of(services)
    assert (report.state, report.to_do) == ("good", [])
    assert report.headline == "All is well: every check is within its limit."


def test_a_listing_of_this_minute_is_not_missing_in_the_index(services):
    fill(services, World(dark=1.0, listed=now().timestamp()))
    assert report_of(services).measures["without_vector"].interval.value == 0


def test_too_little_is_grey_and_not_green(services):
    fill(services, World(visitors=3, pages=1, new=4))
    report = report_of(services)
    assert report.state == "unknown"
    assert "too little to say" in report.headline


def test_an_empty_store_says_so(services):
    report = report_of(services)
    assert report.headline == "Nothing is on sale yet."
    assert report.state == "unknown"


@pytest.mark.slow
def test_thirty_stores_at_random_are_judged_by_what_they_were_made_from(services):
    covered = {"pcoc": 0, "auc": 0}
    wrong = []
    for seed in range(30):
        rng = np.random.default_rng([7, seed])
        world = fill(services, World(
            model=bool(rng.random() < 0.8), off=float(rng.choice([0.5, 1.0, 1.0, 1.7])), order=bool(rng.random() < 0.7),
            starved=float(rng.choice([0, 0, 0.05, 0.5])), slow=float(rng.choice([0, 0.03, 0.3])),
            dark=float(rng.choice([0, 0, 0.5])), stale=float(rng.choice([1, 5, 60])), visitors=int(rng.integers(5, 50)),
            pages=3, new=int(rng.integers(4, 60)), seed=seed))  # fmt: skip
        report = report_of(services)
        m, made = report.measures, world.made
        assert m["auc"].n == made["clicks"]
        assert report.figures.judged.sum() == made["impressions"]
        assert m["live_listings"].interval.value == made["listings"]
        assert m["without_vector"].interval.value == pytest.approx(made["dark"] / made["listings"])
        assert m["starved"].interval.value == len(made["unseen"])
        assert m["seen_in_time"].interval.value == pytest.approx(1 - len(made["unseen"]) / made["listings"])
        assert m["slow_pages"].interval.value == pytest.approx(round(400 * world.slow) / 400)
        covered["pcoc"] += m["pcoc"].interval.low <= made["pcoc"] <= m["pcoc"].interval.high
        covered["auc"] += (m["auc"].interval.low <= 0.5 <= m["auc"].interval.high) == (not world.order)
        truth = {"pcoc": 0.8 <= made["pcoc"] <= 1.25, "auc": world.order, "model_age": world.stale <= 14,
                 "slow_pages": world.slow <= 0.05, "without_vector": world.dark <= 0.1,
                 "seen_in_time": world.starved <= 0.1, "models_missing": world.model}  # fmt: skip
        for f in report.findings:
            true = truth.get(f.check.measure)
            if true is not None and ((f.state == "good" and not true) or (f in report.to_do and true)):
                wrong.append((seed, f.check.measure, f.says))
        _agrees(report)
    # Of 30 intervals of 95 %, four that miss come once in a hundred times.
    assert covered["pcoc"] >= 26, covered
    assert len(wrong) <= 2, wrong


def _agrees(report):
    """Headline and state are of the worst finding; none is better than its figure."""
    if report.to_do:
        assert report.headline in {f.says for f in report.to_do if f.state == report.state}
    for f in report.findings:
        if f.state == "good":
            assert f.measure.interval.low is not None
            assert f.check.at_least <= f.measure.interval.low <= f.measure.interval.high <= f.check.at_most


def test_page_tables_metrics_and_api_show_the_same_figures(services):
    """They cannot differ: all take the same measures. This looks at what is shown, not at how."""
    fill(services, World(off=1.4, starved=0.2))
    with client_of(services) as client:
        page = client.get("/ops/").text
        body = client.get("/v1/ops").json()
        scraped = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#")
        table = {row["name"]: row for row in client.get("/ops/export/figures.json").json()}
        report = client.app.state.reports.get("24h")
    assert set(report.measures) == KEYS
    assert (body["headline"], body["state"]) == (report.headline, report.state)
    for key, m in report.measures.items():
        figure = body["figures"][key]
        assert [figure[end] for end in ("value", "low", "high")] == list(asdict(m.interval).values())
        assert figure["before"] == (report.before[key].interval.value if key in report.before else None)
        assert table[key]["now"] == m.words
        if m.interval.value is not None:
            assert float(scraped[f'ipl_ops_value{{end="value",measure="{key}"}}']) == m.interval.value
    for finding in report.findings:
        assert finding.says in page
        assert float(scraped[f'ipl_ops_state{{measure="{finding.check.measure}"}}']) == 3 - WORST.index(finding.state)
    bins = [f'ipl_ops_calibration{{bin="{n}",rate="%s"}}' for n in range(1, 9)]
    predicted, observed = ([float(scraped[b % rate]) for b in bins] for rate in ("predicted", "observed"))
    assert np.mean(predicted) / np.mean(observed) == pytest.approx(report.measures["pcoc"].interval.value, rel=0.01)


def a_model(role, version="0001"):
    return SimpleNamespace(name=f"{role} {version}", version=version, manifest={"model": role, "train_days": [0, 25]})


@pytest.mark.parametrize("models", [(), ("ranking",), ("pre_ranking", "ranking", "conversion", "ads")])
def test_what_serves_is_what_scored_a_page(services, models):
    with client_of(services) as client:
        published(client)
        for role in models:
            services.feed.models.serve(role, Serving(a_model(role)))
        rows = {row["stage"]: row["serves"] for row in client.get("/ops/export/models.json").json()}
        client.app.state.reports.get("24h")
        scraped = client.get("/metrics").text
    assert rows == {s.role: s.serves for s in serving(services.feed)}
    assert rows["ads"] == ("ads 0001" if "ads" in models else "ranking 0001" if models else "popularity")
    assert rows["conversion"] == ("conversion 0001" if "conversion" in models else "none")
    for stage, by in rows.items():
        assert f'ipl_ops_serves{{by="{by}",stage="{stage}"}} 1.0' in scraped
    if not models:
        used = services.feed.considered("vera", 5).slate.models
        assert used == {role: rows[role.replace("_", "-")] for role in used}


def test_models_on_trial_are_compared_by_clicks(services):
    """The log says of each page which version scored it; /ops counts its clicks."""
    fill(services, World(visitors=40))
    with services.store.write() as session:
        for page in session.scalars(select(FeedPageRow)):
            page.models = {**page.models, "ranking": f"din 000{1 + answering('ranking', (0.7, 0.3), page.visitor)}"}
    models = [Serving(a_model("din", "0001"), 0.7), Serving(a_model("din", "0002"), 0.3)]
    services.feed.models.serve("ranking", *models)
    with client_of(services) as client:
        rows = [r for r in client.get("/ops/export/models.json").json() if r["stage"] == "ranking"]
        scraped = client.get("/metrics").text if client.get("/v1/ops").status_code == 200 else ""
    clicks = [re.search(r"\[.*\] \((\d[\d,]*) impressions\)", r["clicks of what it showed"]) for r in rows]
    assert sum(int(n[1].replace(",", "")) for n in clicks) == 40 * 5 * 10
    assert [(r["serves"], r["share"]) for r in rows] == [("din 0001", "70 %"), ("din 0002", "30 %")]
    assert 'ipl_ops_serves{by="din 0002",stage="ranking"} 0.3' in scraped


def test_a_wrong_feed_file_is_the_headline(services):
    fill(services, World())
    services.feed.registry.file.write_text("ranking: [{model: din}]")
    services.feed.refresh()
    report = report_of(services)
    assert re.search(
        r"feed.yaml cannot be used \(ranking.0.version: Field required\); what served before", report.headline
    )
    assert "ipl_feed_problems 1.0" in generate_latest(services.metrics.registry).decode()


def test_the_latest_measurement_of_the_log_is_shown(client, services):
    assert "./ipl recommend phenomena" in client.get("/ops/").text
    found = [{"method": "ECAD", "sentence": "12.0% of the orders came back: ECAD can pay."}]
    measured = {"as_of": "2026-05-04T12:00+00:00", "impressions": 1234, "days": 9, "found": found}
    (services.settings.home / FILE).write_text(json.dumps(measured))
    page = client.get("/ops/").text
    assert "as of 2026-05-04 12:00 UTC, over 1,234 impressions of 9 days" in page
    assert "ECAD: 12.0% of the orders came back: ECAD can pay." in page


def test_requests_that_failed_or_were_turned_away_are_said(services):
    fill(services, World())
    for status, count in (("200", 90), ("500", 6), ("503", 3), ("429", 1)):
        services.metrics.requests.labels("/feed", status).inc(count)
    says = [f.says for f in report_of(services).to_do]
    assert says == [
        "Requests fail: 6.0 % (100 requests since the server began).",
        "Too many wait, so that requests are turned away: 4.0 % (100 requests since the server began).",
    ]


def test_what_left_unseen_does_not_count_as_waiting(services):
    def listing(status, seen_after):
        came = now() - timedelta(hours=10)
        seen = came + timedelta(hours=seen_after) if seen_after else None
        return NewListing("x", "x", "C", "s", status, came, seen, 0, 0, until=came + timedelta(hours=10))

    seen, gone, waiting = [listing("active", h) for h in (1, 2, 3, 4)], listing("removed", 0), listing("active", 0)
    for new, share in (([*seen, *6 * [gone]], 1.0), ([*seen, *6 * [waiting]], 0.4)):
        figures = Figures(services, window())
        figures.__dict__["new"] = new
        assert figures.measures["seen_in_time"].interval.value == share


def test_a_scrape_before_the_first_look_computes_nothing(services):
    metrics = Metrics()
    metrics.show(OpsCollector(Reports(services)))
    metrics.show(OpsCollector(Reports(services)))  # another app on the same services
    assert b"ipl_ops_value{" not in generate_latest(metrics.registry)
