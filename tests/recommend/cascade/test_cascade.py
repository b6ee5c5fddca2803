"""The live feed: stock, sources, stages, auction, mixing, models that fail, and the trace."""

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

from recommend.cascade.catalog import REST, Catalog, Item
from recommend.cascade.explain import fate, moves
from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import AD_SLOTS, Exposure, FeedConfig
from recommend.cascade.registry import Registry
from recommend.cascade.request import FEED, columns
from recommend.cascade.scoring import SIMPLE, Models, probabilities
from recommend.cascade.stages.auction import second_price
from recommend.cascade.stages.mix import mix
from recommend.cascade.visitors import Visitors
from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.schema import columns as schema_columns
from recommend.training.runs import plan, train_run
from recommend.world import write_world
from recommend.world.stored import store_histories
from tests.recommend.cascade.live_items import HOUR, NOW, SIZE, item


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Trained runs by model, on one tiny world."""
    root = tmp_path_factory.mktemp("runs")
    write_world(root / "world", seed=100, knobs={"impressions": 4_000, "days": 4})
    store_histories(root / "world")
    log = root / "world" / "log"
    for name in ("two_tower", "din"):
        run = plan(log, ModelConfig(name=name, embedding=8, mlp=(16,)), TrainConfig(batch_rows=256), ("click",), 1)
        train_run(log, run, root / name)
    return {name: root / name for name in ("two_tower", "din")}


def models(tmp_path: Path, check=healthy) -> Models:
    return Models(Registry(tmp_path / "models", check))


def feed(tmp_path: Path, count: int = 400, config: FeedConfig | None = None) -> Feed:
    made = Feed(SIZE, models(tmp_path), config or FeedConfig(candidates=200, ranked=60, size=10))
    for item_id in range(1, count + 1):
        made.put(item(item_id), NOW)
    return made


def test_a_thing_is_sold_as_often_as_there_are_pieces_whoever_asks_at_once():
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


def test_the_catalogue_keeps_counters_on_change_and_lets_rows_rest():
    catalog = Catalog(SIZE)
    row = catalog.put(item(1))
    catalog.shown([1, 99], 5)
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


def test_a_request_has_every_column_that_is_known_at_the_request():
    catalog, visitors = Catalog(SIZE), Visitors()
    rows = np.array([catalog.put(item(i)) for i in (1, 2, 3)])
    visitors.clicked(5, 2, catalog, NOW.time_ms - HOUR)
    made = columns(catalog, rows, visitors.get(5), NOW, FEED)
    of_log = {"impression_id", "request_id", "policy", "position", "propensity"}  # kept by the log, read by no model
    assert set(schema_columns("impression", "request")) - of_log <= set(made)
    assert made["history_item"].values.tolist() == [2, 2, 2]
    assert made["history_age_h"].values.tolist() == [1.0, 1.0, 1.0]
    assert made["hour"].tolist() == [13, 13, 13]


def test_a_history_outlives_its_things():
    catalog, visitors = Catalog(SIZE), Visitors()
    catalog.put(item(2))
    visitors.clicked(5, 2, catalog, 1)
    catalog.remove(2)
    assert not visitors.clicked(5, 2, catalog, 2)
    assert np.allclose(visitors.get(5).taste(), item(2).content, atol=1e-6)


def test_second_prices_lie_between_reserve_and_bid():
    pctr, bid = np.array([0.1, 0.2, 0.05, 0.3]), np.array([1.0, 0.4, 1.5, 0.01])
    outcome = second_price(pctr, bid, slots=2, reserve=0.02)
    assert outcome.winners.tolist() == [0, 1]
    assert outcome.price == pytest.approx([0.2 * 0.4 / 0.1, 0.05 * 1.5 / 0.2])
    alone = second_price(pctr[:1], bid[:1], slots=2, reserve=0.02)
    assert alone.price.tolist() == [0.02]
    assert len(second_price(np.empty(0), np.empty(0), 2, 0.02).winners) == 0
    rng = np.random.default_rng(0)
    for _ in range(50):
        p, b = rng.random(6), rng.random(6)
        found = second_price(p, b, 3, 0.1)
        assert (found.price >= 0.1).all()
        assert (found.price <= b[found.winners] + 1e-12).all()


def test_no_bidder_gains_by_paying_more_than_the_next_is_worth():
    """The winner's price does not depend on its own bid while it wins."""
    pctr = np.array([0.1, 0.2])
    prices = [second_price(pctr, np.array([bid, 0.3]), 1, 0.02).price[0] for bid in (0.7, 1.0, 5.0)]
    assert prices == pytest.approx([0.6, 0.6, 0.6])


def mixed(rng, share, *, new=None, shown=None, seller=None, ads=(), far=None, count=60, **rules):
    """A page of ten of ``count`` candidates, the best first; nothing is new and all sellers differ, unless said."""
    zeros = np.zeros(count, int)
    shown, new = (zeros if shown is None else shown), (zeros > 0 if new is None else new)
    seller = np.arange(count) if seller is None else seller
    return mix(np.linspace(1, 0, count), shown, new, seller, list(ads), 10, Exposure(share=share, **rules), rng, far)


def explored(page) -> list[int]:
    return [place.candidate for place in page if place.reason == "exploration"]


def test_exploration_gets_its_share_of_the_places_on_average():
    rng = np.random.default_rng(0)
    new = np.arange(60) >= 40  # by score alone no new thing would ever be shown
    assert np.mean([len(explored(mixed(rng, 0.15, new=new))) for _ in range(400)]) == pytest.approx(1.5, abs=0.1)
    tired = np.where(new, 10, 0)
    tired[50] = 4
    assert explored(mixed(rng, 0.1, new=new, shown=tired)) == [50]
    assert [p.candidate for p in mixed(rng, 0.0, new=new)] == list(range(10))


def test_half_of_the_exploration_goes_beyond_what_sources_found():
    rng, new, far = np.random.default_rng(0), np.arange(60) >= 40, np.arange(60) >= 50
    pages = [explored(mixed(rng, 0.4, new=new, far=far)) for _ in range(300)]
    assert np.mean([sum(far[page]) for page in pages]) == pytest.approx(2.0, abs=0.05)
    assert np.mean([sum(~far[page]) for page in pages]) == pytest.approx(2.0, abs=0.05)
    # Where one kind is missing, the other takes its places; without the rule all is as if nothing were beyond.
    for have in (far, new & ~far):
        assert len(explored(mixed(rng, 0.4, new=have, far=far))) == 4
    ways = ((0.0, np.zeros(60, bool)), (0.5, None))
    one, two = (mixed(np.random.default_rng(3), 0.35, new=new, far=mask, beyond=share) for share, mask in ways)
    assert one == two


@pytest.mark.parametrize("beyond", [0.0, 0.5])
def test_what_no_source_finds_gets_its_chance_before_it_is_stale(tmp_path, beyond):
    """Only what is popular is found: forty of 240 things. With half of the exploration beyond them every new thing has
    been seen once all places for it have come; without it none of the others ever is."""
    exposure = Exposure(share=0.4, beyond=beyond, young_h=24)
    made = feed(tmp_path, 0, FeedConfig(candidates=40, ranked=40, size=10, exposure=exposure, shares={"popular": 1.0}))
    made.sources.find = lambda visitor, time_ms, count: {"popular": made.sources._popular(visitor, time_ms, count)}
    for item_id in range(1, 241):
        young = item_id > 80
        made.put(item(item_id, bid=0.0, listed_ms=NOW.time_ms - (item_id * 60_000 if young else 30 * HOUR)), NOW)
    made.catalog.clicked(range(1, 41), NOW.time_ms)
    seen, first = set(), {}
    for n in range(90):
        slate = made.slate(1, NOW)
        far = [s for s in slate.page if s.sources == ("unseen",)]
        assert all(s.reason == "exploration" for s in far if s.item_id not in seen)
        ids = [s.item_id for s in slate.page]
        for s in far:
            first.setdefault(s.item_id, n)
        seen |= set(ids)
        made.shown(ids, NOW)
    made.close()
    young = set(range(81, 241))
    if beyond:
        assert young <= seen
        order = sorted(young, key=lambda i: first[i])
        assert np.mean(order[:40]) > np.mean(order[-40:])  # the oldest, which are stale next, come first
        assert not set(range(41, 81)) & seen  # what is stale already is not explored
    else:
        assert not (young | set(range(41, 81))) & seen


def test_a_page_has_its_ads_in_their_places_nothing_twice_and_few_of_one_seller():
    rng = np.random.default_rng(1)
    seller = np.r_[np.zeros(20, int), np.arange(20)]
    page = mixed(rng, 0, seller=seller, ads=[30, 0], count=40, per_seller=3)
    assert [page[slot].candidate for slot in AD_SLOTS] == [30, 0]
    ids = [p.candidate for p in page]
    assert len(set(ids)) == len(ids) == 10
    assert sum(seller[i] == 0 and p.reason == "ranked" for i, p in zip(ids, page, strict=True)) <= 3
    assert len(mixed(rng, 0, seller=np.zeros(12, int), count=12)) == 10  # one seller alone still fills the page


def test_a_feed_without_models_ranks_by_popularity_and_says_so(tmp_path):
    made = feed(tmp_path)
    for _ in range(50):
        made.shown([17, 18], NOW)
    made.catalog.clicked([17] * 40, NOW.time_ms)
    slate = made.slate(1, NOW)
    assert slate.models["ranking"] == SIMPLE
    assert set(slate.degraded) == {"pre_ranking", "ranking", "conversion", "ads"}
    assert next(s for s in slate.page if s.reason == "ranked").item_id == 17
    assert len(slate.page) == 10


def test_a_new_listing_is_in_the_feed_at_once_and_a_sold_one_is_gone_at_once(tmp_path):
    made = feed(tmp_path, 50)
    made.put(item(1000, listed_ms=NOW.time_ms), NOW)
    assert 1000 in {s.item_id for s in (*made.slate(3, NOW).page, *made.slate(3, NOW).fell)}
    assert made.take(1000)
    for _ in range(20):
        slate = made.slate(3, NOW)
        assert 1000 not in {s.item_id for s in (*slate.page, *slate.fell)}
    assert 1000 not in made.neighbours.find(np.asarray(item(1000).content), 50)


def test_neighbours_of_the_past_are_retrieved(tmp_path):
    made = feed(tmp_path)
    like = np.asarray(item(9).content)
    made.put(item(2000, content=like + 0.01, listed_ms=0), NOW)
    made.clicked(4, 9, NOW)
    found = made.sources.find(made.visitors.get(4), NOW.time_ms, 50)
    assert made.catalog.rows([2000])[0] in found["content"][:3]


def test_exact_neighbours_are_the_nearest_live_things_and_those_of_the_index(tmp_path, monkeypatch):
    made = feed(tmp_path, 300)
    made.put(item(900, content=np.zeros(SIZE)), NOW)  # of which nothing is known
    made.remove(30)
    taste = np.asarray(item(30).content, np.float32)
    rows = made.catalog.live()
    content = made.catalog.content(rows)
    cosine = content @ taste / np.maximum(np.linalg.norm(content, axis=1), 1e-9)
    nearest = made.catalog.get("item_id", made.catalog.nearest(taste, 40)).tolist()
    assert nearest == made.catalog.get("item_id", rows[np.argsort(-cosine)[:40]]).tolist()
    assert nearest[:10] == made.neighbours.find(taste, 40)[:10]
    everything = made.catalog.get("item_id", made.catalog.nearest(taste, 5_000)).tolist()
    assert sorted(everything) == sorted(set(range(1, 301)) - {30})
    made.clicked(4, 9, NOW)
    exact = made.sources.find(made.visitors.get(4), NOW.time_ms, 50)["content"].tolist()
    monkeypatch.setattr("recommend.cascade.stages.retrieve.EXACT", 0)
    assert made.sources.find(made.visitors.get(4), NOW.time_ms, 50)["content"].tolist() == exact


def test_the_whole_cascade_with_trained_models_and_its_trace(tmp_path, runs):
    made = feed(tmp_path)
    registry = made.models.registry
    registry.install(runs["two_tower"], "pre_ranking")
    registry.install(runs["din"], "ranking")
    assert made.models.refresh() == ["pre_ranking", "ranking"]
    for item_id in (3, 30, 300):
        made.clicked(8, item_id, NOW)
    slate = made.slate(8, NOW)
    assert slate.models["ranking"].startswith("din")
    assert slate.models["pre_ranking"].startswith("two_tower")
    assert slate.degraded == ("conversion", "ads")
    assert slate.counts["candidates"] >= slate.counts["ranked"] == 60 > slate.counts["page"] == 10
    ranked = [s for s in slate.page if s.reason == "ranked"]
    assert [s.rank for s in ranked] == sorted(s.rank for s in ranked)
    assert all(0 < s.pctr < 1 and s.sources for s in slate.page)
    for s in slate.page:
        if s.reason == "ad":
            assert s.bid >= s.price_per_click >= made.config.reserve
            assert s.ecpm == pytest.approx(1000 * s.bid * s.pctr, rel=0.5)  # other channel, other pCTR
    assert slate.fell
    assert all(s.reason.startswith("fell") for s in slate.fell)
    assert set(slate.ms) == {"sources", "pre_ranking", "ranking", "auction", "mixing", "trace"}


def test_pre_ranking_by_cached_vectors_is_what_the_model_says(tmp_path, runs):
    made = feed(tmp_path, 120)
    made.models.registry.install(runs["two_tower"], "pre_ranking")
    made.models.refresh()
    made.clicked(8, 3, NOW)
    rows, visitor = made.catalog.live(), made.visitors.get(8)
    cached = made.pre_ranker.score(rows, visitor, NOW).values
    loaded = made.models.get("pre_ranking")
    asked = loaded.model.predict(loaded.encoders(columns(made.catalog, rows, visitor, NOW, FEED)))["click"].numpy()
    assert np.allclose(cached, asked, atol=1e-5)
    made.put(item(5000), NOW)  # comes after the vectors were made
    row = made.catalog.rows([5000])
    asked = loaded.model.predict(loaded.encoders(columns(made.catalog, row, visitor, NOW, FEED)))["click"].numpy()
    assert np.allclose(made.pre_ranker.score(row, visitor, NOW).values, asked, atol=1e-5)


def test_a_sick_model_is_rolled_back_and_a_missing_one_degrades(tmp_path, runs):
    made = feed(tmp_path, 60)
    registry = made.models.registry
    good = registry.install(runs["din"], "ranking")
    made.models.refresh()
    bad = registry.install(runs["din"], "ranking")
    weights = registry.root / "ranking" / bad / "checkpoint.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64] + b"\0" * 64)
    made.models.refresh()
    assert made.models.get("ranking").version == good == registry.current("ranking")
    assert [e["what"] for e in registry.events(3)][:2] == ["rolled back", "activated"]
    assert any(e["what"] == "failed" and e["version"] == bad for e in registry.events())
    assert made.slate(1, NOW).models["ranking"] == f"din {good}"

    (registry.root / "ranking" / "current").unlink()
    assert made.models.refresh() == ["ranking"]
    assert made.slate(1, NOW).models["ranking"] == SIMPLE
    assert made.models.state()[1]["serves"].startswith(SIMPLE)


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
        found = registry.load("ranking")
        assert found is not None
        return healthy(found)

    assert spoil(1.0) == ""
    assert "same" in spoil(0.0)
    assert "no numbers" in spoil(float("nan"))


def test_installing_an_unfinished_run_or_activating_what_is_not_there_is_refused(tmp_path, runs):
    registry = models(tmp_path).registry
    with pytest.raises(Exception, match="holds no training run"):
        registry.install(tmp_path, "ranking")
    with pytest.raises(ConfigError, match="no role 'rank'"):
        registry.install(runs["din"], "rank")
    registry.install(runs["din"], "pre_ranking")
    assert registry.load("pre_ranking") is None
    assert "gives no vectors" in registry.events(1)[0]["why"]
    registry.install(runs["din"], "conversion")
    assert registry.load("conversion") is None
    assert "says nothing of ecvr or order" in registry.events(1)[0]["why"]
    with pytest.raises(ConfigError, match="no version '7'"):
        registry.activate("ranking", "7")


def test_requests_go_on_while_things_come_and_go_and_models_are_swapped(tmp_path, runs):
    made = feed(tmp_path, 200)
    registry = made.models.registry
    registry.install(runs["two_tower"], "pre_ranking")
    registry.install(runs["din"], "ranking")
    made.models.refresh()
    stop, problems, sold = threading.Event(), [], set()

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
        made.put(item(new, listed_ms=NOW.time_ms), NOW)
        gone = new - 50
        if gone >= 10_000 and made.take(gone):
            sold.add(gone)

    def ask() -> None:
        before = set(sold)
        page = {s.item_id for s in made.slate(int(np.random.randint(20)), NOW).page}
        assert not page & before

    def swap() -> None:
        registry.install(runs["din"], "ranking")
        made.models.refresh()

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (churn, ask, ask, swap)]
    for thread in threads:
        thread.start()
    threading.Event().wait(3)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(sold) > 5


def test_a_seed_gives_the_pages_it_always_gave(tmp_path):
    made = feed(tmp_path, 300, FeedConfig(candidates=200, ranked=60, size=10, uniform_ads=0.3))
    lines = []
    for n in range(30):
        slate = made.slate(n % 5, NOW)
        lines += [(s.item_id, s.position, s.reason, s.sources, s.rank, s.policy) for s in (*slate.page, *slate.fell)]
        made.shown([s.item_id for s in slate.page], NOW)
        made.take(slate.page[0].item_id)
    assert list(slate.ms) == ["sources", "pre_ranking", "ranking", "auction", "mixing", "trace"]
    assert hashlib.sha256(repr(lines).encode()).hexdigest()[:16] == "6091d4ee15fe776e"


def test_why_a_thing_stands_where_it_does(tmp_path, runs):
    made = feed(tmp_path)
    for model, role in (("two_tower", "pre_ranking"), ("din", "ranking")):
        made.models.registry.install(runs[model], role)
    made.models.refresh()
    for item_id in (3, 30, 300):
        made.clicked(8, item_id, NOW)
    page = made.considered(8, NOW)
    for s in page.slate.page:
        f = fate(page, made.catalog, s.item_id)
        assert (f.position, f.reason, f.rank, f.pre_place) == (s.position, s.reason, s.rank, s.pre_rank)
        assert (f.pctr, f.score, set(f.sources)) == (s.pctr, s.score, set(s.sources))
        assert s.reason != "ranked" or f.score >= f.cut
    ids = made.catalog.get("item_id", page.rows)
    usual = np.isin(page.rows, page.usual) & ~np.isin(np.arange(len(page.rows)), page.chosen)
    for item_id in ids[usual][:20]:
        f = fate(page, made.catalog, int(item_id))
        assert f.rank is None
        assert f.pre_score <= f.pre_cut
    made.remove(int(ids[0]))
    assert not fate(page, made.catalog, int(ids[0])).on_sale

    # The same by hand: a price's share of a score is that of other things with this price in its place.
    rows = made.catalog.rows([s.item_id for s in page.slate.page[:5]])
    told = moves(made.models, made.catalog, rows[:1], rows, page.visitor, page.moment)[0]
    assert told == tuple(sorted(told, key=lambda m: -abs(np.log(m.factor))))
    twins = feed(tmp_path / "twins", 0)
    first = int(made.catalog.get("item_id", rows[:1])[0])
    same = {
        n: made.catalog.get(n, rows[:1])[0].item() for n in ("seller_id", "condition", "stock", "single", "listed_ms")
    }
    content, category = made.catalog.content(rows[:1])[0], made.catalog.get("category", rows[:1])[0].item()
    loaded, by_hand = made.models.get("ranking"), {}
    for group, of in (("itself", rows[:1]), ("category", rows[1:])):
        values = []
        for row in of:
            price, bucket = (made.catalog.get(n, rows[:1])[0].item() for n in ("price", "price_bucket"))
            theirs = made.catalog.get("category", np.array([row]))[0].item() if group == "category" else category
            twin = twins.catalog.put(
                Item(first, category=theirs, price=price, price_bucket=bucket, content=content, **same)
            )
            found, _ = probabilities(
                made.models, loaded, twins.catalog, np.array([twin]), page.visitor, page.moment, FEED
            )
            values.append(found["click"][0])
        by_hand[group] = np.mean(values)
    factor = by_hand["itself"] / by_hand["category"]
    of_category = [m.factor for m in told if m.feature == "category"]
    assert of_category == pytest.approx([factor], rel=1e-4) if abs(np.log(factor)) > 0.02 else of_category == []
