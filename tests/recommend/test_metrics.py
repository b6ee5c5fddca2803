"""Measures beside scikit-learn and beside loops that follow the definitions, with ties, single classes, empty input."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from recommend.metrics.calibration import ece, logloss, pcoc
from recommend.metrics.ranks import auc, auc_by_group, gauc, normalised_regret
from recommend.metrics.report import measures, share_of_way

SEEDS = range(2)
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows(seed: int, n: int = 150, groups: int = 25, levels: int = 12) -> Rows:
    """Labels, scores with many ties, groups out of order (some with a single class or a single row)."""
    rng = np.random.default_rng(seed)
    return rng.random(n) < 0.3, rng.integers(1, levels, n) / levels, rng.permutation(rng.integers(0, groups, n) ** 2)


def brute_auc(y: np.ndarray, s: np.ndarray) -> float:
    """Wins of positives over negatives, ties half."""
    positive, negative = s[y], s[~y]
    if not len(positive) or not len(negative):
        return math.nan
    wins = (positive[:, None] > negative[None]).sum() + 0.5 * (positive[:, None] == negative[None]).sum()
    return float(wins / (len(positive) * len(negative)))


@pytest.mark.parametrize("seed", SEEDS)
def test_auc_is_scikit_learns(seed: int) -> None:
    y, s, _ = rows(seed)
    assert auc(y, s) == pytest.approx(roc_auc_score(y, s), abs=1e-12)
    assert auc(y, s) == pytest.approx(brute_auc(y, s), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_gauc_is_the_row_weighted_mean_over_groups_with_both_classes(seed: int) -> None:
    y, s, g = rows(seed)
    per_group = {k: (brute_auc(y[g == k], s[g == k]), (g == k).sum()) for k in np.unique(g)}
    values, sizes = auc_by_group(y, s, g)
    np.testing.assert_allclose(values, [v for v, _ in per_group.values()], atol=1e-12)
    assert sizes.tolist() == [n for _, n in per_group.values()]
    assert np.isnan(values).any()  # the rows really hold groups of one class
    counted = [(v, n) for v, n in per_group.values() if not math.isnan(v)]
    assert gauc(y, s, g) == pytest.approx(sum(v * n for v, n in counted) / sum(n for _, n in counted), abs=1e-12)


def test_a_single_class_has_no_auc_and_does_not_spoil_gauc() -> None:
    assert math.isnan(auc([1, 1], [0.1, 0.2]))
    assert math.isnan(gauc([1, 0], [0.1, 0.2], [0, 1]))
    assert gauc([1, 1, 0, 1], [0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1]) == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_logloss_is_scikit_learns(seed: int) -> None:
    y, p, _ = rows(seed)
    assert logloss(y, p) == pytest.approx(log_loss(y, p), abs=1e-12)
    assert logloss([1, 0], [0.0, 1.0]) == pytest.approx(-math.log(1e-7), rel=1e-6)  # certain and wrong stays finite


def test_pcoc_is_predicted_over_observed() -> None:
    assert pcoc([1, 0, 0, 0], [0.5, 0.1, 0.1, 0.1]) == pytest.approx(0.8)
    assert math.isnan(pcoc([0, 0], [0.1, 0.1]))


def test_ece_of_bins_that_are_written_out() -> None:
    y = np.array([0, 0, 1, 0, 1, 1])
    p = np.array([0.1, 0.1, 0.1, 0.4, 0.8, 0.8])
    # The thirds of the rows begin at 0.1 and 0.8, and equal rows stay together: {0.1 x 3, 0.4} and {0.8 x 2}.
    expected = (abs(0.1 * 3 + 0.4 - 1) + abs(0.8 * 2 - 2)) / 6
    assert ece(y, p, bins=3) == pytest.approx(expected)
    assert ece(y, np.full(6, 0.5)) == pytest.approx(0.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_ece_is_small_when_calibrated_and_finds_an_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 10, 40_000)
    y = rng.random(len(p)) < p
    assert ece(y, p) < 0.006
    assert ece(y, 2 * p) == pytest.approx(p.mean(), abs=0.01)
    edges = np.sort(p)[:: len(p) // 20][1:]
    by_hand = sum(
        abs((p[b] - y[b]).sum()) for b in (np.searchsorted(edges, p, side="right") == i for i in range(len(edges) + 1))
    )
    assert ece(y, p) == pytest.approx(by_hand / len(p), abs=2e-4)


def test_regret_is_the_mean_over_all_orders_of_ties() -> None:
    truth, scores = np.array([0.9, 0.1, 0.4, 0.3]), np.array([1.0, 1.0, 1.0, 0.0])
    orders = [order for order in permutations(range(4)) if order[3] == 3]
    chosen = np.mean([truth[list(order[:2])].sum() for order in orders])
    expected = (1.3 - chosen) / (1.3 - 2 * truth.mean())
    assert normalised_regret(truth, scores, np.zeros(4), k=2) == pytest.approx(expected)


def test_regret_runs_from_the_oracle_to_chance_and_beyond() -> None:
    rng = np.random.default_rng(0)
    truth, g = rng.random(4_000), np.repeat(np.arange(400), 10)
    assert normalised_regret(truth, truth, g) == pytest.approx(0.0, abs=1e-12)
    assert normalised_regret(truth, np.zeros(4_000), g) == pytest.approx(1.0)
    assert normalised_regret(truth, rng.random(4_000), g) == pytest.approx(1.0, abs=0.15)
    assert normalised_regret(truth, -truth, g) > 1.5
    assert math.isnan(normalised_regret(np.full(10, 0.2), rng.random(10), np.zeros(10)))


EMPTY: list[Callable[[], float]] = [
    lambda: auc([], []),
    lambda: gauc([], [], []),
    lambda: logloss([], []),
    lambda: pcoc([], []),
    lambda: ece([], []),
    lambda: normalised_regret([], [], []),
]


@pytest.mark.parametrize("measure", EMPTY)
def test_nothing_measured_is_not_a_number(measure: Callable[[], float]) -> None:
    assert math.isnan(measure())


def test_the_report_names_every_measure() -> None:
    y, p, g = rows(1)
    report = measures(y, p, g)
    assert set(report) == {"auc", "gauc", "logloss", "pcoc", "ece"}
    assert report["auc"] == auc(y, p)
    assert share_of_way(0.7, 0.6, 0.8) == pytest.approx(0.5)
    assert math.isnan(share_of_way(0.7, 0.6, 0.6))


@pytest.mark.nightly
def test_one_sort_is_quick_on_many_groups() -> None:
    """A loop over users takes seconds here."""
    import time

    rng = np.random.default_rng(0)
    y, s, g = rng.random(200_000) < 0.1, rng.random(200_000), rng.integers(0, 20_000, 200_000)
    began = time.process_time()
    gauc(y, s, g)
    assert time.process_time() - began < 1.0
