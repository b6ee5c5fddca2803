"""Networks on frozen features learn what can be learnt, leave out what is not settled, and say how sure they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.training.adapter_rank import truncated
from benchmarks.training.colour_network import Goals, NetworkConfig, crossed, folds_of, measured, power, train
from benchmarks.training.curves import GRID, Fitted
from benchmarks.training.heads import FOLDS, Problem, head_shares
from benchmarks.training.questions import annotate, targets, vocabularies
from finetune.data.details import read_details
from finetune.data.splits import sender_folds

COLOURS = ("red", "blue", "white")


def problem(weight: float = 1.0) -> Problem:
    """Two details, each there where its feature is positive; half of the photos do not settle the second."""
    inputs = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    goal = (inputs[:, :2] > 0).float()
    weights = torch.ones(400, 2)
    weights[::2, 1] = weight
    goal[::2, 1] = 1 - goal[::2, 1] if weight == 0 else goal[::2, 1]
    return Problem(inputs, goal, weights, 2)


def test_a_head_learns_what_is_settled_alone() -> None:
    for weight in (1.0, 0.0):  # 0: the targets of what is not settled are wrong
        task = problem(weight)
        there = head_shares(task.fitted(0.01), task.inputs[:, None], several=True) > 0.5
        assert (there == (task.inputs[:, :2] > 0)).float().mean() > 0.95


def test_no_head_judges_photos_it_learned() -> None:
    rows = [{"sender_id": number % 10} for number in range(400)]
    folds = np.array(sender_folds(rows, FOLDS))
    assert set(folds.tolist()) == set(range(FOLDS))
    assert len({(row["sender_id"], fold) for row, fold in zip(rows, folds.tolist(), strict=True)}) == 10
    task, drawn = problem(), torch.Generator().manual_seed(1)
    noise = Problem(task.inputs, torch.randint(0, 2, (400, 2), generator=drawn).float(), task.weight, 2)
    answers = noise.crossed(task.inputs[:, None], folds, 0.001)
    assert abs(((answers > 0.5).float() == noise.goal).float().mean() - 0.5) < 0.08


def test_a_curve_says_how_often_it_is_right() -> None:
    rng = np.random.default_rng(0)
    raw = rng.uniform(0, 1, (4000, 1))
    right = (rng.uniform(0, 1, raw.shape) < raw / 2).astype(float)  # half as often as the tower says
    settled = np.ones_like(raw)
    settled[::2], right[::2] = 0, 1
    curve = Fitted(raw, right, settled).curves(["bow"])["bow"]
    assert curve["raw"] == GRID
    assert abs(np.interp(0.8, curve["raw"], curve["right"]) - 0.4) < 0.06


def test_what_photos_do_not_settle_is_no_target() -> None:
    rows = read_details(Path())[:300]
    annotate(rows)
    values = vocabularies(rows)
    goal, weight = targets(rows, values)
    phrases = values["details"]
    for row, there, counted in zip(rows, goal["details"], weight["details"], strict=True):
        assert {p for p, is_there in zip(phrases, there, strict=True) if is_there} == row["details"] & set(phrases)
        assert {p for p, counts in zip(phrases, counted, strict=True) if not counts} == row["unsettled"] & set(phrases)
    assert 0 < float((1 - weight["details"]).sum()) < float(goal["details"].sum())


# -- colours ----------------------------------------------------------------------------------------------------------


def colour_rows(count: int) -> list[dict[str, Any]]:
    """Photos of ten senders, in three colours; every second one has a second colour, every fifth is a guess."""
    return [
        {
            "image": f"{i}.jpg", "sender_id": i % 10, "colour": COLOURS[i % 3],
            "colour2": COLOURS[(i + 1) % 3] if i % 2 else None, "guess": ["colour"] if i % 5 == 0 else [],
        }
        for i in range(count)
    ]  # fmt: skip


def test_targets_share_the_main_colour_with_the_second() -> None:
    goals = Goals(colour_rows(4), COLOURS)
    assert goals.first[1].tolist() == [0.0, 0.75, 0.25]
    assert goals.first[2].tolist() == [0.0, 0.0, 1.0]
    assert goals.second.argmax(1).tolist() == [3, 2, 3, 1]
    assert goals.weight.tolist() == pytest.approx([0.3, 1.0, 1.0, 1.0])


@pytest.mark.slow
def test_colours_are_judged_on_senders_not_seen() -> None:
    rows, rng = colour_rows(300), np.random.default_rng(0)
    goals, folds = Goals(rows, COLOURS), folds_of(rows, 0)
    features = np.concatenate([goals.first.numpy(), goals.second.numpy()], 1) + rng.normal(0, 0.1, (300, 7))
    cfg = NetworkConfig(nets=2, hidden=16, epochs=30, batch_size=32, lr=1e-2)
    agreement = measured(*crossed(features, goals, folds, COLOURS, cfg), goals)
    assert agreement["photos"] == 240
    assert min(agreement["main colour"], agreement["second colour"]) > 0.95
    shuffled = rng.permutation(features)
    assert measured(*crossed(shuffled, goals, folds, COLOURS, cfg), goals)["main colour"] < 0.6
    again = [train(features, goals, np.arange(300), COLOURS, cfg)(features)[0] for _ in range(2)]
    assert np.array_equal(*again)


@pytest.mark.parametrize(("said", "expected"), [(0.9, 1.0), (0.8, 1.5), (0.97, 0.7)])
def test_the_power_undoes_doubt_and_overconfidence(said: float, expected: float) -> None:
    truth = np.array([0] * 90 + [1] * 10)
    assert power(np.tile([said, 1 - said], (100, 1)), truth) == expected


# -- adapters of a lower rank -----------------------------------------------------------------------------------------


def test_the_lower_rank_is_the_best_approximation() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(8, 40, generator=generator), torch.randn(30, 8, generator=generator)
    lower_a, lower_b, kept = truncated(a, b, 5)
    u, s, v = torch.linalg.svd(b @ a, full_matrices=False)
    assert torch.allclose(lower_b @ lower_a, u[:, :5] * s[:5] @ v[:5], atol=1e-3)
    assert kept == pytest.approx(float((s[:5] ** 2).sum() / (s**2).sum()), rel=1e-4)
    same_a, same_b, kept = truncated(torch.cat([a, a]), torch.cat([b, b], 1), 8)
    assert torch.allclose(same_b @ same_a, 2 * b @ a, atol=1e-3)
    assert kept == pytest.approx(1.0)
