"""CLID's neighbours, exploratory: rates set for each arm, another weight, targets of a teacher on rows that it did not
learn, and a teacher that knows no more and is another model. No verdict about the paper hangs by it; see ``clid``.

The rates are the best of 0.0005, 0.001, 0.002 and 0.004 in GAUC within pages on seed 100. Targets out of fold: two
teachers learn half of the pages each and teach the other half, so that no target has seen its row's click. Another
model: DIN from other initial weights, since a student whose teacher shares its initial weights and its order of rows
may inherit the luck of that draw.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.recipes.clid import ARMS as VERDICT
from recommend.experiments.recipes.clid import Arm, Prepared, judge, probabilities, student, trained
from recommend.experiments.statistics import Claim
from recommend.features.ragged import select_batch
from recommend.models.clid import LIST, TEACHER

RATES = {"none": 0.002, "pointwise": 0.0005, "listnet": 0.002, "listmle": 0.004, "clid": 0.002}
TUNED = {f"{name}_tuned": replace(VERDICT[name], rate=rate) for name, rate in RATES.items()}
FOLDED = {f"{name}_folds": VERDICT[name] for name in ("pointwise", "clid")}
OTHER = 1_000  # added to the seed of the other model
ARMS: dict[str, Arm] = {
    **{name: VERDICT[name] for name in ("none", "pointwise", "clid")},
    **TUNED,
    **FOLDED,
    "clid_10": student("clid", 10.0),
    "clid_itself_other": VERDICT["clid_itself"],
}


def out_of_fold(prepared: Prepared) -> np.ndarray:
    """(training rows,) the teacher's probabilities, each from the teacher that did not learn the row's page."""
    market = prepared.market(False)
    page = market.train[LIST]
    assert isinstance(page, Tensor)
    of_row = page.unique(return_inverse=True)[1] % 2
    told = np.empty(len(page), dtype=np.float32)
    for fold in (0, 1):
        here, there = ((of_row == number).nonzero().ravel() for number in (fold, 1 - fold))
        model, _ = trained(VERDICT["teacher"], select_batch(market.train, here), market, prepared.setting)
        told[there.numpy()] = probabilities(model, select_batch(market.train, there))
    return told


def targets(name: str, prepared: Prepared) -> np.ndarray:
    """(training rows,) what an arm's teacher says."""
    if name in FOLDED:
        return out_of_fold(prepared)
    if name == "clid_itself_other":
        market, setting = prepared.market(False), prepared.setting
        model, _ = trained(VERDICT["none"], dict(market.train), market, replace(setting, seed=setting.seed + OTHER))
        return probabilities(model, dict(market.train))
    return prepared.fitted(ARMS[name].teacher, VERDICT).train


def run(name: str, prepared: Prepared, setting: Setting) -> Measures:
    """Measures of an arm."""
    arm, market = ARMS[name], prepared.market(False)
    rows = dict(market.train)
    if arm.teacher:
        rows[TEACHER] = torch.from_numpy(targets(name, prepared))
    model, seconds = trained(arm, rows, market, setting)
    return {**judge(market, probabilities(model, market.test)), "train_cpu_s": seconds}


RECIPE = Recipe(
    name="clid_more",
    paper="2312.08727",
    arms=tuple(ARMS),
    prepare=Prepared,
    run=run,
    claims=(
        Claim("rates of their own: lists over rows", "gauc_list", "clid_tuned", "pointwise_tuned"),
        Claim("rates of their own: lists over none", "gauc_list", "clid_tuned", "none_tuned"),
        Claim("rates of their own: ListNet's error", "ece", "clid_tuned", "listnet_tuned", lower_is_better=True),
        Claim("rates of their own: ListMLE's error", "ece", "clid_tuned", "listmle_tuned", lower_is_better=True),
        Claim("targets out of fold: lists over rows", "gauc_list", "clid_folds", "pointwise_folds"),
        Claim("targets out of fold: lists over none", "gauc_list", "clid_folds", "none"),
        Claim("targets out of fold: rows over none", "gauc_list", "pointwise_folds", "none"),
        Claim("ten times the weight: lists over none", "gauc_list", "clid_10", "none"),
    ),
    controls=(
        Claim(
            "another teacher who knows no more",
            "gauc_list",
            "clid_itself_other",
            "none",
            controls="rates of their own: lists over none",
        ),
    ),
)
