"""In worlds of World 2 each phenomenon's number moves with its own knob, and the others stay; off is off."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from recommend.data.oracle import open_oracle
from recommend.data.parquet import read_table
from recommend.data.ragged import array_of
from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import Log
from recommend.phenomena.table import NINE
from recommend.research import headroom
from recommend.research.world import KNOBS, write_world
from recommend.research.world.candidates import add_candidates

pytestmark = pytest.mark.slow

SIZES = {"impressions": 130_000, "uniform_share": 0.5, "clicks": 50_000, "click_days": 150}
OF = {view: [n for n in KNOBS if KNOBS[n].view == view] for view in ("impressions", "clicks")}
PAIRS = [
    pytest.param(view, name, marks=[pytest.mark.nightly] * (n > 0))  # by default the first one of each view
    for view, names in OF.items()
    for n, name in enumerate(names)
]
ALIKE = 1.75  # half-widths: 95 % for all comparisons of a view together (Bonferroni)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("doses")


@cache
def world(folder: Path, view: str, knob: str = "", value: float = 0.0) -> Path:
    root = folder / f"{view}-{knob}-{value:g}"
    write_world(root, view=view, seed=11, knobs={**SIZES, **({knob: value} if knob else {})})
    return root


@cache
def measured(folder: Path, view: str, knob: str = "", value: float = 0.0) -> dict[str, Estimate]:
    log = Log(world(folder, view, knob, value) / "log")
    return {n: importlib.import_module(f"recommend.phenomena.{n}").measure(log) for n in OF[view]}


def moved(one: Estimate, two: Estimate) -> float:
    """The difference of two estimates in half-widths of their intervals."""
    return abs(one.value - two.value) / max(np.hypot(one.high - one.value, two.high - two.value), 1e-9)


@pytest.mark.parametrize(("view", "name"), PAIRS)
def test_a_knob_moves_its_own_number_alone(folder, view, name):
    """Off is off, and the headroom goes with it."""
    p, off_knob = next(p for p in NINE if p.name == name), (KNOBS[name].name, KNOBS[name].off)
    on, off = measured(folder, view), measured(folder, view, *off_knob)
    far = {n: moved(on[n], off[n]) for n in OF[view] if n != name}
    assert on[name].low > max(p.off, off[name].value), (on[name], off[name])  # a spread has no good interval around 0
    assert max(far.values()) < ALIKE, far
    assert off[name].low <= max(p.off, p.edge / 10 if name == "one_epoch" else p.off)
    lead = getattr(headroom, name)
    assert lead(world(folder, view, *off_knob)) < lead(world(folder, view)) / 3


def test_a_signal_tells_what_its_dose_says(tmp_path):
    def signal(**knobs):
        root = tmp_path / "-".join(map(str, knobs.values()))
        write_world(root, seed=11, knobs={"impressions": 6_000, "days": 3, **knobs})
        names = ("privileged", "click", "item_id")
        rows = {n: array_of(c) for n, c in read_table(root / "log", "impression", names[1:]).items()}
        privileged = read_table(root / "log", "impression", names[:1])["privileged"].values.reshape(-1, 4).numpy()
        truths = [open_oracle(root, f"impression/day={day:03d}")["p_click_without_page"] for day in range(3)]
        p = np.concatenate(truths).astype(np.float64)
        return privileged, rows, float(np.corrcoef(privileged[:, 3], np.log(p / (1 - p)))[0, 1])

    plain, rows, nothing = signal(signal_taste=0.0)
    telling, same_rows, half = signal(signal_taste=0.5)
    assert abs(nothing) < 0.05
    assert half == pytest.approx(0.5, abs=0.05)
    assert np.array_equal(plain[:, :3], telling[:, :3])
    assert all(np.array_equal(rows[n], same_rows[n]) for n in rows)
    assert abs(signal(signal_taste=0.5, page_effect=0.0)[2]) < 0.05  # off is off


def test_candidate_sets_are_scored_by_two_models(folder):
    root = folder / "candidates"
    write_world(root, view="candidates", seed=11, knobs={"impressions": 20_000, "days": 3, "requests": 40})
    manifest = add_candidates(root)
    log = Log(root / "log")
    sizes = log.arrays(
        "SELECT count(*) AS n, min(rank_score) AS low, max(pre_score) AS high FROM candidate GROUP BY request_id"
    )
    assert len(sizes["n"]) == 40
    assert sizes["n"].min() > 40
    assert sizes["low"].min() > 0
    assert sizes["high"].max() < 1
    assert manifest["ranker"]["name"] != manifest["pre_ranker"]["name"]
    copr = importlib.import_module("recommend.phenomena.copr")
    assert 0 < copr.measure(log).value < 1
    assert headroom.copr(root) < 1
