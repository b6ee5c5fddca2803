"""The live feed: sources, stages, models that fail, and the trace."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from recommend.cascade.catalog import Item
from recommend.cascade.explain import fate, moves
from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import Exposure, FeedConfig
from recommend.cascade.registry import Registry
from recommend.cascade.request import FEED, columns
from recommend.cascade.routes import Routes
from recommend.cascade.scoring import SIMPLE, Models, probabilities
from recommend.config import ConfigError
from recommend.data.parquet import DataError
from tests.app.support.moments import becomes
from tests.recommend.cascade.live_items import HOUR, NOW, SIZE, item


def models(tmp_path: Path, check=healthy) -> Models:
    return Models(Registry(tmp_path / "models", check))


def feed(tmp_path: Path, count: int = 400, config: FeedConfig | None = None) -> Feed:
    built = Feed(SIZE, models(tmp_path), config or FeedConfig(candidates=200, ranked=60, size=10))
    for item_id in range(1, count + 1):
        built.put(item(item_id), NOW)
    return built


@pytest.mark.parametrize("beyond", [0.0, 0.5])
def test_what_no_source_finds_gets_its_chance_before_it_is_stale(tmp_path, beyond):
    """Only what is popular is found: forty of 240 things. With half of the exploration beyond them every new thing has
    been seen once all places for it have come; without it none of the others ever is."""
    exposure = Exposure(share=0.4, beyond=beyond, young_h=24)
    cascade = feed(
        tmp_path, 0, FeedConfig(candidates=40, ranked=40, size=10, exposure=exposure, shares={"popular": 1.0})
    )
    cascade.sources.find = lambda visitor, time_ms, count: {
        "popular": cascade.sources._popular(visitor, time_ms, count)
    }
    for item_id in range(1, 241):
        young = item_id > 80
        cascade.put(item(item_id, bid=0.0, listed_ms=NOW.time_ms - (item_id * 60_000 if young else 30 * HOUR)), NOW)
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


def test_a_feed_without_models_ranks_by_popularity_and_says_so(tmp_path):
    cascade = feed(tmp_path)
    for _ in range(50):
        cascade.add_impressions(8, [17, 18], NOW.time_ms)
    cascade.catalog.clicked([17] * 40, NOW.time_ms)
    slate = cascade.slate(1, NOW)
    assert slate.models["ranking"] == SIMPLE
    assert set(slate.degraded) == {"pre_ranking", "ranking", "conversion", "ads"}
    assert next(s for s in slate.page if s.reason == "ranked").item_id == 17
    assert len(slate.page) == 10


def test_a_new_listing_is_in_the_feed_at_once_and_a_sold_one_is_gone_at_once(tmp_path):
    cascade = feed(tmp_path, 50)
    cascade.put(item(1000, listed_ms=NOW.time_ms), NOW)
    assert 1000 in {s.item_id for s in (*cascade.slate(3, NOW).page, *cascade.slate(3, NOW).fell)}
    assert cascade.take(1000)
    for _ in range(20):
        slate = cascade.slate(3, NOW)
        assert 1000 not in {s.item_id for s in (*slate.page, *slate.fell)}
    assert 1000 not in cascade.neighbours.find(np.asarray(item(1000).content), 50)


def test_exact_neighbours_are_the_nearest_live_things_and_those_of_the_index(tmp_path, monkeypatch):
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
    exact = cascade.sources.find(cascade.visitors.get(4), NOW.time_ms, 50)["content"].tolist()
    monkeypatch.setattr("recommend.cascade.stages.retrieve.EXACT", 0)
    assert cascade.sources.find(cascade.visitors.get(4), NOW.time_ms, 50)["content"].tolist() == exact


def test_the_whole_cascade_with_trained_models_and_its_trace(tmp_path, runs):
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
    assert set(slate.ms) == {"sources", "pre_ranking", "ranking", "auction", "mixing", "trace"}


def test_pre_ranking_by_cached_vectors_is_what_the_model_says(tmp_path, runs):
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


def test_a_model_that_says_nonsense_does_not_pass_the_health_check(tmp_path, runs):
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


def test_what_cannot_serve_is_not_installed(tmp_path, runs):
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


def test_requests_go_on_while_things_come_and_go_and_models_are_swapped(tmp_path, runs):
    cascade = feed(tmp_path, 200)
    registry = cascade.models.registry
    registry.install(runs["two_tower"], "pre_ranking")
    registry.install(runs["din"], "ranking")
    cascade.models.refresh()
    stop, problems, sold, swapped = threading.Event(), [], set(), 0

    def guarded(work) -> None:
        while not stop.is_set():
            try:
                work()
            except Exception as error:
                problems.append(repr(error))
                return

    fresh = iter(range(10_000, 100_000))

    def churn() -> None:
        new = next(fresh)
        cascade.put(item(new, listed_ms=NOW.time_ms), NOW)
        gone = new - 50
        if gone >= 10_000 and cascade.take(gone):
            sold.add(gone)

    def ask() -> None:
        before = set(sold)
        page = {s.item_id for s in cascade.slate(int(np.random.randint(20)), NOW).page}
        assert not page & before

    def swap() -> None:
        nonlocal swapped
        registry.install(runs["din"], "ranking")
        cascade.models.refresh()
        swapped += 1

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (churn, ask, ask, swap)]
    for thread in threads:
        thread.start()
    assert becomes(lambda: problems or (len(sold) > 50 and swapped > 2))
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

    # The same by hand: a price's share of a score is that of other things with this price in its place.
    rows = cascade.catalog.rows([s.item_id for s in page.slate.page[:5]])
    moved = moves(cascade.models, cascade.catalog, rows[:1], rows, page.visitor, page.moment)[0]
    assert moved == tuple(sorted(moved, key=lambda m: -abs(np.log(m.factor))))
    twins = feed(tmp_path / "twins", 0)
    first = int(cascade.catalog.get("item_id", rows[:1])[0])
    same = {
        n: cascade.catalog.get(n, rows[:1])[0].item()
        for n in ("seller_id", "condition", "stock", "single", "listed_ms")
    }
    content, category = cascade.catalog.content(rows[:1])[0], cascade.catalog.get("category", rows[:1])[0].item()
    loaded, by_hand = cascade.models.get("ranking"), {}
    for group, of in (("itself", rows[:1]), ("category", rows[1:])):
        values = []
        for row in of:
            price, bucket = (cascade.catalog.get(n, rows[:1])[0].item() for n in ("price", "price_bucket"))
            theirs = cascade.catalog.get("category", np.array([row]))[0].item() if group == "category" else category
            twin = twins.catalog.put(
                Item(first, category=theirs, price=price, price_bucket=bucket, content=content, **same)
            )
            answers, _ = probabilities(
                cascade.models, loaded, twins.catalog, np.array([twin]), page.visitor, page.moment, FEED
            )
            values.append(answers["click"][0])
        by_hand[group] = np.mean(values)
    factor = by_hand["itself"] / by_hand["category"]
    of_category = [m.factor for m in moved if m.feature == "category"]
    assert of_category == pytest.approx([factor], rel=1e-4) if abs(np.log(factor)) > 0.02 else of_category == []
