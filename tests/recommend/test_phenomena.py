"""Phenomena of a log: what it does not say is said, intervals are as wide as they must be, and what may be expected."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommend.phenomena import studies
from recommend.phenomena.log import Log, estimate
from recommend.phenomena.table import as_json, findings


def put(root: Path, table: str, columns: dict[str, np.ndarray]) -> None:
    path = root / table / "day=000" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)


def test_what_a_log_lacks_is_said(tmp_path):
    rng, rows = np.random.default_rng(1), 40_000
    columns = {"user_id": rng.integers(0, 400, rows), "item_id": rng.integers(0, 100, rows)}
    put(tmp_path, "impression", {**columns, "click": rng.random(rows) < 0.2, "day": np.arange(rows) // 4_000})
    measured_of = {f.phenomenon.name: f for f in findings(tmp_path)}
    assert [n for n, f in measured_of.items() if f.estimate] == ["one_epoch"]
    assert measured_of["ecad"].sentence() == "cannot be told from this log: no table of orders."
    assert measured_of["msnet"].sentence() == "cannot be told from this log: no column 'single'."
    assert "has little to do" in measured_of["one_epoch"].sentence()
    assert json.loads(json.dumps([as_json(f) for f in measured_of.values()]))[5]["verdict"] == "cannot be told"
    with pytest.raises(ValueError, match="no log in"):
        Log(tmp_path / "none")


def test_intervals_cover_the_truth_as_often_as_stated():
    rng, covered = np.random.default_rng(3), 0
    for _ in range(300):
        of_group = 0.3 + 0.1 * rng.normal(size=40)  # rows of a user belong together
        hits, rows = rng.binomial(50, of_group.clip(0, 1)), np.full(40, 50)
        e = estimate(np.stack([hits, rows], 1).astype(float), lambda s: s[0] / s[1], "")
        covered += e.low <= 0.3 <= e.high
    assert 0.92 <= covered / 300 <= 0.98


def test_few_users_make_wide_intervals(tmp_path):
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


def test_few_orders_without_refunds_leave_it_open(tmp_path):
    """Of 29 the rate may be .119 (exact, 95 %); of 10,000 it is absent, and where a quarter came back it can pay."""
    for many, back, verdict, high in (
        (29, 0, "open", 0.119),
        (10_000, 0, "absent", 0.00037),
        (2_000, 500, "can pay", 0.27),
    ):
        root, users = tmp_path / str(many), np.arange(many)
        put(root, "impression", {"user_id": users, "item_id": users, "day": users * 0, "click": users >= 0})
        put(root, "order", {"user_id": users, "item_id": users, "time_ms": users})
        put(root, "refund", {"user_id": users, "delay_ms": np.where(users < back, 1, -1)})
        measured_of = {f.phenomenon.name: f for f in findings(root)}["ecad"]
        assert (measured_of.estimate.value, measured_of.verdict) == (back / many, verdict)
        assert measured_of.estimate.high == pytest.approx(high, rel=0.02)


def test_a_gain_lies_between_those_of_the_doses(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(studies, "VERDICTS", tmp_path)
    assert studies.expected("ecad", 0.3) is None  # no study has run
    curve = [{"phenomenon": x, "gain": gain, "low": gain - 1, "high": gain + 1}
             for x, gain in ((0.5, 8.0), (0.1, 0.0), (None, 99.0), (0.3, 4.0))]  # fmt: skip
    stored = {"conclusion": {"curve": curve, "unit": "millinats", "verdict": "gains, specific"}}
    (tmp_path / "ecad.json").write_text(json.dumps(stored))
    at_strength, beyond = studies.expected("ecad", 0.4), studies.expected("ecad", 0.9)
    assert (at_strength.gain, at_strength.low, at_strength.high) == pytest.approx((6.0, 5.0, 7.0))
    assert at_strength.sentence() == "in its study +6 [+5, +7] millinats at this strength (gains, specific)"
    assert beyond.gain == pytest.approx(8.0)
    assert "at its nearest dose" in beyond.sentence()
    (tmp_path / "ecad.json").write_text('{"done": {}}')  # it is running
    assert studies.expected("ecad", 0.4) is None


def test_what_a_pre_ranker_cannot_tell_is_found_beneath_what_it_can(tmp_path):
    """Of 50 candidates of 400 requests: the ranker adds .3 log-odds of its own to each pair; the pre-ranker halves the
    rest and is off by things and by requests, of which hardly anything is left. Without that it agrees."""
    rng, requests, things = np.random.default_rng(2), 400, 200
    item = np.stack([rng.permutation(things)[:50] for _ in range(requests)])
    request = np.repeat(np.arange(requests), 50)
    told = rng.normal(size=item.shape) + rng.normal(size=things)[item] - 3
    off = rng.normal(size=things)[item] + rng.normal(size=(requests, 1))
    for own, verdict in ((0.3, "can pay"), (0.0, "absent")):
        scores = {"rank_score": told + own * rng.normal(size=item.shape), "pre_score": told / 2 + off}
        columns = {n: (1 / (1 + np.exp(-s))).ravel().astype(np.float32) for n, s in scores.items()}
        ids = {"request_id": request, "user_id": request % 97, "item_id": item.ravel()}
        root = tmp_path / verdict
        put(root, "candidate", {**ids, **columns, "bid": np.ones(item.size)})
        put(root, "impression", {"user_id": request, "item_id": item.ravel()})
        found = {f.phenomenon.name: f for f in findings(root)}["copr"]
        assert (found.estimate.value, found.verdict) == (pytest.approx(own, abs=0.05), verdict)
    put(tmp_path / "few", "candidate", {n: v[:40] for n, v in {**ids, **columns, "bid": np.ones(item.size)}.items()})
    put(tmp_path / "few", "impression", {"user_id": request[:40], "item_id": request[:40]})
    assert "more than 40" in {f.phenomenon.name: f for f in findings(tmp_path / "few")}["copr"].missing
