"""World 2, people too: same seed, same bytes; probabilities that hold; nothing of future or truth in training."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.cli.main import main
from recommend.config import ModelConfig, TrainConfig
from recommend.data.oracle import OracleSealed, no_oracle, open_oracle
from recommend.data.ragged import array_of
from recommend.data.schema import CHANNELS, POLICIES, table_files
from recommend.research import headroom
from recommend.research.world import KNOBS, KnobError, WorldConfig, make_config, write_world
from recommend.research.world.impressions import ITEM, Impressions
from recommend.research.world.read import WorldStream, world_map
from recommend.research.world.stored import store_histories
from recommend.simulation.config import DAY_MS
from recommend.simulation.live import Live, Offers
from recommend.training.runs import plan, train_run
from tests.recommend.support.imports import table

SIZES = {"impressions": 40_000, "days": 8, "promotion_first": 2, "promotion_days": 1, "promotion_every": 9}
SMALL = {"impressions": 4_000, "days": 2}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("world")
    write_world(root, seed=3, knobs=SIZES)
    return root


def read(root: Path, name: str) -> dict[str, np.ndarray]:
    rows = table(root / "log", name)
    return {n: rows[n].to_numpy() for n in rows.column_names if not pa.types.is_list(rows[n].type)}


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    one, same, other = (
        write_world(tmp_path / name, seed=seed, knobs=SMALL)["files"]
        for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    assert one == same
    assert other["log/impression/day=000/part-0.parquet"] != one["log/impression/day=000/part-0.parquet"]


def test_labels_follow_the_true_probabilities(world):
    rows = headroom.rows(world, ("click", "order", "refund", "entity"), ("p_click", "p_order", "p_refund", "p_cart"))
    for label, at in (("click", rows["click"] >= 0), ("refund", rows["order"])):
        y, q = rows[label][at].astype(float), rows[f"p_{label}"][at].astype(float)
        assert abs(y.mean() - q.mean()) < 4 * np.sqrt((q * (1 - q)).sum()) / len(q)
        top = q > np.median(q)
        assert y[top].mean() > y[~top].mean()
    wished = rows["p_order"][rows["click"] & (rows["entity"] == 0)]
    lost = wished.sum() - rows["order"].sum()  # single pieces that somebody else got first
    assert -4 * np.sqrt(wished.sum()) < lost < 0.3 * wished.sum()


def test_channels_entities_and_policies_are_what_they_say(world):
    rows = read(world, "impression")
    video, ads = (rows["channel"] == CHANNELS.index(name) for name in ("video", "ads"))
    assert (video == (rows["post_id"] >= 0)).all()
    assert (video == (rows["item_id"] < 0)).all()
    assert not rows["order"][video].any()
    assert (rows["is_ad"] == ads).all()
    assert ads.mean() == pytest.approx(0.12, abs=0.02)
    uniform = rows["policy"] == POLICIES.index("uniform")
    assert not uniform[~ads].any()
    assert uniform[ads].mean() == pytest.approx(WorldConfig().uniform_share, abs=0.06)


def test_events_are_the_labels_and_come_later(world):
    rows = read(world, "impression")
    since = rows["time_ms"]
    for name in ("click", "order", "refund"):
        events = read(world, name)
        assert sorted(events["impression_id"]) == np.flatnonzero(rows[name]).tolist()
        assert (events["delay_ms"] > 0).all()
        assert (events["time_ms"] - events["delay_ms"] == since[events["impression_id"]]).all()
        since = np.zeros(len(rows["day"]), dtype=np.int64)
        since[events["impression_id"]] = events["time_ms"]
    assert read(world, "order")["time_ms"].max() > SIZES["days"] * DAY_MS  # the log goes on after the last page


def test_things_are_shown_between_listing_and_leaving(world):
    simulated = Impressions(make_config(SIZES), 3)
    items, posts = simulated.truth.items, simulated.truth.posts
    assert items.ad.mean() == pytest.approx(WorldConfig().ad_share, abs=0.02)
    for day, rows, _ in simulated.days():
        at = rows["entity"] == ITEM
        item, post = rows["item"][at], rows["post"][~at]
        assert ((items.listed[item] <= day) & (items.leaves[item] > day)).all()
        assert ((posts.created[post] <= day) & (posts.leaves[post] > day)).all()
    rows, listings = read(world, "impression"), read(world, "item")
    at = rows["item_id"] >= 0
    of = rows["item_id"][at]
    for name in ("single", "category", "brand", "condition", "price", "seller_id"):
        assert (rows[name][at] == listings[name][of]).all()  # of the listing, not of its future
    assert (rows["time_ms"][at] >= listings["listed_ms"][of]).all()


def test_a_single_piece_is_sold_once(world):
    rows, orders = read(world, "impression"), read(world, "order")
    sold = rows["single"].astype(bool) & rows["order"]
    assert sold.any()
    assert len(np.unique(rows["item_id"][sold])) == sold.sum()
    day = dict(zip(orders["item_id"], orders["time_ms"] // DAY_MS, strict=True))
    single = np.flatnonzero(rows["single"])
    assert not [i for i in single if rows["day"][i] > day.get(rows["item_id"][i], 10**9)]


def test_stored_histories_are_earlier_clicks_that_train(tmp_path):
    write_world(tmp_path / "w", seed=7, knobs=SIZES | {"impressions": 8_000, "days": 6})
    before = read(tmp_path / "w", "impression")
    assert store_histories(tmp_path / "w")["histories"] == 20
    after, clicks = read(tmp_path / "w", "impression"), read(tmp_path / "w", "click")
    assert all((after[n] == before[n]).all() for n in before)
    log = tmp_path / "w" / "log"
    past = table(log).select(["history_item", "history_single", "history_category", "history_post"])
    single, lengths = read(tmp_path / "w", "item")["single"], 0
    for i, lists in list(enumerate(past.to_pylist()))[::61]:
        mine = (clicks["user_id"] == after["user_id"][i]) & (clicks["time_ms"] < after["time_ms"][i])
        for name, column in (("history_item", "item_id"), ("history_post", "post_id")):
            at = np.flatnonzero(mine & (clicks[column] >= 0))
            at = at[np.argsort(clicks["time_ms"][at], kind="stable")][-20:]
            assert lists[name] == clicks[column][at].tolist()
            lengths += len(at)
        assert lists["history_single"] == single[lists["history_item"]].astype(int).tolist()
        assert len(lists["history_category"]) == len(lists["history_item"])
    assert lengths
    model, train = ModelConfig(name="din", embedding=4, mlp=(8,)), TrainConfig(batch_rows=512, threads=1)
    with no_oracle():
        assert train_run(log, plan(log, model, train, ("click",), 1), tmp_path / "run").rows > 5_000


def test_a_stream_goes_on_where_a_position_says(world):
    whole = WorldStream(world / "log", (2, 4), ["impression_id"], batch_rows=1_500)
    every = list(whole.with_positions())
    for at in (0, 1, len(every) - 2):
        rest = list(replace(whole, start=every[at][1]))
        for batch, (expected, _) in zip(rest, every[at + 1 :], strict=True):
            assert np.array_equal(array_of(batch["impression_id"]), array_of(expected["impression_id"]))


def test_the_log_holds_no_truth(world):
    truth = set(open_oracle(world, "impression/day=000")) | {"vector", "quality", "long", "intent", "taste"}
    for name in ("impression", "click", "order", "refund", "item", "user", "post"):
        assert not truth & set(pq.read_schema(table_files(world / "log", name)[0]).names)
    assert not list((world / "log").rglob("*.truth"))
    files = [f for f in (world / "oracle").rglob("*") if f.is_file()]
    assert files
    for file in files:
        with pytest.raises(pa.ArrowInvalid):
            pq.read_table(file)
    assert table_files(world / "oracle", "impression") == []
    with pytest.raises(FileNotFoundError, match="no truth 'lost'"):
        open_oracle(world, "lost")
    read_at_request = {f.column for f in world_map().features}
    assert not read_at_request & {"dwell_s", "privileged", "cart", "order", "refund", "policy"}


def test_sealed_training_opens_no_truth_in_any_thread(world):
    file = world / "oracle" / "impression" / "day=000.truth"
    caught: list[BaseException] = []

    def worker() -> None:
        try:
            open_oracle(world, "item")
        except OracleSealed as error:
            caught.append(error)

    with no_oracle():
        for attempt in (
            lambda: open_oracle(world, "impression/day=000"),
            file.read_bytes,
            lambda: np.fromfile(file, dtype=np.uint8),
            lambda: os.open(str(file).encode(), os.O_RDONLY),
        ):
            with pytest.raises(OracleSealed):
                attempt()
        thread = threading.Thread(target=worker)
        thread.start()
        thread.join()
        assert len(read(world, "click")["day"]) > 0  # the log stays readable
    assert len(caught) == 1
    assert len(open_oracle(world, "impression/day=000")["p_click"]) > 0


@pytest.mark.slow
def test_the_view_of_clicks_has_three_promotion_kinds(tmp_path):
    write_world(tmp_path, view="clicks", seed=1, knobs={"clicks": 20_000})
    truth = ("p_order", "p_order_without_promotion")
    rows = headroom.rows(tmp_path, ("click", "promotion", "promotion_kind", "day"), truth)
    assert rows["click"].all()
    assert rows["promotion"].max() >= 8
    assert set(rows["promotion_kind"]) == {-1, 0, 1, 2}
    plain, p, without = rows["promotion"] == 0, *(rows[name] for name in truth)
    assert np.allclose(p[plain], without[plain])
    assert p[~plain].mean() > 1.2 * without[~plain].mean()


def test_knobs_have_doses_and_bounds():
    with pytest.raises(KnobError, match="taste"):
        make_config({"tast": 1})
    with pytest.raises(KnobError, match="share"):
        make_config({"refund_rate": 1.5})
    for knob in KNOBS.values():
        assert getattr(WorldConfig(), knob.name) in knob.doses
        assert len(knob.doses) == 5
        for value in (knob.off, *knob.doses):
            make_config({knob.name: value})


@pytest.mark.parametrize("view", ["impressions", "clicks"])
def test_the_command_writes_a_view_with_histories(view, tmp_path, capsys):
    sizes = ("impressions=3000", "days=3", "clicks=900", "click_days=30")
    asked = ["--view", view, "--seed", "3", *(part for size in sizes for part in ("--set", size))]
    assert main(["recommend", "world", "--out", str(tmp_path / "w"), *asked]) == 0
    assert "impression" in capsys.readouterr().out
    file = table_files(tmp_path / "w" / "log", "impression")[-1]
    assert {"history_item", "history_category", "history_single"} <= set(pq.read_schema(file).names)


def test_what_cannot_be_written_is_one_sentence(tmp_path, capsys):
    assert main(["recommend", "world", "--out", str(tmp_path / "w"), "--set", "day=3"]) == 2
    assert "the nearest is 'days'" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()
    (tmp_path / "letter.txt").write_text("mine")
    for folder, why in ((tmp_path, "choose another"), (tmp_path / "letter.txt", "is a file")):
        with pytest.raises(FileExistsError, match=why):
            write_world(folder, knobs=SMALL)
    assert (tmp_path / "letter.txt").read_text() == "mine"


N, PEOPLE, DAYS = 600, 100, 20


def live(seed: int = 1, tops: tuple[int, ...] = (12, 6, 5, 8)) -> Live:
    rng = np.random.default_rng(0)
    offers = Offers(*(rng.integers(0, top, N) for top in tops), rng.normal(size=N).astype(np.float32))
    return Live(offers, PEOPLE, DAYS, seed, 0.05, 0.1, 0.2)


def ask(
    world: Live, user: np.ndarray, item: np.ndarray, place: int = 0, age: float = 0, ad: bool = False
) -> np.ndarray:
    many = len(user)
    return world.clicks(user, item, np.full(many, ad), np.full(many, place), np.full(many, age), 3)


def pairs() -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(PEOPLE), N), np.tile(np.arange(N), PEOPLE)


def test_rates_are_as_asked() -> None:
    world, (user, item) = live(), pairs()
    order, cart = world.orders(user, item, 3)
    assert ask(world, user, item).mean() == pytest.approx(0.05, rel=0.25)
    assert order.mean() == pytest.approx(0.1, rel=0.25)
    assert (cart > order).all()
    assert world.truth.refund(user, item).mean() == pytest.approx(0.2, rel=0.25)


def test_place_age_price_and_kind_move_clicks() -> None:
    world, (user, item) = live(), pairs()
    first = ask(world, user, item)
    assert (ask(world, user, item, place=5) < first).all()
    assert (ask(world, user, item, age=7) < first).all()
    alike = live(tops=(1, 1, 1, 1))
    price = alike.truth.items.price_z[item]
    of_price = ask(alike, user, item)
    assert of_price[price < -1].mean() > 1.1 * of_price[price > 1].mean()
    grid = first.reshape(PEOPLE, N)
    of_kind = np.stack([grid[:, world.truth.items.category[:N] == c].mean(1) for c in range(12)], 1)
    assert np.median(of_kind.max(1) / np.median(of_kind, axis=1)) > 4
    assert not np.array_equal(ask(world, user, item, ad=True), first)
