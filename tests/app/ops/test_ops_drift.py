"""What moved since training: a planted drift is found by its name, and nothing else moves."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from app.feed.items import CONTENT, category_code
from app.market.promotions import day_number, today
from app.ops.drift import index, measure_drift
from app.store.tables import FeedPageRow, FeedRow, ListingRow, now
from tests.app.support.clients import client_of

HATS, SHOES = category_code("Hat"), category_code("Shoes")


def pages(services, ago, planted=None, seed=0, count=40, rows=6):
    """Seen pages of a day in the past; ``planted`` changes what was known of each thing, its page or its scores."""
    rng = np.random.default_rng([seed, ago])
    with services.store.write() as session:
        for n in range(count):
            page = {"hour": int(rng.integers(24)), "history_item": [1] * int(rng.integers(5)), "history_age_h": [2.0]}
            made = FeedPageRow(id=f"{seed}-{ago}-{n}", visitor=1, at=now() - timedelta(days=ago), known=page, models={})
            things = []
            for k in range(rows):
                thing = {"item_id": k, "seller_id": int(rng.integers(6)),
                         "category": HATS if rng.random() < 0.5 else SHOES,
                         "condition": int(rng.integers(5)), "price": float(rng.lognormal(3, 0.5)),
                         "price_bucket": int(rng.integers(10)), "single": bool(rng.random() < 0.8), "stock": 1,
                         "item_age_h": float(rng.uniform(0, 48)),
                         "content": rng.normal(size=CONTENT).tolist()}  # fmt: skip
                scores = {"pctr": float(rng.beta(2, 20)), "pcvr": None, "score": float(rng.beta(2, 20)), "bid": 0.0,
                          "pre_rank": k, "rank": k}  # fmt: skip
                if planted is not None:
                    planted(thing, page, scores)
                things.append(FeedRow(page_id=made.id, listing_id="l", position=k, reason="ranked", seen_at=now(),
                                      known=thing, scores=scores))  # fmt: skip
            session.add(made)
            session.flush()
            session.add_all(things)


def trained_on(services, first, last):
    """As if a ranking model served that was trained on these days."""
    manifest = {"train_days": [first, last], "model": "din"}
    services.feed.models._loaded["ranking"] = SimpleNamespace(name="din 0001", version="0001", manifest=manifest)


def trained_before(services, days=6):
    for ago in range(5, 5 + days):
        pages(services, ago)
    trained_on(services, day_number(today()) - 5 - days, day_number(today()) - 5)


def test_nothing_moved_when_nothing_was_planted(services):
    trained_before(services)
    for ago in (0, 1, 2):
        pages(services, ago, seed=1)
    table = measure_drift(services.store, services.feed).table
    assert len(table.rows) == 17
    moved = [row for row in table.rows if row[1] != "steady"]
    assert len(moved) <= 1  # one of twenty comes by chance
    assert all(row[2] <= 1.5 * row[3] for row in table.rows)
    assert "trained on" in table.note
    assert "(120 pages)" in table.note


@pytest.mark.parametrize(
    ("planted", "name", "said"),
    [
        (lambda thing, page, scores: thing.update(price=thing["price"] * 2), "price", "mean"),
        (lambda thing, page, scores: thing.update(category=SHOES), "category", "Hat: 0 %"),
        (lambda thing, page, scores: page.update(history_item=[]), "clicks of the visitor before", "mean 0"),
        (lambda thing, page, scores: scores.update(pctr=scores["pctr"] + 0.05), "predicted click rate", "mean 0.1"),
        (lambda thing, page, scores: scores.update(pcvr=0.3), "predicted order rate", "mean 0.3"),
        (lambda thing, page, scores: thing["content"].__setitem__(2, 1.0), "what the photos show", "mean 1"),
    ],
)
def test_a_planted_drift_is_named_and_everything_else_is_steady(services, planted, name, said):
    trained_before(services)
    with services.store.write() as session:
        seller = services.sellers.named("me").id
        session.add_all([ListingRow(id=c, seller_id=seller, category=c, title=c, description="", attributes={},
                                    currency="EUR") for c in ("Hat", "Shoes")])  # fmt: skip
    for ago in (0, 1, 2):
        pages(services, ago, planted, seed=1)
    table = measure_drift(services.store, services.feed).table
    assert (table.rows[0][0], table.rows[0][1]) == (name, "moved")
    assert table.rows[0][2] > 0.2 > table.rows[0][3]
    assert said in table.rows[0][5]
    assert len([row for row in table.rows[1:] if row[1] != "steady"]) <= 1


def test_few_pages_say_nothing_and_chance_is_not_taken_for_drift(services):
    pages(services, 8, count=10)
    pages(services, 0, count=200, seed=1)
    table = measure_drift(services.store, services.feed).table
    assert table.rows == ()
    assert "Below 30 pages nothing is said" in table.note

    # Pages of one category each: rows are alike within a page, so that few pages differ a lot by chance alone.
    def alike(thing, page, scores):
        thing["category"] = HATS if page["hour"] < 12 else SHOES

    pages(services, 9, alike, count=35, seed=2)
    table = measure_drift(services.store, services.feed).table
    chance = next(row[3] for row in table.rows if row[0] == "category")
    rows = 45 * 6
    assert chance > 3 * (1 / rows + 1 / (200 * 6))  # what rows that know nothing of each other would give


def test_a_model_from_elsewhere_is_compared_with_the_weeks_before(services):
    for ago in (0, 6):
        pages(services, ago)
    trained_on(services, 0, 25)  # the simulated marketplace
    table = measure_drift(services.store, services.feed).table
    assert "since no ranking model serves that was trained on earlier days of this store" in table.note
    assert len(table.rows) == 17


def test_drift_stands_on_page_exports_and_metrics(services):
    trained_before(services, 1)
    pages(services, 0, lambda thing, page, scores: thing.update(price=500.0), seed=1)
    services.feed.models._loaded.pop("ranking")
    with client_of(services) as client:
        client.app.state.reports.get("24h")
        assert "Moved since training: price" in client.get("/ops/").text
        assert client.get("/ops/export/drift-by-feature.json").json()[0]["what"] == "price"
        drift = [x for x in client.get("/metrics").text.splitlines() if x.startswith("ipl_ops_drift{")]
    moved = {x.split('"')[1]: float(x.split()[-1]) for x in drift}
    assert max(moved, key=moved.get) == "price"
    assert sum(psi > 0 for psi in moved.values()) <= 3 < len(moved) == 17


def test_the_index_is_that_of_shares():
    assert index(np.array([50, 50]), np.array([500, 500])) == pytest.approx(0, abs=1e-4)
    a, b = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    assert index(1e6 * a, 1e6 * b) == pytest.approx(((b - a) * np.log(b / a)).sum(), rel=1e-3)
