"""Days of a log, one after the other, with what was known of clicks and orders at any moment of each.

HDR's recipe replays them: which earlier days are like today's first hours, which clicks are ripe, and a model that is
trained on as each midnight comes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.content_join import Contents
from recommend.data.memory import MemoryStream
from recommend.data.parquet import ParquetStream
from recommend.data.schema import ENTITIES, table_files
from recommend.data.world.config import DAY_MS, HOUR_MS
from recommend.experiments.recipe import Setting
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap, impression_map
from recommend.features.ragged import Column, concat_batches, select_batch
from recommend.models.hdr import HDR, RIPE, nearest
from recommend.models.registry import build_model
from recommend.training.trainer import train

CONVERTED = "converted"
WINDOW = 7  # days after a click in which an order counts as its conversion
FIRST_HOURS = 10  # of the day, after which HDR looks back and then serves
RECENT = 3  # days before, whose conversion rates stand in a day's vector
CATEGORIES = 20  # representative ones: the most shown
RETRIEVED = 2  # days, the length of a promotion
MODEL = ModelConfig(name="hdr", embedding=8, mlp=(64, 32))
CLICKS = TrainConfig(batch_rows=256, learning_rate=2e-3, threads=1)
TRAIN = TrainConfig(batch_rows=64, learning_rate=3e-4, threads=1)

Days = np.ndarray
How = Literal["status", "all", "reduced", "random", "latest", "kind"]


def _features(label: str) -> FeatureMap:
    """The log's request features but the number of the promotion: a new one has a number that was never seen."""
    usual = impression_map(labels=(label,), history=20, content=16)
    return usual.model_copy(update={"features": tuple(f for f in usual.features if f.column != "promotion")})


FEATURES, FOR_CLICKS = _features(CONVERTED), _features("click")


@dataclass(frozen=True)
class Log:
    """A world's impressions and its clicks on items.

    Attributes:
        rows, clicks: raw columns of both, in the order of time.
        time, converted: (clicks,) ms of the request, and of the order (inf: none within ``WINDOW``).
        hour, row: (clicks,) hour of the day and impression id.
        shown, reduced: (days, categories) item impressions of the first hours, and those of them below the asked price.
        promotion: (days,) its number in the calendar, 0 without one.
    """

    rows: dict[str, Column]
    clicks: dict[str, Column]
    time: np.ndarray
    converted: np.ndarray
    hour: np.ndarray
    row: np.ndarray
    shown: np.ndarray
    reduced: np.ndarray
    promotion: np.ndarray

    @property
    def user(self) -> np.ndarray:
        return _numpy(self.clicks, "user_id")

    @property
    def day(self) -> np.ndarray:
        return self.time // DAY_MS

    def ripe_days(self, moment: int) -> Days:
        """Days with a vector, all of whose conversions are in at a moment."""
        days = np.arange(RECENT, len(self.promotion))
        return days[(days + 1 + WINDOW) * DAY_MS <= moment]


def read_log(root: Path) -> Log:
    """Read a world's log, never its truth."""
    more = ("impression_id", "time_ms", "entity", "price", "promotion")
    rows = _read(root, "impression", [*FOR_CLICKS.columns, *more])
    rows = Contents.read(root, FOR_CLICKS)(rows)
    item = _numpy(rows, "entity") == ENTITIES.index("item")
    clicks = select_batch(rows, _places(item & _numpy(rows, "click").astype(bool)))
    orders = _read(root, "order", ["impression_id", "time_ms"])
    time, row = _numpy(clicks, "time_ms"), _numpy(clicks, "impression_id")
    when = np.full(len(item), np.inf)
    when[_numpy(orders, "impression_id")] = _numpy(orders, "time_ms")
    converted = np.where(when[row] <= time + WINDOW * DAY_MS, when[row], np.inf)

    listed = _read(root, "item", ["item_id", "price"])
    asked = np.zeros(int(_numpy(listed, "item_id").max()) + 1)
    asked[_numpy(listed, "item_id")] = _numpy(listed, "price")
    moment, category = _numpy(rows, "time_ms"), _numpy(rows, "category")
    day = moment // DAY_MS
    shape = (int(day.max()) + 1, int(category.max()) + 1)
    first = item & (moment % DAY_MS < FIRST_HOURS * HOUR_MS)
    cut = first & (_numpy(rows, "price") < 0.98 * asked[_numpy(rows, "item_id")])
    promotion = np.zeros(shape[0], dtype=np.int64)
    promotion[day] = _numpy(rows, "promotion")
    shown, reduced = (
        np.bincount((day * shape[1] + category)[which], minlength=shape[0] * shape[1]).reshape(shape)
        for which in (first, cut)
    )
    hour = _numpy(clicks, "hour")
    return Log(rows, clicks, time, converted, hour, row, shown, reduced, promotion)


def _read(root: Path, table: str, columns: list[str]) -> dict[str, Column]:
    names = list(dict.fromkeys(columns))
    return concat_batches(list(ParquetStream(table_files(root, table), names, batch_rows=65_536)))


def _numpy(batch: dict[str, Column], name: str) -> np.ndarray:
    column = batch[name]
    assert isinstance(column, torch.Tensor)
    return column.numpy()


def _places(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.flatnonzero(mask))


@dataclass
class Replay:
    """A log replayed: at every moment only what was known by then.

    Attributes:
        start: the first day that is judged; the model of clicks stops before it.
        truth: (clicks,) true probability of an order, for the judge alone.
        models: production models by the day at whose midnight they were ready.
    """

    log: Log
    setting: Setting
    start: int
    truth: np.ndarray
    models: dict[int, HDR] = field(default_factory=dict)
    encoders: Encoders | None = None
    warm: HDR | None = None

    def encode(self, which: np.ndarray, converted: np.ndarray) -> dict[str, Column]:
        """Model input of some clicks."""
        assert self.encoders is not None
        found = self.encoders(select_batch(self.log.clicks, _places(which)))
        found[CONVERTED] = torch.from_numpy(converted)
        return {name: found[name] for name in (*(f.column for f in FEATURES.features), CONVERTED)}

    def scores(self, model: HDR, which: np.ndarray) -> np.ndarray:
        """(clicks,) predicted conversion rates."""
        return model.predict(self.encode(which, np.zeros(which.sum(), dtype=bool)))[CONVERTED].double().numpy()

    def production(self, day: int) -> HDR:
        """The model of conversions at a day's midnight: started from the model of clicks, which has seen ten times as
        many rows, and trained in one pass over all clicks before, with what is known of their conversions."""
        if day not in self.models:
            warm, log, now = self._clicks(), self.log, day * DAY_MS
            assert self.encoders is not None
            past = log.time < now
            data = self.encode(past, log.converted[past] <= now)
            data[RIPE] = torch.from_numpy(self.ripe(now, now - log.time[past])).float()
            config = TRAIN.changed([*self.setting.train, f"seed={self.setting.seed}"])
            model = self._build(FEATURES)
            model.load_state_dict(warm.state_dict())
            ripe = past & (log.day <= log.ripe_days(now).max())
            start_at(model, float((log.converted[ripe] < np.inf).mean()))
            train(model, MemoryStream(data, config.batch_rows), config)
            self.models[day] = model.requires_grad_(True).eval()
        return self.models[day]

    def _clicks(self) -> HDR:
        if self.warm is None:
            before = select_batch(self.log.rows, _places(_numpy(self.log.rows, "time_ms") < self.start * DAY_MS))
            fitted = Encoders.fit(FOR_CLICKS, [before], 10)
            self.encoders = Encoders(FEATURES, fitted.vocabularies, fitted.scales)
            data = fitted(before)
            data = {name: data[name] for name in (*(f.column for f in FOR_CLICKS.features), "click")}
            self.warm = self._build(FOR_CLICKS)
            start_at(self.warm, float(_numpy(data, "click").mean()))
            train(self.warm, MemoryStream(data, CLICKS.batch_rows), CLICKS.changed([f"seed={self.setting.seed}"]))
        return self.warm

    def _build(self, features: FeatureMap) -> HDR:
        assert self.encoders is not None
        config = MODEL.changed(list(self.setting.model))
        model = build_model(features, self.encoders.sizes(), config, self.setting.seed)
        assert isinstance(model, HDR)
        model.block.requires_grad_(False)  # the production model is without it
        return model

    def ripe(self, now: int, age: np.ndarray) -> np.ndarray:
        """Share of conversions that are in at an age in ms, as the ripe days had them."""
        log = self.log
        past = (log.day <= log.ripe_days(now).max()) & np.isfinite(log.converted)
        delays = np.sort(log.converted[past] - log.time[past])
        share = (np.searchsorted(delays, age, side="right") + 1) / (len(delays) + 1)
        return np.where(age >= WINDOW * DAY_MS, 1.0, share)

    def retrieve(self, day: int, how: How) -> Days:
        """Historical days for a day, at its tenth hour.

        Args:
            how: by the day's vector among ripe days of its calendar status (``status``: a promotion or not), among all
                ripe days (``all``), the same with reduced prices in the vector (``reduced``); at random; the last
                promotion; the last promotion of the same kind, which the shop knows, but HDR does not (``kind``).
        """
        log = self.log
        days = log.ripe_days(day * DAY_MS + FIRST_HOURS * HOUR_MS)
        alike = days[(log.promotion[days] > 0) == (log.promotion[day] > 0)]
        if how == "random":
            return np.random.default_rng([self.setting.seed, day]).choice(days, RETRIEVED, replace=False)
        if how == "latest":
            return alike[-RETRIEVED:]
        if how == "kind":
            return alike[(log.promotion[alike] - log.promotion[day]) % 2 == 0][-RETRIEVED:]
        often = np.argsort(-log.shown[days].sum(0), kind="stable")[:CATEGORIES]
        vectors = self._vectors(np.append(days, day), often, how == "reduced")
        ranked = days[nearest([v[-1] for v in vectors], [v[:-1] for v in vectors], len(days))]
        return (ranked[np.isin(ranked, alike)] if how == "status" else ranked)[:RETRIEVED]

    def _vectors(self, days: Days, often: np.ndarray, reduced: bool) -> list[np.ndarray]:
        """Blocks of the days' vectors: conversion rates of the days before as they were known in the tenth hour, and
        shares of the representative categories in the impressions until then."""
        log = self.log
        recent = [[self._rate(d - j, d * DAY_MS + FIRST_HOURS * HOUR_MS) for j in range(1, RECENT + 1)] for d in days]
        total = log.shown[days].sum(1, keepdims=True)
        blocks = [np.array(recent), log.shown[days][:, often] / total]
        return [*blocks, log.reduced[days][:, often] / total] if reduced else blocks

    def _rate(self, day: int, moment: int) -> float:
        return float((self.log.converted[self.log.day == day] <= moment).mean())


def start_at(model: HDR, rate: float) -> None:
    """Let a model begin at the mean rate: a pass is too short to find it."""
    last = model.top.layers[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias.fill_(math.log(rate / (1 - rate)))
