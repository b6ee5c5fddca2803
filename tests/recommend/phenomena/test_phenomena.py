"""Each phenomenon's number follows its own knob, and no other one; what a log does not say is said."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import Log, estimate
from recommend.phenomena.table import NINE, Finding, as_json, findings

ROWS, USERS, CATEGORIES, DAYS = 40_000, 400, 12, 10
NAMES = [p.name for p in NINE]
SHORT = ("ecad", "copr", "rec4ad")
ALIKE = 1.75  # half-widths: 95 % for all of the 72 comparisons together (Bonferroni)


def tastes(rng, like: np.ndarray | None = None) -> np.ndarray:
    """(users, categories) bool: three in ten; those of ``like`` where it is given."""
    drawn = rng.random((USERS, CATEGORIES)) < 0.3
    return drawn if like is None else like


def impressions(on: str) -> dict[str, np.ndarray]:
    """Rows with every column; ``on`` names the one phenomenon that is there."""
    rng = np.random.default_rng(1)
    user, category = rng.integers(0, USERS, ROWS), rng.integers(0, CATEGORIES, ROWS)
    item, day = rng.integers(0, 100, ROWS), np.sort(rng.integers(0, DAYS, ROWS))
    starved = (item < 50) & (rng.random(ROWS) < 0.9)
    single = item < 50
    if on == "msnet":
        item, single = np.where(starved, item + 50, item), single & ~starved
    rare = rng.random(ROWS) < 0.8
    if on == "one_epoch":
        item, single = np.where(rare, 1000 + np.arange(ROWS), item), np.where(rare, rng.random(ROWS) < 0.5, single)
    entity, channel = (rng.random(ROWS) < 0.3).astype(int), (rng.random(ROWS) < 0.3).astype(int)
    channel[entity == 1] = 0
    plain, posts, ads = tastes(rng), tastes(rng), tastes(rng)
    posts, ads = tastes(rng, plain if on == "mkt" else posts), tastes(rng, plain if on == "keep" else ads)
    likes = np.select([entity == 1, channel == 1], [posts[user, category], ads[user, category]], plain[user, category])
    uniform = rng.random(ROWS) < 0.4
    level = 0.05 + 0.2 * category / CATEGORIES
    selected = level if on != "rec4ad" else 0.05 + 0.2 * ((category * 5) % CATEGORIES) / CATEGORIES
    p = np.where(uniform, level, 1.3 * selected) + 0.35 * likes
    click = rng.random(ROWS) < p
    promotion = day % 2
    uplift = np.where(on == "hdr", np.where(category % 2 == 0, 0.7, -0.7), 0.1) * promotion
    order = click & (rng.random(ROWS) < 0.25 * np.exp(uplift))
    signal = rng.normal(size=(ROWS, 2)) + (0.7 if on == "clid" else 0.0) * click[:, None]
    return {
        "impression_id": np.arange(ROWS),
        "request_id": np.arange(ROWS) // 8,
        "time_ms": day * 86_400_000 + np.arange(ROWS),
        "day": day,
        "user_id": user,
        "item_id": item,
        "single": single,
        "category": category,
        "entity": entity,
        "channel": channel,
        "policy": np.where(uniform, 2, 0),
        "promotion": promotion,
        "privileged": signal,
        "click": click,
        "order": order,
    }


def put(root: Path, table: str, columns: dict[str, np.ndarray]) -> None:
    path = root / table / "day=000" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({n: list(v) if v.ndim > 1 else v for n, v in columns.items()}), path)


def planted(root: Path, on: str) -> Path:
    """A log in which one phenomenon is there, or none."""
    rows, rng = impressions(on), np.random.default_rng(2)
    put(root, "impression", rows)
    orders = {n: rows[n][rows["order"]] for n in ("user_id", "item_id", "time_ms")}
    put(root, "order", orders)
    back = rng.random(len(orders["user_id"])) < (0.25 if on == "ecad" else 0.02)
    put(root, "refund", {**{n: v[back] for n, v in orders.items()}, "delay_ms": np.ones(back.sum(), dtype=int)})
    many = 12_000
    bid = np.exp(rng.normal(0, 0.5, many))
    request = np.arange(many) // 60
    candidates = {"request_id": request, "user_id": request, "item_id": np.arange(many), "bid": bid}
    score = rng.uniform(0.01, 0.1, many)
    pre = score * np.exp(rng.normal(0, 1.0 if on == "copr" else 0.01, many))
    put(root, "candidate", {**candidates, "rank_score": score, "pre_score": pre})
    return root


@cache
def measured(folder: Path, on: str) -> dict[str, Finding]:
    return {f.phenomenon.name: f for f in findings(planted(folder / (on or "none"), on))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("phenomena")


def moved(one: Estimate, two: Estimate) -> float:
    """The difference of two estimates in half-widths of their intervals."""
    return abs(one.value - two.value) / max(np.hypot(one.high - one.value, two.high - two.value), 1e-9)


@pytest.mark.parametrize("on", [pytest.param(n, marks=[pytest.mark.nightly] * (n not in SHORT)) for n in NAMES])
def test_a_knob_moves_its_own_number_and_no_other(folder, on):
    without, with_it = measured(folder, ""), measured(folder, on)
    assert with_it[on].verdict == "can pay", with_it[on]
    far = {n: moved(without[n].estimate, with_it[n].estimate) for n in NAMES}
    assert far.pop(on) > 2
    assert max(far.values()) < ALIKE, far


def test_where_nothing_is_on_nothing_can_pay(folder):
    measured_of = measured(folder, "")
    assert {n: f.verdict for n, f in measured_of.items() if f.verdict == "can pay"} == {}
    for name in ("mkt", "keep", "clid", "hdr", "rec4ad"):
        p, e = measured_of[name].phenomenon, measured_of[name].estimate
        assert e.low <= p.off, measured_of[name]  # a spread below what chance makes comes out below 0
        assert e.high >= p.off or name in ("hdr", "rec4ad"), measured_of[name]


def test_what_a_log_lacks_is_said(tmp_path):
    put(tmp_path, "impression", {n: impressions("")[n] for n in ("user_id", "item_id", "click", "day")})
    measured_of = {f.phenomenon.name: f for f in findings(tmp_path)}
    assert [n for n, f in measured_of.items() if f.estimate] == ["one_epoch"]
    assert measured_of["ecad"].sentence() == "cannot be told from this log: no table of orders."
    assert measured_of["msnet"].sentence() == "cannot be told from this log: no column 'single'."
    assert "has little to do" in measured_of["one_epoch"].sentence()
    assert json.loads(json.dumps([as_json(f) for f in measured_of.values()]))[5]["verdict"] == "cannot be told"


def test_the_interval_covers_the_truth_as_often_as_it_says(tmp_path):
    rng, covered = np.random.default_rng(3), 0
    for _ in range(300):
        of_group = 0.3 + 0.1 * rng.normal(size=40)  # rows of a user belong together
        hits, rows = rng.binomial(50, of_group.clip(0, 1)), np.full(40, 50)
        e = estimate(np.stack([hits, rows], 1).astype(float), lambda s: s[0] / s[1], "")
        covered += e.low <= 0.3 <= e.high
    assert 0.92 <= covered / 300 <= 0.98


def test_a_folder_without_a_log(tmp_path):
    with pytest.raises(ValueError, match="no log in"):
        Log(tmp_path)


def test_few_users_make_wide_intervals_and_are_said(tmp_path):
    """With three users, all users are three groups, whatever the number of rows: 2 degrees of freedom."""
    rng = np.random.default_rng(0)
    data = {"user_id": np.repeat([11, 12, 13], 50), "item_id": rng.integers(0, 20, 150), "day": np.zeros(150, int)}
    put(tmp_path, "impression", {**data, "click": np.ones(150, bool)})
    measured_of = {f.phenomenon.name: f for f in findings(tmp_path)}["one_epoch"]
    many = np.bincount(data["item_id"], minlength=20)[data["item_id"]] < 10
    without = np.array([many[data["user_id"] != u].mean() for u in (11, 12, 13)])
    error = np.sqrt(2 / 3 * ((without - without.mean()) ** 2).sum())
    assert measured_of.estimate.high - measured_of.estimate.value == pytest.approx(4.3027 * error, rel=1e-3)
    assert measured_of.estimate.groups == 3
    assert "of 3 groups only, so that the interval is rough" in measured_of.sentence()
    put(tmp_path / "one", "impression", {**{n: v[:50] for n, v in data.items()}, "click": np.ones(50, bool)})
    assert {f.phenomenon.name: f for f in findings(tmp_path / "one")}["one_epoch"].missing == "one user only"


def test_few_orders_of_which_none_came_back_leave_it_open(tmp_path):
    """Of 29 the rate may be .119 (exact, 95 %); of 10,000 it is absent."""
    for many, verdict, high in ((29, "open", 0.119), (10_000, "absent", 0.00037)):
        root, users = tmp_path / str(many), np.arange(many)
        put(root, "impression", {"user_id": users, "item_id": users, "day": users * 0, "click": users >= 0})
        put(root, "order", {"user_id": users, "item_id": users, "time_ms": users})
        put(root, "refund", {"user_id": users, "delay_ms": np.full(many, -1)})
        measured_of = {f.phenomenon.name: f for f in findings(root)}["ecad"]
        assert (measured_of.estimate.value, measured_of.verdict) == (0.0, verdict)
        assert measured_of.estimate.high == pytest.approx(high, rel=0.01)
