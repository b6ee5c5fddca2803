"""HDR (KDD 2023, arXiv 2305.12837): clicks of similar earlier days repair the conversion model on a promotion's days.

The world's third promotion (days 22 and 23) is served from its tenth hour on; the first one (4, 5) is of its kind, the
second (13, 14) of the other. Claims, all of a direction only since the paper's tables of offline results could not be
had: HDR beats the production model in logloss and PCOC; similar days beat random ones and the latest promotion; the
correction of the shift brings PCOC nearer to 1; the block beats training all weights. Beside them stands ``shift``, one
number on the log-odds fitted on the same days, which says how much of the gain is more than a level.

Controls: two ordinary days in the middle between promotions, with HDR forced upon them, where there is no other
distribution to adapt to; and the promotion's clicks with other outcomes (appetite), which the correction cannot see.

Expected before the seeds of the verdict were run, from seeds 100 and 101 on which rates and passes were set (mean
logloss of production 0.339, HDR 0.325, all weights 0.326, last layer 0.326, shift 0.325): the first two claims hold,
the block's does not, and the correction has too few clicks (about 115 in ten hours) to say anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.contents import Contents
from recommend.data.memory import MemoryStream
from recommend.data.parquet import ParquetStream
from recommend.data.schema import ENTITIES, table_files
from recommend.data.world.config import DAY_MS, HOUR_MS
from recommend.data.world.oracle import no_oracle, open_oracle
from recommend.data.world.write import LOG
from recommend.experiments.marketplace import world_folder
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.statistics import Claim
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap, impression_map
from recommend.features.ragged import Column, concat_batches, select_batch
from recommend.metrics.calibration import pcoc
from recommend.metrics.report import measures
from recommend.models.hdr import HDR, RIPE, Correction, Deployment, Rates, correct, fine_tune, nearest
from recommend.models.registry import build_model
from recommend.training.trainer import train

CONVERTED = "converted"
WINDOW = 7  # days after a click in which an order counts as its conversion
FIRST_HOURS = 10  # of the day, after which HDR looks back and then serves
RECENT = 3  # days before, whose conversion rates stand in a day's vector
CATEGORIES = 20  # representative ones: the most shown
RETRIEVED = 2  # days, the length of a promotion
PROMOTION, ORDINARY = (22, 23), (18, 19)  # judged: the last promotion, whose kind was there on days 4 and 5
HOURS = ((10, 14), (14, 18), (18, 21), (21, 24))  # PCOC by hour
MODEL = ModelConfig(name="hdr", embedding=8, mlp=(64, 32))
CLICKS = TrainConfig(batch_rows=256, learning_rate=2e-3, threads=1)
TRAIN = TrainConfig(batch_rows=64, learning_rate=3e-4, threads=1)
TUNE_ROWS = 64  # a batch of the fine-tuning

TUNED = Rates(net=1e-5, block=3e-3)
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
            _start(model, float((log.converted[ripe] < np.inf).mean()))
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
            _start(self.warm, float(_numpy(data, "click").mean()))
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


def _start(model: HDR, rate: float) -> None:
    """Let a model begin at the mean rate: a pass is too short to find it."""
    last = model.top.layers[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias.fill_(math.log(rate / (1 - rate)))


@dataclass(frozen=True)
class Arm:
    """How a day is adapted to.

    Attributes:
        how: retrieval; None serves the production model.
        passes: over the retrieved days. Each arm's rates and passes are the best of seven pairs on seeds 100 and 101.
        correction: whether positives are weighed; ``strength`` None balances it.
        shift: instead of fine-tuning, one number is added to the production model's log-odds.
        target: what is done to the judged days, for controls.
    """

    how: How | None = "status"
    rates: Rates = TUNED
    passes: int = 1
    correction: bool = True
    strength: float | None = None
    shift: bool = False
    days: tuple[int, ...] = PROMOTION
    target: Literal["as it is", "label shift", "appetite"] = "as it is"


@dataclass(frozen=True)
class Served:
    """One day's answers: which clicks, (clicks so chosen,) probabilities, and what happened inside."""

    which: np.ndarray
    probabilities: np.ndarray
    inside: dict[str, float]


def adapt(replay: Replay, arm: Arm, day: int, today: np.ndarray) -> Served:
    """Serve a day's clicks after the first hours.

    Args:
        today: (clicks,) bool: the day's clicks, or part of them.
    """
    log, base = replay.log, replay.production(day)
    early = log.hour < FIRST_HOURS
    served, now = today & ~early, today & early
    if arm.how is None:
        return Served(served, replay.scores(base, served), {})
    days = replay.retrieve(day, arm.how)
    past = np.isin(log.day, days)
    labels, first = np.isfinite(log.converted), past & early
    inside = {"right": float(np.isin(days, replay.retrieve(day, "kind")).mean())}
    if arm.shift:
        moved = shifted(replay.scores(base, past), labels[past], replay.scores(base, served))
        return Served(served, moved, inside)
    rate = float(labels[first].mean())
    found = Correction(rate, rate)
    if arm.correction:
        found = correct(replay.scores(base, first), labels[first], replay.scores(base, now), strength=arm.strength)
    data = replay.encode(past, labels[past])
    seeds = [replay.setting.seed * 100 + number for number in range(arm.passes)]
    batches = [batch for seed in seeds for batch in MemoryStream(data, TUNE_ROWS, shuffle=seed)]
    tuned = fine_tune(base, batches, arm.rates, found.ratio)
    deployment = Deployment(base)
    pushed = deployment.push(tuned, day, float(replay.scores(tuned, now).mean()), found.today)
    inside |= {"ratio": found.ratio, "pushed": float(pushed)}
    return Served(served, replay.scores(deployment.model(day), served), inside)


def shifted(scores: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Probabilities whose log-odds are moved by the number that fits the labels best (Newton's method)."""
    odds, moved = np.log(scores / (1 - scores)), 0.0
    for _ in range(30):
        p = 1 / (1 + np.exp(-odds - moved))
        moved += (labels - p).sum() / max((p * (1 - p)).sum(), 1e-9)
    return 1 / (1 + np.exp(-np.log(asked / (1 - asked)) - moved))


ARMS = {
    "production": Arm(how=None),
    "shift": Arm(shift=True),
    "hdr": Arm(),
    "all_days": Arm(how="all"),
    "all_days_reduced": Arm(how="reduced"),
    "same_kind": Arm(how="kind"),
    "latest": Arm(how="latest"),
    "random": Arm(how="random"),
    "no_correction": Arm(correction=False),
    "small_strength": Arm(strength=1e-3),
    "no_block": Arm(rates=Rates(net=1e-5, block=0)),
    "full": Arm(rates=Rates(net=3e-3, block=0, tables=3e-3)),
    "last_layer": Arm(rates=Rates(net=0, block=0, last=1e-2), passes=3),
    "production_ordinary": Arm(how=None, days=ORDINARY),
    "hdr_ordinary": Arm(days=ORDINARY),
    "hdr_shifted": Arm(target="label shift"),
    "no_correction_shifted": Arm(correction=False, target="label shift"),
    "hdr_appetite": Arm(target="appetite"),
    "no_correction_appetite": Arm(correction=False, target="appetite"),
}
KEENER = 0.7  # log-odds of the control of appetite
KEPT = 0.5  # of the clicks without conversion, in the label shift


def run(name: str, replay: Replay, setting: Setting) -> Measures:
    """Measures of an arm over its days: the usual ones, ``off`` = |ln PCOC|, PCOC by hours, and where it applies the
    weight of the positives (``ratio``), whether the copy was pushed, and the share of retrieved days of the right kind
    (``right``)."""
    arm, log = ARMS.get(name, Arm()), replay.log
    outcome = np.isfinite(log.converted)
    rng = np.random.default_rng([setting.seed, 7])
    kept = np.ones(len(outcome), dtype=bool)
    if arm.target == "label shift":
        kept = outcome | (rng.random(len(outcome)) < KEPT)
    if name == "oracle":
        which = np.isin(log.day, arm.days) & (log.hour >= FIRST_HOURS)
        parts = [Served(which, replay.truth[which], {})]
    else:
        with no_oracle():
            parts = [adapt(replay, arm, day, kept & (log.day == day)) for day in arm.days]
    if arm.target == "appetite":
        odds = np.log(replay.truth / (1 - replay.truth)) + KEENER
        outcome = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    which = np.concatenate([np.flatnonzero(part.which) for part in parts])
    p, y, hour = np.concatenate([part.probabilities for part in parts]), outcome[which], log.hour[which]
    found = {**measures(y, p, log.user[which]), "off": abs(math.log(pcoc(y, p)))}
    for first, last in HOURS:
        at = (hour >= first) & (hour < last)
        found[f"pcoc_{first}"] = pcoc(y[at], p[at])
    for key in parts[0].inside:
        found[key] = float(np.mean([part.inside[key] for part in parts]))
    return found


def prepare(setting: Setting) -> Replay:
    """The seed's log."""
    folder = world_folder(setting.worlds, setting.scale, setting.seed, setting.knobs)
    log = read_log(folder / LOG)
    return Replay(log, setting, min(ORDINARY + PROMOTION), open_oracle(folder)["p_order"][log.row])


RECIPE = Recipe(
    name="hdr",
    paper="2305.12837",
    arms=(*ARMS, "oracle"),
    prepare=prepare,
    run=run,
    claims=(
        Claim("reuse over production", "logloss", "hdr", "production", lower_is_better=True),
        Claim("calibration over production", "off", "hdr", "production", lower_is_better=True),
        Claim("similar days over random ones", "logloss", "hdr", "random", lower_is_better=True),
        Claim("similar days over the latest promotion", "logloss", "hdr", "latest", lower_is_better=True),
        Claim("correction over none", "off", "hdr", "no_correction", lower_is_better=True),
        Claim("block over all weights", "logloss", "hdr", "full", lower_is_better=True),
    ),
    controls=(
        Claim(
            "ordinary days",
            "logloss",
            "hdr_ordinary",
            "production_ordinary",
            controls="reuse over production",
            lower_is_better=True,
        ),
        Claim(
            "appetite, which scores do not show",
            "off",
            "hdr_appetite",
            "no_correction_appetite",
            controls="correction over none",
            lower_is_better=True,
        ),
    ),
)
