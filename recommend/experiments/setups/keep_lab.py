"""The bench on which KEEP's arms stand: a world with its extractors, its base ranker and the knowledge by day.

Days: the plug goes in on day 14, knowledge is published again on day 22, the log ends with day 29.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from recommend.config import TrainConfig
from recommend.data.knowledge import KnowledgeStore
from recommend.data.memory import MemoryStream
from recommend.data.schema import CHANNELS
from recommend.data.world.config import DAY_MS
from recommend.experiments.arms import EVALUATED_ROWS, FEATURES, MODEL, TRAIN
from recommend.experiments.recipe import Setting
from recommend.experiments.setups.keep_data import (
    TASKS,
    SuperDomain,
    day_by_day,
    list_items,
    looked_up,
    publish,
)
from recommend.experiments.setups.marketplace import world_folder
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Column
from recommend.metrics.ranks import auc
from recommend.metrics.report import measures
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.keep import KEEP, KINDS, Extractor, knowledge_features
from recommend.training.scoring import predictions
from recommend.training.trainer import train

FIRST, REFRESH, LAST = 14, 22, 29  # days: the plug goes in, knowledge is published again, the log ends
ADS = "ads"
INDEPENDENT = {"channel_taste_corr": 0.0}  # knobs of the control's world
# Learning rates and batches were set on seeds 100 and 101, the sub-domain's and KEEP's each on its own (the same rates
# won), fine-tuning's and the joint model's on 100 alone; no verdict uses those seeds.
PRETRAIN = TRAIN.changed(["learning_rate=0.001", "threads=1"])
BASE = TRAIN.changed(["batch_rows=64", "learning_rate=0.004", "threads=1"])
DAILY, FINE, JOINT = 0.001, 0.0003, 0.0005  # on ads alone, of a pre-trained model, of all channels
EXTRACTED = FeatureMap(features=tuple(f for f in FEATURES.features if f.kind != "number"), labels=TASKS)

Rows = dict[str, Column]
Knowledge = dict[int, dict[str, Tensor]]  # by day, of its ads in their order
Model = TypeVar("Model", bound=Ranker)


@dataclass(frozen=True)
class Lab:
    """A world with what its arms share; each part is made when the first arm asks for it."""

    domain: SuperDomain
    setting: Setting

    @cached_property
    def asked(self) -> np.ndarray:
        """Rows of the ads of all days that are predicted."""
        return self.domain.where(FIRST, LAST, ADS)

    @cached_property
    def base(self) -> DIN:
        """The ranker of the ads as it stands when the plug comes: one pass over the ads of days 0 to 13."""
        return self.trained(self.new(DIN, FEATURES), self.domain.rows(self.domain.where(0, FIRST - 1, ADS)), BASE)

    @cached_property
    def extractor(self) -> Extractor:
        return self.pretrained(self.new(Extractor, EXTRACTED), 0, FIRST - 1)

    @cached_property
    def refreshed(self) -> Extractor:
        """Goes on from the weights that it had, so that its coordinates stay."""
        return self.pretrained(copy.deepcopy(self.extractor), FIRST, REFRESH - 1)

    @cached_property
    def rotated(self) -> Extractor:
        """Learned anew from other initial weights: the same knowledge in other coordinates."""
        return self.pretrained(self.new(Extractor, EXTRACTED, shift=1_000), 0, REFRESH - 1)

    @cached_property
    def clicks_only(self) -> tuple[Extractor, Extractor]:
        first = self.new(Extractor, EXTRACTED.model_copy(update={"labels": TASKS[:1]}))
        self.pretrained(first, 0, FIRST - 1)
        return first, self.pretrained(copy.deepcopy(first), FIRST, REFRESH - 1)

    @cached_property
    def whole(self) -> DIN:
        """The undecomposed multi-task DIN of all channels."""
        return self.pretrained(self.new(DIN, FEATURES.model_copy(update={"labels": TASKS})), 0, FIRST - 1)

    @cached_property
    def knowledge(self) -> Knowledge:
        return self.stored(self.extractor, self.refreshed)

    def new(self, cls: Callable[..., Model], features: FeatureMap, shift: int = 0) -> Model:
        """A fresh model; equal seeds give equal weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.setting.seed + shift)
            return cls(features, self.domain.encoders.sizes(), MODEL.changed(list(self.setting.model)))

    def config(self, config: TrainConfig, rate: float | None = None) -> TrainConfig:
        own = [] if rate is None else [f"learning_rate={rate}"]
        return config.changed([*own, *self.setting.train, f"seed={self.setting.seed}"])

    def trained(self, model: Model, rows: Rows, config: TrainConfig) -> Model:
        """One pass in the order of time; returns the model."""
        config = self.config(config)
        train(model, MemoryStream(rows, config.batch_rows), config)
        return model.eval()

    def pretrained(self, model: Model, first: int, last: int) -> Model:
        """One pass over all channels of a window, with the labels known at its end."""
        self.trained(model, self.domain.window(first, last), PRETRAIN)
        if isinstance(model, Extractor):
            model.until_ms = max(model.until_ms, (last + 1) * DAY_MS)
        return model

    def stored(
        self, extractor: Extractor, after: Extractor | None, raw: dict[str, np.ndarray] | None = None
    ) -> Knowledge:
        """Knowledge of each day's ads through a store: published on the first day and, by ``after``, on the day of
        refresh; items are added when they are listed.

        Args:
            raw: the keys to look up instead of the rows' own.
        """
        found, raw = {}, raw or self.domain.raw
        with tempfile.TemporaryDirectory() as folder, KnowledgeStore(Path(folder)) as store:
            publish(store, extractor, self.domain, FIRST * DAY_MS)
            for day in range(FIRST, LAST + 1):
                if day == REFRESH and after is not None:
                    extractor = after
                    publish(store, extractor, self.domain, REFRESH * DAY_MS)
                list_items(store, extractor, self.domain, day * DAY_MS, (day + 1) * DAY_MS)
                index = self.domain.where(day, day, ADS)
                with store.snapshot() as snapshot:
                    found[day] = looked_up(snapshot, {name: values[index] for name, values in raw.items()})
        return found

    def days(self, knowledge: Knowledge | None = None, channel: str | None = ADS) -> Iterator[tuple[Rows, Rows]]:
        """What is asked and what is learned on each day."""
        for day in range(FIRST, LAST + 1):
            asked = {**self.domain.rows(self.domain.where(day, day, ADS)), **(knowledge or {}).get(day, {})}
            yield asked, (asked if channel else self.domain.rows(self.domain.where(day, day)))

    def daily(self, model: Ranker, knowledge: Knowledge | None = None, rate: float = DAILY) -> np.ndarray:
        """Predictions of the ads, each day's before it is learned."""
        return day_by_day(model, self.days(knowledge), self.config(BASE, rate))

    def plugged(self, knowledge: Knowledge, kinds: tuple[str, ...] = KINDS) -> np.ndarray:
        """The base with knowledge of some kinds plugged in, from day 14 on."""
        width = next(iter(knowledge[FIRST].values())).shape[1]
        model = self.new(KEEP, FeatureMap(features=(*FEATURES.features, *knowledge_features(width, kinds))))
        model.inherit(self.base)
        return self.daily(model, knowledge)

    def judge(self, p: np.ndarray) -> dict[str, float]:
        """Measures over all days; AUC of the first and last four, after the refresh, and of users with few ads."""
        raw = {name: values[self.asked] for name, values in self.domain.raw.items()}
        day, user, click = raw["day"], raw["user_id"], raw["click"]
        earlier = self.domain.where(0, FIRST - 1, ADS)
        seen = np.bincount(self.domain.raw["user_id"][earlier], minlength=int(user.max()) + 1)[user]
        parts = {
            "auc_first": day < FIRST + 4,
            "auc_late": day >= REFRESH,
            "auc_refresh": (day >= REFRESH) & (day < REFRESH + 2),
            "auc_last": day > LAST - 4,
            "auc_few": seen <= np.median(seen),
        }
        return {**measures(click, p, user), **{name: auc(click[at], p[at]) for name, at in parts.items()}}

    def elsewhere(self, first: int, last: int) -> np.ndarray:
        """Rows of the other channels."""
        index = self.domain.where(first, last)
        return index[self.domain.raw["channel"][index] != CHANNELS.index(ADS)]

    def scored(self, model: Ranker, index: np.ndarray) -> np.ndarray:
        """Click probabilities of rows, by a model as it is now."""
        return predictions(model, MemoryStream(self.domain.rows(index), EVALUATED_ROWS))["p_click"]

    def clicks_of(self, whole: DIN) -> DIN:
        """An undecomposed model with its click output alone."""
        model = self.new(DIN, FEATURES)
        old, shapes = whole.state_dict(), model.state_dict()
        model.load_state_dict({name: v if v.shape == shapes[name].shape else v[:1] for name, v in old.items()})
        return model


class Labs(dict[str, Lab]):
    """The seed's world, ``default``, and a control world, ``independent``, in which taste inside the ads has nothing to
    do with taste elsewhere; each is read when the first arm asks for it."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.setting = setting

    def __missing__(self, name: str) -> Lab:
        setting = self.setting
        knobs = {"default": setting.knobs, "independent": {**setting.knobs, **INDEPENDENT}}[name]
        folder = world_folder(setting.worlds, setting.scale, setting.seed, knobs)
        self[name] = Lab(SuperDomain.read(folder, FEATURES, FIRST), setting)
        return self[name]
