"""Rankings without a model: at random, newest first, by the history's categories, by the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from recommend.cascade.registry import Loaded
from recommend.data.ragged import Batch, Repeated, array_of
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.models.base import Ranker
from recommend.research.market.town import Town

Rule = Callable[[Batch], np.ndarray]  # raw columns of a visitor's request -> (n,) what stands for a click rate


def _newest(raw: Batch) -> np.ndarray:
    return 1 / (1 + array_of(raw["item_age_h"]).astype(np.float64))


def _count(raw: Batch) -> np.ndarray:
    past = raw["history_category"]
    assert isinstance(past, Repeated)
    many = (array_of(raw["category"])[:, None] == past.one.numpy()).sum(1)
    return (many + 0.5 * _newest(raw)) / 100  # the newest of each count


def rule(name: str, town: Town) -> Loaded:
    """A rule as the cascade asks models."""

    def chance(raw: Batch) -> np.ndarray:
        time_ms = int(array_of(raw["time_ms"])[0])
        return town.draw("order of things", time_ms, array_of(raw["item_id"])) / 10

    def truth(raw: Batch) -> np.ndarray:
        item = array_of(raw["item_id"])
        ads = array_of(raw["is_ad"]).astype(bool)
        who, time_ms = int(array_of(raw["user_id"])[0]), int(array_of(raw["time_ms"])[0])
        return town.crowd.clicks(who, item, ads, np.zeros(len(item), int), time_ms)

    rules: dict[str, Rule] = {"random": chance, "newest": _newest, "count": _count, "oracle": truth}
    asked, features = rules[name], FeatureMap(features=(), labels=("click",))

    def program(raw: Batch) -> dict[str, Tensor]:
        return {"click": torch.from_numpy(asked(raw))}

    return Loaded("ranking", "rule", Ranker.__new__(Ranker), Encoders(features, {}, {}), {"model": name}, program)
