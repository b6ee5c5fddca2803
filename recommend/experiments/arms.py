"""Arms that train a model of the registry on a marketplace's clicks; most recipes need no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.world.oracle import no_oracle
from recommend.experiments.recipe import Measures, Setting
from recommend.experiments.setups.marketplace import Marketplace, open_marketplace
from recommend.features.feature_map import FeatureMap, impression_map
from recommend.features.ragged import Column, Ragged
from recommend.models.registry import build_model
from recommend.training.scoring import predictions
from recommend.training.trainer import train

FEATURES = impression_map(history=20, content=16)
MODEL = ModelConfig(embedding=16, mlp=(128, 64))
TRAIN = TrainConfig(batch_rows=256)  # set on seed 100 of scale small, which no verdict uses
EVALUATED_ROWS = 4_096  # a batch of the evaluation

Swap = Callable[[dict[str, Column], int], dict[str, Column]]


@dataclass(frozen=True)
class Arm:
    """What is trained.

    Attributes:
        model: name in the registry.
        changes: settings of the model, ``knob=value``.
        swap: for a control, what is done to the rows of training and test (with the seed), such as ``swap_histories``.
    """

    model: str
    changes: tuple[str, ...] = ()
    swap: Swap | None = None


def prepare(setting: Setting) -> Marketplace:
    """The seed's world, with the features that all arms read."""
    return open_marketplace(setting, FEATURES)


def runner(arms: Mapping[str, Arm]) -> Callable[[str, Marketplace, Setting], Measures]:
    """A recipe's ``run``: the arms, and beside them ``popularity`` and ``oracle``, which train nothing."""

    def run(name: str, market: Marketplace, setting: Setting) -> Measures:
        known = {"popularity": market.popularity, "oracle": market.truth}
        return market.judge(known[name] if name in known else fitted(arms[name], market, setting))

    return run


def fitted(arm: Arm, market: Marketplace, setting: Setting) -> np.ndarray:
    """(rows,) click probabilities of the test rows after one pass over the training window."""
    model_config = MODEL.changed([*arm.changes, *setting.model, f"name={arm.model}"])
    train_config = TRAIN.changed([*setting.train, f"seed={setting.seed}"])
    learned, asked = market.train, market.test
    if arm.swap is not None:
        learned, asked = arm.swap(learned, setting.seed), arm.swap(asked, setting.seed)
    model = build_model(FEATURES, market.encoders.sizes(), model_config, setting.seed)
    with no_oracle():
        train(model, MemoryStream(learned, train_config.batch_rows), train_config)
        return predictions(model, MemoryStream(asked, EVALUATED_ROWS))["p_click"]


def swap_histories(columns: dict[str, Column], seed: int) -> dict[str, Column]:
    """The same rows with the histories of other rows, drawn at random; the columns of a history stay together."""
    order = _order(columns, seed)
    return {name: c.select(order) if isinstance(c, Ragged) else c for name, c in columns.items()}


def swap_users(columns: dict[str, Column], seed: int, features: FeatureMap = FEATURES) -> dict[str, Column]:
    """The same targets and clicks with users, histories and all other context of other rows: taste has no say."""
    order = _order(columns, seed)
    own = {f.column for f in features.role("target")} | set(features.labels)
    swapped = {n: c.select(order) if isinstance(c, Ragged) else c[order] for n, c in columns.items() if n not in own}
    return {**columns, **swapped}


def _order(columns: dict[str, Column], seed: int) -> torch.Tensor:
    count = next(len(column) for column in columns.values())
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
