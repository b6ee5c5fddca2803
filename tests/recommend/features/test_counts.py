"""Features that are made of the log: they know nothing of their own hour, and say online what they say offline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recommend.config import ConfigError
from recommend.data.ragged import Ragged, Repeated
from recommend.data.schema import day_file
from recommend.features.counts import HOUR_MS, PRIOR, Counts, LiveCounts
from recommend.features.encoders import with_derived
from recommend.features.feature_map import COUNTED, Feature, FeatureMap, impression_map
from recommend.features.matches import match
from tests.recommend import tiny

IDS = ("user_id", "item_id", "category", "seller_id")
FEATURES = FeatureMap(features=(*(Feature(column=n, role="context") for n in IDS), *COUNTED))


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


def test_a_rows_counts_are_those_of_earlier_hours(tmp_path: Path) -> None:
    data = random_log()
    counted = Counts.read(written(tmp_path, data), FEATURES)(data)["user_id x category count"]
    hour = data["time_ms"] // HOUR_MS
    for n in range(len(hour)):
        before = hour < hour[n]
        same = before & (data["user_id"] == data["user_id"][n]) & (data["category"] == data["category"][n])
        valid = min(int(data["user_id"][n]), int(data["category"][n])) >= 0
        rows, clicks = (int((same & of).sum()) * valid for of in (before, data["click"]))
        mean = (int((before & data["click"]).sum()) + 0.5) / (int(before.sum()) + 1)
        rate = (clicks + PRIOR * mean) / (rows + PRIOR)
        expected = [np.log1p(rows) / 4, np.log(rate / (1 - rate)) - np.log(mean / (1 - mean))]
        assert counted[n].tolist() == pytest.approx(expected, abs=1e-5)


def test_no_label_of_a_rows_own_hour_or_later_is_in_its_counts(tmp_path: Path) -> None:
    data = random_log()
    late = data["time_ms"] // HOUR_MS >= 24
    other = {**data, "click": torch.where(late, ~data["click"], data["click"])}
    one, two = (Counts.read(written(tmp_path / str(n), d), FEATURES)(data) for n, d in enumerate((data, other)))
    first = data["time_ms"] // HOUR_MS <= 24
    for feature in COUNTED:
        assert torch.equal(one[feature.column][first], two[feature.column][first])
        assert not torch.equal(one[feature.column][~first], two[feature.column][~first])


def test_a_label_that_comes_true_later_counts_from_the_next_day_on(tmp_path: Path) -> None:
    data = random_log()
    day = torch.where(data["click"], data["time_ms"] // (24 * HOUR_MS), -1)
    log = written(tmp_path, {**data, "click_day": day})
    same_day = data["time_ms"] // HOUR_MS < 24
    counted = Counts.read(log, FEATURES)(data)["item_id count"]
    assert bool((counted[same_day, 0] > 0).any())  # rows are counted by the hour
    assert bool((counted[same_day, 1] <= 1e-6).all())  # and none of their clicks yet


def test_a_click_counts_from_the_hour_after_its_own_where_the_log_tells_it(tmp_path: Path) -> None:
    data = random_log() | {"impression_id": torch.arange(400)}
    late = data["time_ms"] + 2 * HOUR_MS  # everybody clicks two hours later
    log, at = written(tmp_path, data), data["click"].nonzero().squeeze(1).flip(0)
    tiny.write(day_file(log, "click", 0), {"impression_id": at, "time_ms": late[at]})
    counted = Counts.read(log, FEATURES)(data)["item_id count"]
    hour = data["time_ms"] // HOUR_MS
    for n in range(0, 400, 7):
        before, clicked = hour < hour[n], data["click"] & (late // HOUR_MS < hour[n])
        same = (data["item_id"] == data["item_id"][n]) & (data["item_id"][n] >= 0)
        rows, clicks = int((same & before).sum()), int((same & clicked).sum())
        mean = (int(clicked.sum()) + 0.5) / (int(before.sum()) + 1)
        rate = (clicks + PRIOR * mean) / (rows + PRIOR)
        expected = [np.log1p(rows) / 4, np.log(rate / (1 - rate)) - np.log(mean / (1 - mean))]
        assert counted[n].tolist() == pytest.approx(expected, abs=1e-5)


def test_rows_of_a_policy_can_be_left_out(tmp_path: Path) -> None:
    data = random_log() | {"policy": torch.arange(400) % 2}
    part = {n: v[data["policy"] == 0] for n, v in data.items()}
    without = Counts.read(written(tmp_path / "all", data), FEATURES, ("policy", 1))(data)
    alone = Counts.read(written(tmp_path / "part", part), FEATURES)(data)
    assert all(torch.equal(without[f.column], alone[f.column]) for f in COUNTED)


def test_counts_of_a_feed_are_those_of_its_log_to_the_bit(tmp_path: Path) -> None:
    data = random_log(1)
    offline, live = Counts.read(written(tmp_path, data), FEATURES)(data), LiveCounts(COUNTED)
    for n, time in enumerate(data["time_ms"].tolist()):
        ids = {name: data[name][n : n + 1] for name in IDS}
        counted = live(ids, time)
        for feature in COUNTED:
            assert torch.equal(counted[feature.column], offline[feature.column][n : n + 1])
        for clicked in (False, True)[: 1 + bool(data["click"][n])]:
            live.add({name: v.numpy() for name, v in ids.items()}, time, clicked)


def test_the_order_in_which_a_feed_hears_of_its_rows_changes_no_count() -> None:
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


def test_a_match_of_one_visitor_is_that_of_as_many_equal_histories() -> None:
    past, candidates = torch.tensor([3, 1, 1, 4]), torch.tensor([1, 4, 9, -1])
    counted = match(candidates, Repeated(past, 4))
    assert counted.tolist() == match(candidates, Ragged.of([past.tolist()] * 4)).tolist()
    assert counted[0].tolist() == pytest.approx([np.log(3), 1 / 2, 2 / 4])
    assert counted[1].tolist() == pytest.approx([np.log(2), 1, 1 / 4])
    assert not counted[2:].any()
    assert not match(candidates, Repeated(past[:0], 4)).any()
    assert not match(torch.tensor([-1]), Ragged.of([[-1]])).any()  # two unknown things are not the same


def test_a_match_reads_the_history_that_the_model_reads() -> None:
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


def test_what_a_made_feature_is_made_of_must_be_there() -> None:
    item = {"column": "item_id", "role": "target"}
    for wrong, message in (
        ({"column": "m", "role": "target", "kind": "match", "inputs": "history_item"}, "made of history_item"),
        ({"column": "c", "role": "target", "kind": "count", "inputs": ["shop"]}, "made of shop"),
        ({"column": "c", "role": "target", "kind": "count"}, "needs 'inputs'"),
        ({"column": "c", "role": "history", "kind": "count", "inputs": ["item_id"]}, "role target or context"),
        ({"column": "c", "role": "target", "kind": "count", "inputs": ["click"]}, "made of click"),
    ):
        with pytest.raises(ConfigError, match=message):
            FeatureMap.of({"features": [item, wrong]})
