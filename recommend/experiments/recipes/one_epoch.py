"""The one-epoch phenomenon (CIKM 2022, arXiv 2209.06053): deep models with sparse ids are at their best after one pass.

Claims: the test AUC falls right at the start of epoch 2, by about 0.02 (the paper shows curves without a table); it
does so for a narrow model, another batch size, weight decay and dropout as well; coarser ids and a slower optimiser
weaken it; at the boundary the A-distance of the rows about to be visited jumps away from that of test rows, and the
layers move faster; training the layers alone makes it worse than training the embeddings alone; renewing the embeddings
(MEDA, arXiv 2305.19531) prevents it. Controls in which the fall must vanish: dense features only, and no layers.

An arm is a training run at a moment: ``NAME@1`` at the end of epoch 1, ``NAME@2`` at the start of epoch 2, ``NAME@end``
at the end of epoch 2, and for one control ``dnn@0``, the moment before ``dnn@1``. Each moment is the mean over a
quarter of an epoch (two evaluations), so that a model which still gets better can only hide the fall. Runs that part at
the boundary share their first epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommend.config import ModelConfig
from recommend.data.world.oracle import no_oracle
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.setups.marketplace import open_marketplace
from recommend.experiments.setups.one_epoch import Columns, Middle, Plan, Second, Trace, run
from recommend.experiments.statistics import Claim
from recommend.features.feature_map import Feature, FeatureMap, impression_map

# Set on seed 100, which no verdict uses.
MODEL = ModelConfig(name="dnn", embedding=8, mlp=(64, 32), activation="dice", initial_std=0.0025)
RATE, ROWS = 3e-3, 1024
BASE = Plan(learning_rate=RATE, batch_rows=ROWS)
DENSE = FeatureMap(
    features=(
        Feature(column="days_to_promotion", role="context", kind="number"),
        Feature(column="price", role="target", kind="number"),
        Feature(column="item_age_h", role="target", kind="number"),
        Feature(column="content", role="target", kind="vector", size=16, joined_by=("post_id", "item_id")),
        Feature(
            column="history_content",
            role="history",
            kind="vector",
            match="content",
            size=16,
            max_length=20,
            joined_by=("history_item",),
        ),
    )
)


@dataclass(frozen=True)
class Study:
    """A training run: its plan, the run whose first epoch it shares, and whether it reads dense features instead."""

    plan: Plan
    begins: str = ""
    dense: bool = False


def studies(base: Plan) -> dict[str, Study]:
    """All runs around a base. Partial fine-tuning has a fresh optimiser of a tenth of the rate, as in the paper."""
    after = base.learning_rate / 10

    def like(**changes: Any) -> Plan:
        return Plan(**{**base.__dict__, "probes": False, **changes})

    return {
        "dnn": Study(like(probes=True)),
        "mlp only": Study(like(second=Second("mlp", learning_rate=after)), "dnn"),
        "embedding only": Study(like(second=Second("embedding", learning_rate=after)), "dnn"),
        "meda": Study(like(second=Second(renew=True)), "dnn"),
        "slow": Study(like(learning_rate=base.learning_rate / 3)),
        "sgd": Study(like(optimiser="sgd", learning_rate=0.1 * base.batch_rows / 256)),
        "filter": Study(like(keep=0.01)),
        "hash": Study(like(buckets=0.01)),
        "lr": Study(like(model="lr", learning_rate=1e-2)),
        "narrow": Study(like(changes=("embedding=2", "mlp=[16,8]"))),
        "small batch": Study(like(batch_rows=base.batch_rows // 2)),
        "decay": Study(like(weight_decay=1e-2)),
        "dropout": Study(like(changes=("dropout=0.3",))),
        "dense": Study(like(), dense=True),
    }


@dataclass
class Data:
    """What the runs of a seed share, and what they have shown so far."""

    features: FeatureMap
    sizes: Mapping[str, int]
    learn: Columns
    test: Columns
    dense: Callable[[], tuple[FeatureMap, Mapping[str, int], Columns, Columns]] | None = None
    shown: dict[str, tuple[Trace, Middle]] = field(default_factory=dict)


def prepare(setting: Setting) -> Data:
    """The seed's world with all its ids (``min_count=1``: rare ids are the point here)."""
    features = impression_map(history=20)
    market = open_marketplace(setting, features, min_count=1)

    def dense() -> tuple[FeatureMap, Mapping[str, int], Columns, Columns]:
        other = open_marketplace(setting, DENSE)
        return DENSE, other.encoders.sizes(), other.train, other.test

    return Data(features, market.encoders.sizes(), market.train, market.test, dense)


def runner(known: Mapping[str, Study], model: ModelConfig) -> Callable[[str, Data, Setting], Measures]:
    """A recipe's ``run``: arm ``NAME@MOMENT``."""

    def shown(name: str, data: Data, setting: Setting) -> tuple[Trace, Middle]:
        if name not in data.shown:
            study = known[name]
            middle = shown(study.begins, data, setting)[1] if study.begins else None
            parts = data.dense() if study.dense and data.dense else (data.features, data.sizes, data.learn, data.test)
            config = model.changed(list(setting.model))
            with no_oracle():
                data.shown[name] = run(study.plan, *parts, config, setting.seed, middle)
        return data.shown[name]

    def measure(arm: str, data: Data, setting: Setting) -> Measures:
        name, moment = arm.split("@")
        return moments(shown(name, data, setting)[0], known[name].plan.evaluations)[moment]

    return measure


def moments(trace: Trace, evaluations: int) -> dict[str, dict[str, float]]:
    """Measures at the moments ``0``, ``1``, ``2`` and ``end``: ``auc``, ``train_auc``, ``fall`` (of the AUC since
    moment 1), and where there were probes ``movement`` and ``embedding_movement`` (a step's, relative to moment 1) and,
    of all fields together and of each, ``gap``: A-distance of rows about to be visited less that of test rows."""
    quarter = max(evaluations // 4, 1)
    at = {"0": slice(max(evaluations - 2 * quarter, 0), evaluations - quarter)}
    at |= {"1": slice(evaluations - quarter, evaluations), "2": slice(evaluations, evaluations + quarter)}
    at["end"] = slice(len(trace.auc) - quarter, len(trace.auc))
    found, probed = {}, len(trace.probes) == 2  # a run that shares its first epoch has no probe of its own
    for moment, part in at.items():
        of = {"auc": float(np.mean(trace.auc[part])), "train_auc": float(np.mean(trace.train_auc[part]))}
        of["fall"] = float(np.mean(trace.auc[at["1"]])) - of["auc"]
        if probed:
            for name, measure in (("mlp", "movement"), ("embedding", "embedding_movement")):
                late = np.mean(trace.movement[name][at["1"]])
                of[measure] = float(np.mean(trace.movement[name][part]) / late)
        if probed and moment in ("1", "2"):
            probe = trace.probes[int(moment) - 1]
            of |= {f"gap {n}".strip(): probe.ahead[n] - probe.test[n] for n in probe.ahead}
        found[moment] = of
    return found


def fall(name: str, run_name: str, expected: float = 0.0, controls: str = "") -> Claim:
    """That a run's AUC is higher at the end of epoch 1 than at the start of epoch 2."""
    return Claim(name, "auc", f"{run_name}@1", f"{run_name}@2", expected, controls)


FALL = 0.02
STUDIES = studies(BASE)
RECIPE = Recipe(
    name="one_epoch",
    paper="2209.06053",
    arms=("dnn@0", *(f"{name}@{moment}" for name in STUDIES for moment in ("1", "2", "end"))),
    prepare=prepare,
    run=runner(STUDIES, MODEL),
    claims=(
        fall("falls at the boundary", "dnn", FALL),
        fall("also when narrow", "narrow", FALL),
        fall("also with smaller batches", "small batch", FALL),
        fall("also with weight decay", "decay", FALL),
        fall("also with dropout", "dropout", FALL),
        Claim("coarse ids weaken it", "fall", "dnn@2", "hash@2", FALL / 2),
        Claim("rare ids left out weaken it", "fall", "dnn@2", "filter@2", FALL / 2),
        Claim("a slow optimiser weakens it", "fall", "dnn@2", "slow@2", FALL / 2),
        Claim("rows about to be visited part from test rows", "gap item_id", "dnn@2", "dnn@1", 0.3),
        Claim("the layers move faster", "movement", "dnn@2", "dnn@1", 0.5),
        Claim("the layers overfit, not the embeddings", "auc", "embedding only@end", "mlp only@end", 0.02),
        Claim("renewed embeddings prevent it", "auc", "meda@end", "dnn@end", 0.02),
    ),
    controls=(
        fall("dense features only", "dense", controls="falls at the boundary"),
        fall("no layers", "lr", controls="falls at the boundary"),
        Claim("before the boundary", "auc", "dnn@0", "dnn@1", controls="falls at the boundary"),
    ),
)
