"""Encoders, feature maps, joined vectors; counts, which know nothing of their own hour and are the same online."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pydantic import ValidationError

from recommend.config import ConfigError
from recommend.data.parquet import DataError
from recommend.data.ragged import Ragged, Repeated, slice_batch
from recommend.data.schema import columns, conform, day_file
from recommend.features.content_join import Contents
from recommend.features.counts import HOUR_MS, PRIOR, Counts, LiveCounts
from recommend.features.encoders import Encoders, Sample, with_derived
from recommend.features.feature_map import COUNTED, Feature, FeatureMap, impression_map
from recommend.features.matches import match
from tests.recommend.support import tiny

TARGET = Feature(column="item_id", role="target")
IDS = ("user_id", "item_id", "category", "seller_id")
LOGGED = FeatureMap(features=(*(Feature(column=n, role="context") for n in IDS), *COUNTED))


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return Encoders.fit(tiny.FEATURES, [slice_batch(tiny.columns(400), a, a + 100) for a in range(0, 400, 100)])


def test_ids_outside_of_the_window_are_unknown(encoders: Encoders) -> None:
    window = tiny.columns(400)
    distinct = window["item_id"].unique()
    assert encoders.sizes()["item_id"] == len(distinct) + 1
    assert encoders.row("item_id", distinct).tolist() == list(range(1, len(distinct) + 1))
    assert encoders.row("item_id", torch.tensor([10**12, -1])).tolist() == [0, 0]


def test_the_vocabulary_does_not_tell_what_was_clicked() -> None:
    """Both things were shown once; the clicked one stands in later histories and must not become known by it."""
    features = FeatureMap(features=(TARGET, Feature(column="history_item", role="history", match="item_id")))
    batch = {
        "item_id": torch.tensor([1, 2, 3, 3]),
        "history_item": Ragged.of([[], [1], [1], [1]]),
        "click": torch.tensor([1, 0, 0, 0]),
    }
    encoded = Encoders.fit(features, [batch], min_count=2)(batch)
    assert encoded["item_id"].tolist() == [0, 0, 1, 1]


def test_saved_encoders_are_the_same(encoders: Encoders, tmp_path) -> None:
    encoders.save(tmp_path)
    again = Encoders.load(tmp_path)
    first, second = encoders(tiny.columns(60, seed=2)), again(tiny.columns(60, seed=2))
    assert again.features == encoders.features
    assert all(tiny.same(first[name], second[name]) for name in first)
    (tmp_path / "scales.json").write_text("{")
    with pytest.raises(DataError, match="no readable encoders"):
        Encoders.load(tmp_path)


def test_an_empty_window_or_missing_column_is_refused(encoders: Encoders) -> None:
    with pytest.raises(DataError, match="training window is empty"):
        Encoders.fit(tiny.FEATURES, [])
    batch = tiny.columns(5)
    del batch["price"]
    with pytest.raises(DataError, match="lack the column 'price'"):
        encoders(batch)


def test_maps_that_leak_or_cannot_work_are_refused() -> None:
    order, x = (Feature(column=name, role="context") for name in ("order", "x"))
    past = {"column": "h", "role": "history"}
    for features, labels, sentence in (
        ((order,), ("click",), "order is a label or"),
        ((x,), ("x",), "x is a label or"),
        ((TARGET, TARGET), ("click",), "stands in two features"),
        ((TARGET, Feature(**past, match="category")), ("click",), "needs 'match'"),
        ((TARGET, Feature(**past, match="item_id", table="own")), ("click",), "use the table"),
        ((TARGET, Feature(**past, match="item_id", kind="number")), ("click",), "kind and size"),
    ):
        with pytest.raises(ValidationError, match=sentence):
            FeatureMap(features=features, labels=labels)
    target = {"column": "price", "role": "target"}
    for wrong, sentence in (
        ({**target, "kind": "number", "buckets": 4}, "either buckets or edges, and is of kind id"),
        ({**target, "edges": [2.0, 1.0]}, "must ascend"),
        ({**target, "cross": ["user"]}, "crosses two columns or more"),
        ({"column": "x", "role": "target", "cross": ["price", "nobody"]}, "crosses nobody"),
        ({"column": "dwell_s", "role": "target", "kind": "number"}, "known after the request"),
        ({"column": "order_day", "role": "target"}, "known after the request"),
        ({"column": "m", "role": "target", "kind": "match", "inputs": "history_item"}, "made of history_item"),
        ({"column": "c", "role": "target", "kind": "count", "inputs": ["shop"]}, "made of shop"),
        ({"column": "c", "role": "target", "kind": "count"}, "needs 'inputs'"),
        ({**past, "kind": "count", "inputs": ["price"]}, "role target or context"),
        ({"column": "c", "role": "target", "kind": "count", "inputs": ["click"]}, "made of click"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            FeatureMap.of({"features": [target, wrong]})


def test_the_map_of_logs_reads_nothing_later() -> None:
    inputs = {name for f in impression_map(content=16).features for name in f.sources}
    assert inputs <= set(columns("impression", "request"))


def test_content_joins_targets_posts_and_histories(tmp_path: Path) -> None:
    for table, of in {"item": {7: [1.0, 2.0], 3: [3.0, 4.0]}, "post": {0: [5.0, 6.0]}}.items():
        path = day_file(tmp_path, table, 0)
        path.parent.mkdir(parents=True)
        values = dict.fromkeys(columns(table), [0] * len(of)) | {f"{table}_id": list(of), "content": list(of.values())}
        pq.write_table(conform(table, values), path)
    features = impression_map(content=2)
    assert "content" not in features.columns
    assert {"item_id", "post_id", "history_item"} <= set(features.columns)
    batch = {
        "item_id": torch.tensor([3, 7, 99, -1]),
        "post_id": torch.tensor([-1, 0, -1, -1]),
        "history_item": Ragged.of([[7], [], [3, 99], []]),
    }
    joined = Contents.read(tmp_path, features)(batch)
    assert joined["content"].tolist() == [[3, 4], [5, 6], [0, 0], [0, 0]]
    assert joined["history_content"].values.tolist() == [[1, 2], [3, 4], [0, 0]]
    assert joined["history_content"].lengths.tolist() == [1, 0, 2, 0]
    with pytest.raises(DataError, match="do not hold 3 numbers"):
        Contents.read(tmp_path, impression_map(content=3))
    with pytest.raises(DataError, match="no table 'post'"):
        Contents.read(tmp_path / "none", features)


def test_buckets_are_quantiles_of_the_training_days():
    shared = {"kind": "id", "buckets": 4}
    features = FeatureMap(
        features=(
            Feature(column="price", role="target", **shared),
            Feature(column="history_price", role="history", match="price", **shared),
            Feature(column="age", role="context", kind="id", edges=(18.0, 30.0)),
        )
    )
    price = torch.arange(100.0)
    history = Ragged.of([[0.0, 99.0]] + [[]] * 99, torch.float32)
    data = {"price": price, "history_price": history, "age": torch.full((100,), 20)}
    encoders = Encoders.fit(features, [data])
    encoded_data = encoders(data)
    assert encoded_data["price"].bincount().tolist() == [0, 25, 25, 25, 25], "row 0 is for what is no number"
    assert encoded_data["history_price"].values.tolist() == [1, 4], "a history shares the buckets"
    ages = torch.tensor([17, 18, 29, 30])
    assert encoders.encoded(features.features[2], ages).tolist() == [1, 2, 2, 3]
    assert encoders.encoded(features.features[0], torch.tensor([float("nan"), 1e9, -1e9])).tolist() == [0, 4, 1]
    assert encoders.sizes() == {"price": 5, "age": 4}


def test_a_sample_of_a_stream_keeps_its_quantiles():
    sample, values = Sample(most=1_000), torch.randperm(50_000, generator=torch.Generator().manual_seed(0)).float()
    for part in values.split(777):
        sample.add(part)
    assert sample.count <= 1_000
    assert (sample.edges(10) / 5_000 - torch.arange(1, 10)).abs().max() < 0.5
    constant = Sample()
    constant.add(torch.zeros(10))
    assert constant.edges(10).tolist() == [0.0]


def test_numbers_are_scaled_as_declared():
    numbers = [Feature(column=s, role="target", kind="number", scale=s) for s in ("log", "standard", "none")]
    data = {s: torch.tensor([0.0, 10.0, 1000.0, 5.0]) for s in ("log", "standard", "none")}
    encoded_data = Encoders.fit(FeatureMap(features=tuple(numbers)), [data])(data)
    assert encoded_data["none"].tolist() == [0.0, 10.0, 1000.0, 5.0]
    plain = data["standard"]
    assert torch.allclose(encoded_data["standard"], (plain - plain.mean()) / plain.std(correction=0), atol=1e-5)
    assert torch.allclose(encoded_data["log"].mean(), torch.tensor(0.0), atol=1e-5)
    assert (encoded_data["log"] - encoded_data["standard"]).abs().max() > 0.1


def test_a_cross_is_an_id_of_ids_together():
    features = FeatureMap(
        features=(
            Feature(column="user", role="context"),
            Feature(column="hour", role="context"),
            Feature(column="user x hour", role="context", cross=("user", "hour")),
        ),
        min_count=1,
    )
    assert features.columns == ["user", "hour", "click", "user_id"], "it is no column of the log"
    user, hour = torch.meshgrid(torch.arange(-1, 99), torch.arange(24), indexing="ij")
    data = {"user": user.flatten(), "hour": hour.flatten()}
    encoders = Encoders.fit(features, [data])
    assert encoders.sizes()["user x hour"] == 2_401
    rows = encoders(data)["user x hour"]
    assert len(rows.unique()) == 2_400
    assert encoders({"user": torch.tensor([5, 500]), "hour": torch.tensor([7, 7])})["user x hour"].tolist() == [
        int(rows[6 * 24 + 7]),
        0,
    ]


def random_log(seed: int = 0, rows: int = 400) -> dict[str, torch.Tensor]:
    """Rows of twelve hours on two days, in the order of time."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(18 * HOUR_MS, 30 * HOUR_MS, rows))
    data = {n: rng.integers(-1, 8, rows) for n in IDS}
    data |= {"time_ms": time, "hour": time // HOUR_MS % 24, "click": rng.random(rows) < 0.3}
    return {n: torch.from_numpy(v) for n, v in data.items()}


def written(root: Path, data: dict[str, torch.Tensor]) -> Path:
    day = data["time_ms"] // (24 * HOUR_MS)
    for number in day.unique().tolist():
        part = {n: v[day == number] for n, v in data.items()}
        tiny.write(day_file(root, "impression", number), part)
    return root


def expected(rows: int, clicks: int, all_rows: int, all_clicks: int) -> list[float]:
    """The count and the smoothed rate of an entity, by their definitions."""
    mean = (all_clicks + 0.5) / (all_rows + 1)
    rate = (clicks + PRIOR * mean) / (rows + PRIOR)
    return pytest.approx([np.log1p(rows) / 4, np.log(rate / (1 - rate)) - np.log(mean / (1 - mean))], abs=1e-5)


def test_a_rows_counts_are_those_of_earlier_hours(tmp_path: Path) -> None:
    data = random_log()
    counted = Counts.read(written(tmp_path, data), LOGGED)(data)["user_id x category count"]
    hour = data["time_ms"] // HOUR_MS
    for n in range(len(hour)):
        before = hour < hour[n]
        same = before & (data["user_id"] == data["user_id"][n]) & (data["category"] == data["category"][n])
        same &= min(data["user_id"][n], data["category"][n]) >= 0
        clicks = before & data["click"]
        assert counted[n].tolist() == expected(*(int(at.sum()) for at in (same, same & clicks, before, clicks)))


def test_counts_hold_no_label_from_their_hour_on(tmp_path: Path) -> None:
    data = random_log()
    late = data["time_ms"] // HOUR_MS >= 24
    other = {**data, "click": torch.where(late, ~data["click"], data["click"])}
    one, two = (Counts.read(written(tmp_path / str(n), d), LOGGED)(data) for n, d in enumerate((data, other)))
    first = data["time_ms"] // HOUR_MS <= 24
    for feature in COUNTED:
        assert torch.equal(one[feature.column][first], two[feature.column][first])
        assert not torch.equal(one[feature.column][~first], two[feature.column][~first])


def test_a_later_label_counts_from_the_next_day(tmp_path: Path) -> None:
    data = random_log()
    day = torch.where(data["click"], data["time_ms"] // (24 * HOUR_MS), -1)
    log = written(tmp_path, {**data, "click_day": day})
    same_day = data["time_ms"] // HOUR_MS < 24
    counted = Counts.read(log, LOGGED)(data)["item_id count"]
    assert bool((counted[same_day, 0] > 0).any())  # rows are counted by the hour
    assert bool((counted[same_day, 1] <= 1e-6).all())  # and none of their clicks yet


def test_a_click_counts_from_the_next_hour(tmp_path: Path) -> None:
    data = random_log() | {"impression_id": torch.arange(400)}
    late = data["time_ms"] + 2 * HOUR_MS  # everybody clicks two hours later
    log, at = written(tmp_path, data), data["click"].nonzero().squeeze(1).flip(0)
    tiny.write(day_file(log, "click", 0), {"impression_id": at, "time_ms": late[at]})
    counted = Counts.read(log, LOGGED)(data)["item_id count"]
    hour = data["time_ms"] // HOUR_MS
    for n in range(0, 400, 7):
        before, clicks = hour < hour[n], data["click"] & (late // HOUR_MS < hour[n])
        same = (data["item_id"] == data["item_id"][n]) & (data["item_id"][n] >= 0)
        assert counted[n].tolist() == expected(
            *(int(at.sum()) for at in (same & before, same & clicks, before, clicks))
        )


def test_rows_of_a_policy_can_be_left_out(tmp_path: Path) -> None:
    data = random_log() | {"policy": torch.arange(400) % 2}
    part = {n: v[data["policy"] == 0] for n, v in data.items()}
    without = Counts.read(written(tmp_path / "all", data), LOGGED, ("policy", 1))(data)
    alone = Counts.read(written(tmp_path / "part", part), LOGGED)(data)
    assert all(torch.equal(without[f.column], alone[f.column]) for f in COUNTED)


def test_counts_online_are_those_offline(tmp_path: Path) -> None:
    data = random_log(1)
    offline, live = Counts.read(written(tmp_path, data), LOGGED)(data), LiveCounts(COUNTED)
    for n, time in enumerate(data["time_ms"].tolist()):
        ids = {name: data[name][n : n + 1] for name in IDS}
        counted = live(ids, time)
        for feature in COUNTED:
            torch.testing.assert_close(counted[feature.column], offline[feature.column][n : n + 1])
        for clicked in (False, True)[: 1 + bool(data["click"][n])]:
            live.add({name: v.numpy() for name, v in ids.items()}, time, clicked)


def test_the_order_of_events_changes_no_count() -> None:
    data = random_log(2)
    events = [(n, clicked) for clicked in (False, True) for n in range(len(data["click"]))]
    events = [(n, clicked) for n, clicked in events if not clicked or data["click"][n]]
    live, late = LiveCounts(COUNTED), LiveCounts(COUNTED)
    for of, order in ((live, sorted(events)), (late, events)):  # by time, and all rows before all clicks
        for n, clicked in order:
            of.add({name: data[name][n : n + 1].numpy() for name in IDS}, int(data["time_ms"][n]), clicked)
    last = int(data["time_ms"][-1])
    ids = {name: data[name] for name in IDS}
    for now in (last, last + HOUR_MS):  # with and without a last hour that must wait
        one, two = live(ids, now), late(ids, now)
        assert all(torch.equal(one[f.column], two[f.column]) for f in COUNTED)
    assert bool((one["item_id count"][:, 1] > 0).any())


def test_a_match_with_shared_history_is_each_rows() -> None:
    past, candidates = torch.tensor([3, 1, 1, 4]), torch.tensor([1, 4, 9, -1])
    counted = match(candidates, Repeated(past, 4))
    assert counted.tolist() == match(candidates, Ragged.of([past.tolist()] * 4)).tolist()
    assert counted[0].tolist() == pytest.approx([np.log(3), 1 / 2, 2 / 4])
    assert counted[1].tolist() == pytest.approx([np.log(2), 1, 1 / 4])
    assert not counted[2:].any()
    assert not match(candidates, Repeated(past[:0], 4)).any()
    assert not match(torch.tensor([-1]), Ragged.of([[-1]])).any()  # two unknown things are not the same


def test_a_match_reads_the_models_history() -> None:
    features = impression_map(history=2)
    past = Ragged.of([[5, 6, 7]])
    batch = {
        "item_id": torch.tensor([5]),
        "category": torch.tensor([7]),
        "history_item": past,
        "history_category": past,
    }
    derived = with_derived(features, batch)
    assert not derived["item_id in history"].any()
    assert derived["category in history"][0].tolist() == pytest.approx([np.log(2), 1, 1 / 2])
