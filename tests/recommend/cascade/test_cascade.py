"""The live feed: what is on sale, sources, models that fail, requests under load, and the trace."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from recommend.cascade.catalog import REST, Catalog, Item
from recommend.cascade.explain import fate, moves
from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import Exposure, FeedConfig
from recommend.cascade.registry import Loaded, Registry
from recommend.cascade.request import FEED, HOUR_MS, columns
from recommend.cascade.routes import Routes
from recommend.cascade.scoring import SIMPLE, Models, Serving, probabilities
from recommend.cascade.visitors import Visitors
from recommend.config import ConfigError
from recommend.data.parquet import DataError
from recommend.data.schema import columns as schema_columns
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.models.base import Ranker
from tests.recommend.support.feed import NOW, SIZE, item


def models(tmp_path: Path, check=healthy) -> Models:
    return Models(Registry(tmp_path / "models", check))


def feed(tmp_path: Path, count: int = 400, config: FeedConfig | None = None) -> Feed:
    built = Feed(SIZE, models(tmp_path), config or FeedConfig(candidates=200, ranked=60, size=10))
    for item_id in range(1, count + 1):
        built.put(item(item_id), NOW)
    return built


def test_ads_without_a_model_are_scored_in_the_rankings_call(tmp_path):
    """Once for both, each row with its own channel; a model of ads is asked for itself."""
    asked = []

    def program(raw):
        asked.append(raw["is_ad"].tolist())
        return {"click": 0.1 + 0.5 * raw["is_ad"].double() + raw["item_id"].double() / 1e4}

    features = FeatureMap(features=(), labels=("click",))
    loaded = Loaded("ranking", "1", Ranker.__new__(Ranker), Encoders(features, {}, {}), {"model": "dcn"}, program)
    cascade = feed(tmp_path, 0)
    for item_id in range(1, 31):
        cascade.put(item(item_id, bid=0.5 * (item_id % 3 == 0)), NOW)
    cascade.models.serve("ranking", Serving(loaded))
    page = cascade.considered(1, NOW)
    assert asked == [[0] * 30 + [1] * 10]
    assert page.ads.degraded
    assert page.ads.values == pytest.approx(page.click.values[page.bidding] + 0.5)
    cascade.models.serve("ads", Serving(loaded))
    assert not cascade.considered(1, NOW).ads.degraded
    assert asked[1:] == [[0] * 30, [1] * 10]


@pytest.mark.parametrize("beyond", [0.0, 0.5])
def test_exploration_shows_what_no_source_finds(tmp_path, beyond):
    """Only what is popular is found: forty of 240 things. With half of the exploration beyond them every new thing has
    been seen once all places for it have come; without it none of the others ever is."""
    exposure = Exposure(share=0.4, beyond=beyond, young_h=24)
    config = FeedConfig(candidates=40, ranked=40, size=10, exposure=exposure, shares={"popular": 1.0})
    cascade = feed(tmp_path, 0, config)
    for item_id in range(1, 241):
        young = item_id > 80
        cascade.put(item(item_id, bid=0.0, listed_ms=NOW.time_ms - (item_id * 60_000 if young else 30 * HOUR_MS)), NOW)
    cascade.catalog.clicked(range(1, 41), NOW.time_ms)
    displayed, first = set(), {}
    for n in range(90):
        slate = cascade.slate(1, NOW)
        far = [s for s in slate.page if s.sources == ("unseen",)]
        assert all(s.reason == "exploration" for s in far if s.item_id not in displayed)
        ids = [s.item_id for s in slate.page]
        for s in far:
            first.setdefault(s.item_id, n)
        displayed |= set(ids)
        cascade.add_impressions(8, ids, NOW.time_ms)
    cascade.close()
    young = set(range(81, 241))
    if beyond:
        assert young <= displayed
        order = sorted(young, key=lambda i: first[i])
        assert np.mean(order[:40]) > np.mean(order[-40:])  # the oldest, which are stale next, come first
        assert not set(range(41, 81)) & displayed  # what is stale already is not explored
    else:
        assert not (young | set(range(41, 81))) & displayed


def test_without_models_popularity_ranks(tmp_path):
    cascade = feed(tmp_path)
    for _ in range(50):
        cascade.add_impressions(8, [17, 18], NOW.time_ms)
    cascade.catalog.clicked([17] * 40, NOW.time_ms)
    slate = cascade.slate(1, NOW)
    assert slate.models["ranking"] == SIMPLE
    assert set(slate.degraded) == {"pre_ranking", "ranking", "conversion", "ads"}
    assert next(s for s in slate.page if s.reason == "ranked").item_id == 17
    assert len(slate.page) == 10


def test_a_listing_comes_and_goes_at_once(tmp_path):
    cascade = feed(tmp_path, 50)
    cascade.put(item(1000, listed_ms=NOW.time_ms), NOW)
    assert 1000 in {s.item_id for s in (*cascade.slate(3, NOW).page, *cascade.slate(3, NOW).fell)}
    assert cascade.take(1000)
    for _ in range(20):
        slate = cascade.slate(3, NOW)
        assert 1000 not in {s.item_id for s in (*slate.page, *slate.fell)}
    assert 1000 not in cascade.neighbours.find(np.asarray(item(1000).content), 50)
    cascade.put(item(1001, stock=2), NOW)
    for left in (True, False):  # one of two pieces is sold, then the other
        assert cascade.take(1001)
        assert (1001 in cascade.neighbours.find(np.asarray(item(1001).content), 50)) is left


def test_neighbours_are_the_nearest_live_things(tmp_path, monkeypatch):
    cascade = feed(tmp_path, 300)
    cascade.put(item(900, content=np.zeros(SIZE)), NOW)  # of which nothing is known
    cascade.remove(30)
    taste = np.asarray(item(30).content, np.float32)
    rows = cascade.catalog.live()
    content = cascade.catalog.content(rows)
    cosine = content @ taste / np.maximum(np.linalg.norm(content, axis=1), 1e-9)
    nearest = cascade.catalog.get("item_id", cascade.catalog.nearest(taste, 40)).tolist()
    assert nearest == cascade.catalog.get("item_id", rows[np.argsort(-cosine)[:40]]).tolist()
    assert nearest[:10] == cascade.neighbours.find(taste, 40)[:10]
    everything = cascade.catalog.get("item_id", cascade.catalog.nearest(taste, 5_000)).tolist()
    assert sorted(everything) == sorted(set(range(1, 301)) - {30})
    cascade.clicked(4, 9, NOW)
    by_source = cascade.sources.find(cascade.visitors.get(4), NOW.time_ms, 50)
    assert set(cascade.catalog.get("category", by_source["category"])) == {item(9).category}
    assert not len(cascade.sources.find(cascade.visitors.get(5), NOW.time_ms, 50)["category"])
    exact = by_source["content"].tolist()
    monkeypatch.setattr("recommend.cascade.stages.retrieve.EXACT", 0)
    assert cascade.sources.find(cascade.visitors.get(4), NOW.time_ms, 50)["content"].tolist() == exact


def test_trained_models_rank_a_page_and_its_trace(tmp_path, runs):
    cascade = feed(tmp_path)
    registry = cascade.models.registry
    registry.install(runs["two_tower"], "pre_ranking")
    registry.install(runs["din"], "ranking")
    assert cascade.models.refresh() == ["pre_ranking", "ranking"]
    for item_id in (3, 30, 300):
        cascade.clicked(8, item_id, NOW)
    slate = cascade.slate(8, NOW)
    assert slate.models["ranking"].startswith("din")
    assert slate.models["pre_ranking"].startswith("two_tower")
    assert slate.degraded == ("conversion", "ads")
    assert slate.counts["candidates"] >= slate.counts["ranked"] == 60 > slate.counts["page"] == 10
    ranked = [s for s in slate.page if s.reason == "ranked"]
    assert [s.rank for s in ranked] == sorted(s.rank for s in ranked)
    assert all(0 < s.pctr < 1 and s.sources for s in slate.page)
    for s in slate.page:
        if s.reason == "ad":
            assert s.bid >= s.price_per_click >= cascade.config.reserve
            assert s.ecpm == pytest.approx(1000 * s.bid * s.pctr, rel=0.5)  # other channel, other pCTR
    assert slate.fell
    assert all(s.reason.startswith("fell") for s in slate.fell)
    last = max(s.rank for s in ranked)
    assert all(("below the last" in s.reason) is (s.rank > last) for s in slate.fell)
    assert set(slate.ms) == {"sources", "pre_ranking", "ranking", "auction", "mixing", "trace"}


def test_pre_ranking_by_cached_vectors_is_the_models(tmp_path, runs):
    cascade = feed(tmp_path, 120)
    cascade.models.registry.install(runs["two_tower"], "pre_ranking")
    cascade.models.refresh()
    cascade.clicked(8, 3, NOW)
    rows, visitor = cascade.catalog.live(), cascade.visitors.get(8)
    cached = cascade.pre_ranker.score(rows, visitor, NOW).values
    loaded = cascade.models.get("pre_ranking")
    asked = loaded.model.predict(loaded.encoders(columns(cascade.catalog, rows, visitor, NOW, FEED)))["click"].numpy()
    assert np.allclose(cached, asked, atol=1e-5)
    cascade.put(item(5000), NOW)  # comes after the vectors were made
    row = cascade.catalog.rows([5000])
    asked = loaded.model.predict(loaded.encoders(columns(cascade.catalog, row, visitor, NOW, FEED)))["click"].numpy()
    assert np.allclose(cascade.pre_ranker.score(row, visitor, NOW).values, asked, atol=1e-5)


def test_a_missing_model_degrades(tmp_path, runs):
    cascade = feed(tmp_path, 60)
    registry = cascade.models.registry
    version = registry.install(runs["din"], "ranking")
    cascade.models.refresh()
    assert cascade.slate(1, NOW).models["ranking"] == f"din {version}"
    registry.file.write_text("ranking: []\n")
    assert cascade.models.refresh() == ["ranking"]
    assert cascade.slate(1, NOW).models["ranking"] == SIMPLE


def test_the_health_check_refuses_nonsense(tmp_path, runs):
    def spoil(factor: float) -> str:
        registry = Registry(tmp_path / f"m{factor}", lambda loaded: "")
        version = registry.install(runs["din"], "ranking")
        path = registry.root / "ranking" / version / "checkpoint.safetensors"
        with safe_open(path, framework="pt") as file:
            facts = file.metadata()
        tensors = load_file(path)
        tensors = {n: t * factor if n.startswith("model.") and t.is_floating_point() else t for n, t in tensors.items()}
        save_file({n: torch.as_tensor(t).contiguous() for n, t in tensors.items()}, path, metadata=facts)
        manifest = registry.root / "ranking" / version / "manifest.json"
        manifest.write_text(
            json.dumps({**json.loads(manifest.read_text()), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
        )
        candidate, _ = registry.check("ranking", version)
        assert candidate is not None
        return healthy(candidate)

    assert spoil(1.0) == ""
    assert "same" in spoil(0.0)
    assert "no numbers" in spoil(float("nan"))


def test_models_of_no_use_are_refused(tmp_path, runs):
    registry = models(tmp_path).registry
    with pytest.raises(DataError, match="holds no training run"):
        registry.install(tmp_path, "ranking")
    with pytest.raises(ConfigError, match="no role 'rank'"):
        registry.install(runs["din"], "rank")
    with pytest.raises(DataError, match="does not serve as pre-ranking: it gives no vectors"):
        registry.install(runs["din"], "pre_ranking")
    with pytest.raises(DataError, match="does not serve as conversion: it says nothing of ecvr or order"):
        registry.install(runs["din"], "conversion")
    with pytest.raises(ConfigError, match="no version '7'"):
        registry.serve("ranking", "7")
    assert [registry.versions(role) for role in ("pre_ranking", "conversion")] == [[], []]
    assert registry.routes() == Routes()


def test_requests_go_on_while_models_are_swapped(tmp_path, runs):
    cascade = feed(tmp_path, 200)
    registry = cascade.models.registry
    registry.install(runs["two_tower"], "pre_ranking")
    registry.install(runs["din"], "ranking")
    cascade.models.refresh()
    stop, problems, sold, fresh = threading.Event(), [], set(), itertools.count(10_000)

    def guarded(work) -> None:
        while not stop.is_set() and not problems:
            try:
                work()
            except Exception as error:
                problems.append(repr(error))

    def churn() -> None:
        new = next(fresh)
        cascade.put(item(new, listed_ms=NOW.time_ms), NOW)
        if new >= 10_050 and cascade.take(new - 50):
            sold.add(new - 50)

    def ask() -> None:
        before = set(sold)
        assert not before & {s.item_id for s in cascade.slate(int(np.random.randint(20)), NOW).page}

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (churn, ask, ask)]
    for thread in threads:
        thread.start()
    swapped = 0
    while not problems and (swapped < 3 or len(sold) < 50):
        registry.install(runs["din"], "ranking")
        swapped += cascade.models.refresh() == ["ranking"]
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems


def test_why_a_thing_stands_where_it_does(tmp_path, runs):
    cascade = feed(tmp_path)
    for model, role in (("two_tower", "pre_ranking"), ("din", "ranking")):
        cascade.models.registry.install(runs[model], role)
    cascade.models.refresh()
    for item_id in (3, 30, 300):
        cascade.clicked(8, item_id, NOW)
    page = cascade.considered(8, NOW)
    for s in page.slate.page:
        f = fate(page, cascade.catalog, s.item_id)
        assert (f.position, f.reason, f.rank, f.pre_place) == (s.position, s.reason, s.rank, s.pre_rank)
        assert (f.pctr, f.score, set(f.sources)) == (s.pctr, s.score, set(s.sources))
        assert s.reason != "ranked" or f.score >= f.cut
    ids = cascade.catalog.get("item_id", page.rows)
    usual = np.isin(page.rows, page.usual) & ~np.isin(np.arange(len(page.rows)), page.chosen)
    for item_id in ids[usual][:20]:
        f = fate(page, cascade.catalog, int(item_id))
        assert f.rank is None
        assert f.pre_score <= f.pre_cut
    cascade.remove(int(ids[0]))
    assert not fate(page, cascade.catalog, int(ids[0])).on_sale

    # The same by hand: a category's share of a score is that of the thing with others' categories in its place.
    rows = cascade.catalog.rows([s.item_id for s in page.slate.page[:5]])
    moved = moves(cascade.models, cascade.catalog, rows[:1], rows, page.visitor, page.moment)[0]
    assert moved == tuple(sorted(moved, key=lambda m: -abs(np.log(m.factor))))
    twins = feed(tmp_path / "twins", 0)
    first = int(cascade.catalog.get("item_id", rows[:1])[0])
    names = ("seller_id", "condition", "stock", "single", "listed_ms", "price", "price_bucket")
    same = {n: cascade.catalog.get(n, rows[:1])[0].item() for n in names}
    content, loaded, by_hand = cascade.catalog.content(rows[:1])[0], cascade.models.get("ranking"), []
    for category in cascade.catalog.get("category", rows).tolist():
        twin = np.array([twins.catalog.put(Item(first, category=category, content=content, **same))])
        answers, _ = probabilities(cascade.models, loaded, twins.catalog, twin, page.visitor, page.moment, FEED)
        by_hand.append(answers["click"][0])
    factor = by_hand[0] / np.mean(by_hand[1:])
    of_category = [m.factor for m in moved if m.feature == "category"]
    assert of_category == pytest.approx([factor], rel=1e-4) if abs(np.log(factor)) > 0.02 else of_category == []


def test_pieces_are_sold_once_whoever_asks_at_once():
    for pieces in (1, 3):
        catalog = Catalog(SIZE)
        catalog.put(item(7, stock=pieces))
        start, sold = threading.Barrier(24), []

        def buy(catalog=catalog, start=start, sold=sold) -> None:
            start.wait()
            sold.append(catalog.take(7))

        threads = [threading.Thread(target=buy) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(sold) == pieces
        assert 7 not in catalog


def test_a_change_keeps_counters_and_rows_rest():
    catalog = Catalog(SIZE)
    row = catalog.put(item(1))
    catalog.add_impressions([1, 99], 5)
    catalog.clicked([1], 9)
    assert catalog.put(item(1, price=5.0)) == row
    assert [int(catalog.get(n, np.array([row]))[0]) for n in ("impressions", "clicks", "first_click_ms")] == [1, 1, 9]
    assert catalog.get("price", np.array([row]))[0] == 5.0
    catalog.remove(1)
    assert not catalog.on_sale(np.array([row]))[0]
    assert catalog.put(item(2)) != row  # a request that still points at the row must not meet another thing
    for other in range(10, 10 + REST):
        catalog.put(item(other))
        catalog.remove(other)
    assert catalog.put(item(3)) == row
    assert int(catalog.get("impressions", np.array([row]))[0]) == 0
    with pytest.raises(ValueError, match="16 numbers"):
        catalog.put(item(4, content=[1.0]))


def test_a_request_has_every_column_known_then():
    catalog, visitors = Catalog(SIZE), Visitors()
    rows = np.array([catalog.put(item(i)) for i in (1, 2, 3)])
    visitors.clicked(5, 2, catalog, NOW.time_ms - HOUR_MS)
    request = columns(catalog, rows, visitors.get(5), NOW, FEED)
    of_log = {"impression_id", "request_id", "policy", "position", "propensity"}  # kept by the log, read by no model
    assert set(schema_columns("impression", "request")) - of_log <= set(request)
    assert request["history_item"].values.tolist() == [2, 2, 2]
    assert request["history_age_h"].values.tolist() == [1.0, 1.0, 1.0]
    assert request["hour"].tolist() == [13, 13, 13]
