"""Heads on frozen features learn what can be learnt and leave out what is not settled; curves are right."""

from pathlib import Path

import numpy as np
import torch

from finetune.data.details import read_details
from finetune.data.splits import sender_folds
from finetune.embedded.curves import GRID, Fitted
from finetune.embedded.heads import FOLDS, Problem, head_shares
from finetune.embedded.questions import annotate, targets, vocabularies


def problem(weight: float = 1.0) -> Problem:
    """Two details, each there where its feature is positive; half of the photos do not settle the second."""
    inputs = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    goal = (inputs[:, :2] > 0).float()
    weights = torch.ones(400, 2)
    weights[::2, 1] = weight
    goal[::2, 1] = 1 - goal[::2, 1] if weight == 0 else goal[::2, 1]
    return Problem(inputs, goal, weights, 2)


def test_a_head_learns_what_is_there_and_leaves_out_what_is_not_settled() -> None:
    for weight in (1.0, 0.0):  # 0: the targets of what is not settled are wrong
        task = problem(weight)
        head = task.fitted(0.01)
        there = head_shares(head, task.inputs[:, None], several=True) > 0.5
        assert (there == (task.inputs[:, :2] > 0)).float().mean() > 0.95


def test_no_head_judges_the_photos_that_it_was_fitted_on() -> None:
    rows = [{"sender_id": number % 10} for number in range(400)]
    folds = np.array(sender_folds(rows, FOLDS))
    assert set(folds.tolist()) == set(range(FOLDS))
    assert len({(row["sender_id"], fold) for row, fold in zip(rows, folds.tolist(), strict=True)}) == 10
    task = problem()
    noise = Problem(
        task.inputs, torch.randint(0, 2, (400, 2), generator=torch.Generator().manual_seed(1)).float(), task.weight, 2
    )
    crossed = noise.crossed(task.inputs[:, None], folds, 0.001)
    assert abs(((crossed > 0.5).float() == noise.goal).float().mean() - 0.5) < 0.08


def test_a_curve_says_how_often_a_phrase_is_right_where_the_photo_settles_it() -> None:
    rng = np.random.default_rng(0)
    raw = rng.uniform(0, 1, (4000, 1))
    right = (rng.uniform(0, 1, raw.shape) < raw / 2).astype(float)  # half as often as the tower says
    settled = np.ones_like(raw)
    settled[::2], right[::2] = 0, 1
    curve = Fitted(raw, right, settled).curves(["bow"])["bow"]
    assert curve["raw"] == GRID
    assert abs(np.interp(0.8, curve["raw"], curve["right"]) - 0.4) < 0.06


def test_what_the_photo_does_not_settle_is_no_target() -> None:
    rows = read_details(Path())[:300]
    annotate(rows)
    values = vocabularies(rows)
    goal, weight = targets(rows, values)
    phrases = values["details"]
    for row, there, counted in zip(rows, goal["details"], weight["details"], strict=True):
        assert {p for p, is_there in zip(phrases, there, strict=True) if is_there} == row["details"] & set(phrases)
        assert {p for p, counts in zip(phrases, counted, strict=True) if not counts} == row["unsettled"] & set(phrases)
    assert 0 < float((1 - weight["details"]).sum()) < float(goal["details"].sum())
