"""Training of the colour network: folds, targets, calibration, and that it learns what can be learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from finetune.embedded.colour_network import (
    Goals,
    NetworkConfig,
    crossed,
    folds_of,
    measured,
    power,
    train,
)  # fmt: skip

NAMES = ("red", "blue", "white")


def rows(count: int) -> list[dict[str, Any]]:
    """Photos of ten senders, in three colours; every second one has a second colour, every fifth is a guess."""
    return [
        {
            "image": f"{i}.jpg",
            "sender_id": i % 10,
            "colour": NAMES[i % 3],
            "colour2": NAMES[(i + 1) % 3] if i % 2 else None,
            "guess": ["colour"] if i % 5 == 0 else [],
        }
        for i in range(count)
    ]


def test_targets_share_the_main_colour_with_the_second() -> None:
    goals = Goals(rows(4), NAMES)
    assert goals.first[1].tolist() == [0.0, 0.75, 0.25]
    assert goals.first[2].tolist() == [0.0, 0.0, 1.0]
    assert goals.second.argmax(1).tolist() == [3, 2, 3, 1]
    assert goals.weight.tolist() == pytest.approx([0.3, 1.0, 1.0, 1.0])


def test_a_network_learns_and_is_judged_on_senders_that_it_did_not_see() -> None:
    photos = rows(300)
    goals = Goals(photos, NAMES)
    rng = np.random.default_rng(0)
    features = np.concatenate([goals.first.numpy(), goals.second.numpy()], 1) + rng.normal(0, 0.1, (300, 7))
    cfg = NetworkConfig(nets=2, hidden=16, epochs=30, batch_size=32, lr=1e-2)
    agreement = measured(*crossed(features, goals, folds_of(photos, 0), NAMES, cfg), goals)
    assert agreement["photos"] == 240
    assert agreement["main colour"] > 0.95
    assert agreement["second colour"] > 0.95
    shuffled = rng.permutation(features)
    assert measured(*crossed(shuffled, goals, folds_of(photos, 0), NAMES, cfg), goals)["main colour"] < 0.6
    index = np.arange(300)
    again = [train(features, goals, index, NAMES, cfg)(features)[0] for _ in range(2)]
    assert np.array_equal(*again)


def test_the_power_undoes_doubt_and_overconfidence() -> None:
    truth = np.array([0] * 90 + [1] * 10)
    assert power(np.tile([0.9, 0.1], (100, 1)), truth) == 1.0
    assert power(np.tile([0.8, 0.2], (100, 1)), truth) == 1.5
    assert power(np.tile([0.97, 0.03], (100, 1)), truth) == 0.7
