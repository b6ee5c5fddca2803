"""HDR (KDD 2023, arXiv 2305.12837): for a promotion's days, the labels of earlier days that were alike.

The view of clicks, 13 months. The last promotion is served from its tenth hour on, with what was known by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from recommend.data.memory import MemoryStream
from recommend.data.oracle import no_oracle
from recommend.data.ragged import Column, array_of, concat_batches, select_batch, slice_batch
from recommend.features.encoders import Encoders
from recommend.metrics.calibration import divergence, pcoc
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.hdr import HDR, Correction, Rates, correct, fine_tune, nearest
from recommend.research.studies.market import read_clicks
from recommend.research.studies.study import Claim, Measures, Setting, Study
from recommend.research.world.read import world_map
from recommend.training.trainer import train

RIPE, FIRST_HOURS, RECENT, RETRIEVED, BATCH = 9, 10, 3, 12, 128  # days, hours, days, days, rows
CALENDAR = world_map(("order",))
TUNED = Rates(net=1e-4, block=1e-3)  # and RETRIEVED: chosen on seeds 8000 and 8001
ARMS = ("hdr", "from_number", "from_number_ordinary")  # of these the first weighs positives
MOVED = ("from_number", "from_number_ordinary")  # begin where ``one_number`` ends


@dataclass
class Days:
    """The clicks by day.

    Attributes:
        rows: encoded columns and the label, which is ripe.
        kind: (days,) of the promotion, -1 without one.
        promotion, ordinary: judged days; nothing younger than ``RIPE`` days before them trains.
    """

    rows: dict[str, Column]
    sizes: dict[str, int]
    day: np.ndarray
    early: np.ndarray
    category: np.ndarray
    order: np.ndarray
    true: np.ndarray
    kind: np.ndarray
    promotion: np.ndarray
    ordinary: np.ndarray
    models: dict[int, HDR] = field(default_factory=dict)

    def part(self, which: np.ndarray) -> dict[str, Column]:
        """The rows of a mask."""
        return select_batch(self.rows, torch.from_numpy(np.flatnonzero(which)))

    def production(self, first: int, setting: Setting) -> HDR:
        """DIN on the ripe clicks before a day, one pass."""
        config, how = setting.configs()
        if first not in self.models:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(setting.seed)
                known = setting.inputs(CALENDAR, counts=False)
                columns = tuple(f for f in known.features if f.column != "promotion_kind")
                model = HDR(known.model_copy(update={"features": columns}), self.sizes, config)
            model.block.requires_grad_(False)
            ripe = self.day < first - RIPE
            model.start_at({"order": float(self.order[ripe].mean())})
            train(model, MemoryStream(self.part(ripe), how.batch_rows), how)
            self.models[first] = model.requires_grad_(True).eval()
        return self.models[first]

    def scores(self, model: HDR, which: np.ndarray) -> np.ndarray:
        """(rows of the mask,) predicted conversion rates."""
        batches = MemoryStream(self.part(which), 4_096)
        return np.concatenate([model.predict(b)["order"].double().numpy() for b in batches])

    def alike(self, today: int) -> Sequence[int]:
        """Ripe days for a day: by calendar status and nearness."""
        days = np.arange(RECENT + RIPE, today - RIPE)
        status = days[(self.kind[days] >= 0) == (self.kind[today] >= 0)]
        # Conversions of the days until the tenth hour are not in; the rates are those of the latest ripe days.
        size = int(self.category.max()) + 1
        rate = np.bincount(self.day, self.order) / np.maximum(np.bincount(self.day), 1)
        share = np.zeros((len(self.kind), size))
        np.add.at(share, (self.day[self.early], self.category[self.early]), 1)
        share /= np.maximum(share.sum(1, keepdims=True), 1)
        recent = np.array([[rate[d - RIPE - j] for j in range(RECENT)] for d in (today, *status)])
        places = nearest([recent[0], share[today]], [recent[1:], share[status]], RETRIEVED)
        return list(status[places])


def prepare(root: Path, setting: Setting) -> Days:
    """The clicks, encoded on those before the first judged day."""
    calendar = setting.inputs(CALENDAR, counts=False)
    parts, truth = read_clicks(root, [*calendar.columns, "time_ms", "hour"])
    kind = np.array([int(array_of(p["promotion_kind"])[0]) for p in parts])
    starts = np.flatnonzero((kind >= 0) & (np.roll(kind, 1) < 0))
    last = starts[-1] if len(parts) - starts[-1] >= 3 or len(starts) < 2 else starts[-2]
    promotion = np.arange(last, len(parts))[: max(int((kind[last:] >= 0).cumprod().sum()), 1)]
    gap = int(last - starts[starts < last][-1]) // 2
    day = np.repeat(np.arange(len(parts)), [len(p["time_ms"]) for p in parts])
    raw = concat_batches(parts)
    encoders = Encoders.fit(calendar, [slice_batch(raw, 0, int((day < last - gap - RIPE).sum()))], 10)
    encoded = encoders(raw)
    names = [*(f.column for f in calendar.features), "order"]
    early = array_of(raw["hour"]) < FIRST_HOURS
    order, category = array_of(raw["order"]).astype(np.float64), array_of(raw["category"])
    rows = {n: encoded[n] for n in names}
    return Days(rows, encoders.sizes(), day, early, category, order, truth["p_order"], kind, promotion, promotion - gap)


def served(name: str, days: Days, today: int, first: int, setting: Setting) -> np.ndarray:
    """Predictions of a day's clicks after the first hours."""
    now, late = (days.day == today) & days.early, (days.day == today) & ~days.early
    base = days.production(first, setting)
    if name.startswith("production"):
        return days.scores(base, late)
    past = np.isin(days.day, days.alike(today))
    if name == "one_number" or name in MOVED:
        number = fitted_shift(days.scores(base, past), days.order[past])
        base = base.moved(number)
    if name == "one_number":
        return days.scores(base, late)
    opening = past & days.early
    rate = float(days.order[opening].mean())
    correction = Correction(rate, rate)
    if name == "hdr":
        correction = correct(days.scores(base, opening), days.order[opening], days.scores(base, now))
    batches = MemoryStream(days.part(past), BATCH, shuffle=setting.seed)
    return days.scores(fine_tune(base, batches, TUNED, correction.ratio), late)


def fitted_shift(scores: np.ndarray, labels: np.ndarray) -> float:
    """The one number that, added to the log-odds of the scores, fits the labels best (Newton's method)."""
    odds, moved = np.log(scores / (1 - scores)), 0.0
    for _ in range(30):
        p = 1 / (1 + np.exp(-odds - moved))
        moved += float((labels - p).sum() / max((p * (1 - p)).sum(), 1e-9))
    return moved


def run(name: str, days: Days, setting: Setting) -> Measures:
    """KL to the true conversion rates of the promotion's clicks, millinats; expected AUC; PCOC by labels."""
    judged = days.ordinary if name.endswith("_ordinary") else days.promotion
    late = np.isin(days.day, judged) & ~days.early
    true = days.true[late]
    if name in ("mean", "truth"):
        p = true if name == "truth" else np.full(len(true), true.mean())
    else:
        with no_oracle():
            p = np.concatenate([served(name, days, int(d), int(judged[0]), setting) for d in judged])
    kl, constant = 1000 * divergence(true, p), 1000 * divergence(true, np.full(len(true), true.mean()))
    return {"kl": kl, "auc": expected_auc(true, p), "pcoc": pcoc(days.order[late], p), "share": 1 - kl / constant}


STUDY = Study(
    name="hdr",
    title="HDR: labels of earlier promotions",
    paper="2305.12837",
    claim="Fine-tuning a block on similar earlier days predicts a promotion better than one number on its level.",
    prepare=prepare,
    run=run,
    arms=("mean", "production", "one_number", *ARMS, "production_ordinary", "truth"),
    trained=("production", "one_number", *ARMS, "production_ordinary"),
    base="production",
    primary=Claim("more than one number", "from_number", "one_number", "kl", lower=True),
    also=("hdr",),
    deviation="`from_number` is `hdr` but that it begins where `one_number` ends, and weighs no positives.",
    secondary=(
        Claim("the same, as printed", "hdr", "one_number", "kl", lower=True),
        Claim("over the production model", "from_number", "production", "kl", lower=True),
    ),
    control=Claim("days without promotion", "from_number_ordinary", "production_ordinary", "kl", lower=True),
    margin=1.0,
    unit="millinats a click of KL to the truth",
    sizes={"clicks": 1_000_000},
    rows="clicks",
    limits=(
        "Labels younger than nine days train nobody.",
        "A day has 2,500 clicks; a marketplace's has millions.",
    ),
    home={"uplift_spread": 0.9, "clicks": 120_000, "uplift": 1.0, "promotion_every": 30},
    why="A promotion each month lifts orders much, and some kinds far more than others.",
)
