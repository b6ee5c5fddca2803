"""The simulated market: the lot recovers the truth, the naive contrast does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.finetune.adoption import World, run


def mean(world: World, wrong: float, name: str) -> float:
    return float(np.mean([run(world, wrong, 8000, seed)[name] for seed in range(6)]))


def test_the_lot_recovers_the_gain_of_those_who_accepted_and_the_naive_contrast_overstates_it():
    truth = mean(World(), 0.5, "truth")
    assert abs(mean(World(), 0.5, "by_lot_per_adopter") - truth) < 0.5
    assert mean(World(), 0.5, "naive") > truth + 2.0


def test_without_self_selection_both_agree():
    world = replace(World(), accept_diligence=0.0, accept_wrong=0.0)
    assert abs(mean(world, 0.5, "naive") - mean(world, 0.5, "truth")) < 0.5


def test_wrong_claims_cost_adoption():
    accepted = [mean(World(), wrong, "accepted") for wrong in (0.0, 0.5, 2.0)]
    assert accepted == sorted(accepted, reverse=True)
    assert accepted[0] - accepted[2] > 0.2
