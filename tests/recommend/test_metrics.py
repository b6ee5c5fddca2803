"""Measures beside scikit-learn and beside loops that follow the definitions, with ties, single classes, empty input."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from recommend.metrics.calibration import ece, logloss, pcoc
from recommend.metrics.ranks import auc, auc_by_group, gauc, normalised_regret
from recommend.metrics.report import share_of_way

# Labels, scores with many ties, and groups out of order, some with a single class or a single row.
RNG = np.random.default_rng(0)
Y, S = RNG.random(150) < 0.3, RNG.integers(1, 12, 150) / 12
G = RNG.permutation(RNG.integers(0, 25, 150) ** 2)


def test_auc_and_logloss_are_scikit_learns() -> None:
    assert auc(Y, S) == pytest.approx(roc_auc_score(Y, S), abs=1e-12)
    assert logloss(Y, S) == pytest.approx(log_loss(Y, S), abs=1e-12)
    assert logloss([1, 0], [0.0, 1.0]) == pytest.approx(-math.log(1e-7), rel=1e-6)  # certain and wrong stays finite


def test_gauc_weighs_groups_with_both_classes() -> None:
    parts = [np.flatnonzero(group == G) for group in np.unique(G)]
    both = np.array([len(set(Y[at])) == 2 for at in parts])
    expected = [roc_auc_score(Y[at], S[at]) if two else math.nan for at, two in zip(parts, both, strict=True)]
    values, sizes = auc_by_group(Y, S, G)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert sizes.tolist() == [len(at) for at in parts]
    assert 0 < both.sum() < len(both)
    assert gauc(Y, S, G) == pytest.approx(np.average(values[both], weights=sizes[both]), abs=1e-12)
    assert gauc([1, 1, 0, 1], [0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1]) == 1.0


def test_pcoc_is_predicted_over_observed() -> None:
    assert pcoc([1, 0, 0, 0], [0.5, 0.1, 0.1, 0.1]) == pytest.approx(0.8)


def test_ece_of_bins_that_are_written_out() -> None:
    y = np.array([0, 0, 1, 0, 1, 1])
    p = np.array([0.1, 0.1, 0.1, 0.4, 0.8, 0.8])
    # The thirds of the rows begin at 0.1 and 0.8, and equal rows stay together: {0.1 x 3, 0.4} and {0.8 x 2}.
    expected = (abs(0.1 * 3 + 0.4 - 1) + abs(0.8 * 2 - 2)) / 6
    assert ece(y, p, bins=3) == pytest.approx(expected)
    assert ece(y, np.full(6, 0.5)) == pytest.approx(0.0)


def test_regret_is_the_mean_over_orders_of_ties() -> None:
    truth, scores = np.array([0.9, 0.1, 0.4, 0.3]), np.array([1.0, 1.0, 1.0, 0.0])
    orders = [order for order in permutations(range(4)) if order[3] == 3]
    chosen = np.mean([truth[list(order[:2])].sum() for order in orders])
    expected = (1.3 - chosen) / (1.3 - 2 * truth.mean())
    assert normalised_regret(truth, scores, np.zeros(4), k=2) == pytest.approx(expected)


def test_regret_runs_from_the_oracle_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    truth, g = rng.random(4_000), np.repeat(np.arange(400), 10)
    assert normalised_regret(truth, truth, g) == pytest.approx(0.0, abs=1e-12)
    assert normalised_regret(truth, np.zeros(4_000), g) == pytest.approx(1.0)
    assert normalised_regret(truth, rng.random(4_000), g) == pytest.approx(1.0, abs=0.15)
    assert normalised_regret(truth, -truth, g) > 1.5


def test_what_cannot_be_measured_is_not_a_number() -> None:
    for value in (
        auc([], []),
        auc([1, 1], [0.1, 0.2]),
        gauc([], [], []),
        gauc([1, 0], [0.1, 0.2], [0, 1]),
        logloss([], []),
        pcoc([], []),
        pcoc([0, 0], [0.1, 0.1]),
        ece([], []),
        normalised_regret([], [], []),
        normalised_regret(np.full(10, 0.2), np.arange(10), np.zeros(10)),
        share_of_way(0.7, 0.6, 0.6),
    ):
        assert math.isnan(value)
