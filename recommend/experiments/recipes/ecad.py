"""ECAD (CIKM 2023, arXiv 2308.04768): effective conversions, bought and not returned, while labels are still to come.

Day by day, from settled labels only, with bodies that were first trained on the clicks of the warm-up. Windows of three
days for the order after the click and for the refund after the order are those of the CASCADE log; the paper's own and
its tables are not known to us, so that only directions are claimed.

Claims, all on the clicks of the last 16 days, each predicted before its own day: window towers come closer to the true
ECVR than daily batches of fully aged labels (``direct``) and than the best stream with importance weights (``defer``),
and closer to the true refund rate, over all clicks, than a tower for orders alone (``cvr_rfr``).

Control, in which the first effect must vanish (``_calm``): a world whose appetite never moves and whose delays, and
windows, are a hundredth, so that there is nothing to wait for and by midnight nearly all has settled for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.delayed_labels import DAY_MS
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.setups.streaming import Asked, Market, open_clicks, settled, stream, warm_start
from recommend.experiments.statistics import Claim
from recommend.features.feature_map import impression_map
from recommend.metrics.calibration import divergence
from recommend.metrics.ranks import auc
from recommend.models import ecad_baselines as delayed
from recommend.models.ecad import ECAD, Towers

FEATURES = impression_map(labels=("order", "refund"), history=20, content=16)
MODEL = ModelConfig(embedding=16, mlp=(64, 32))
TRAIN = TrainConfig(batch_rows=128, threads=1)
WARM_UP = 14  # days; those after it are asked for
DAYS = 3.0  # of each attribution window
WAIT = 0.25  # days until the first label of ES-DFM and DEFER
WINDOWS = {"order_edges": (0.25, 1.0, 3.0), "refund_edges": (1.0, 3.0, 6.0)}
CALM = {"order_drift": 0.0, "click_drift": 0.0, "promotion_days": 0}
SHORT = 0.01  # the calm world's delays and windows, of the usual ones


STAGES = {"order_days": DAYS, "refund_days": DAYS, "wait_days": WAIT}
ESMM = {"order_edges": (DAYS,), "refund_edges": (2 * DAYS,)}
# More passes over a day's samples for methods that see a click less often; more made direct, defer and ecad worse.
TWICE = ("epochs=2",)
FIRST = "early over settled"  # the claim whose effect the controls must not show


@dataclass(frozen=True)
class Method:
    """An arm: its model, the model's options in days, and its own training settings (set on seed 100)."""

    model: Callable[..., Towers]
    changes: tuple[str, ...] = ()
    days: Mapping[str, Any] = field(default_factory=lambda: STAGES)
    foresight: bool = False
    world: str = ""

    def build(self, sizes: Mapping[str, int], config: ModelConfig, scale: float) -> Towers:
        """A fresh model, its days multiplied by ``scale``."""
        options = {n: tuple(x * scale for x in d) if isinstance(d, tuple) else d * scale for n, d in self.days.items()}
        return self.model(FEATURES, sizes, config, **options)


METHODS = {
    "direct": Method(delayed.Direct),
    "naive": Method(delayed.ObservedNow, TWICE),
    "cvr_rfr": Method(delayed.Settled, TWICE),
    "esmm": Method(ECAD, TWICE, days=ESMM),
    "dfm": Method(delayed.DFM),
    "fnw": Method(delayed.FNW, TWICE),
    "fnc": Method(delayed.FNC, TWICE),
    "es_dfm": Method(delayed.ESDFM, TWICE),
    "defer": Method(delayed.DEFER),
    "ecad": Method(ECAD, days=WINDOWS),
    "ecad_aux": Method(partial(ECAD, main=True), days=WINDOWS),
    "oracle": Method(delayed.Oracle, ("epochs=4",), days=ESMM, foresight=True),
}
METHODS |= {f"{name}_calm": replace(METHODS[name], world="calm") for name in ("direct", "ecad")}


class Worlds:
    """The seed's world and its variant for the control, each opened when first asked for.

    Each comes with its clicks, the body that was trained on its warm-up, and the scale of its days.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self._open: dict[str, tuple[Market, dict[str, torch.Tensor], float]] = {}

    def __getitem__(self, name: str) -> tuple[Market, dict[str, torch.Tensor], float]:
        if name not in self._open:
            knobs = self.setting.knobs
            scale = SHORT if name == "calm" else 1.0
            changed = CALM | {"fast_delays": SHORT * knobs.get("fast_delays", 1.0)} if name == "calm" else {}
            setting = replace(self.setting, knobs={**knobs, **changed})
            market, shown = open_clicks(setting, FEATURES, WARM_UP, scale * DAYS, scale * DAYS)
            body = warm_start(FEATURES, market.sizes, shown, MODEL.changed(setting.model), setting.seed)
            self._open[name] = (market, body, scale)
        return self._open[name]


def fitted(method: Method, worlds: Worlds) -> Asked:
    """What a method predicts for the clicks after the warm-up."""
    setting, (market, body, scale) = worlds.setting, worlds[method.world]
    train_config = TRAIN.changed([*method.changes, *setting.train, f"seed={setting.seed}"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setting.seed)
        model = method.build(market.sizes, MODEL.changed(setting.model), scale)
    model.load_state_dict({**model.state_dict(), **body})
    return stream(model, market.log, range(market.days), WARM_UP, train_config, method.foresight)


def judge(market: Market, rows: np.ndarray, p: Mapping[str, np.ndarray], days: float = DAYS) -> dict[str, float]:
    """Measures of predictions for clicks: against the truth, but for AUC, which takes the final labels.

    ``kl`` is in thousandths of a nat a click; ``mae`` relative to the mean; NaN where a method does not say.
    """
    bought, back = settled(market.log, rows, days, days)
    unsaid = np.full(len(rows), np.nan)
    found = {"auc": auc(bought & ~back, p["ecvr"])}
    truth = market.truth
    for prefix, name, t in (("", "ecvr", truth.ecvr), ("cvr_", "order", truth.order), ("rfr_", "rfr", truth.rfr)):
        true, said = t[rows], p.get(name, unsaid).astype(np.float64)
        found[f"{prefix}kl"] = 1000 * divergence(true, said)
        found[f"{prefix}mae"] = float(np.abs(said - true).sum() / true.sum())
        found[f"{prefix}pcoc"] = float(said.sum() / true.sum())
    return found


def run(name: str, worlds: Worlds, setting: Setting) -> Measures:
    """An arm's measures; ``truth`` is the best possible, ``mean`` the true mean rates for everyone."""
    if name in ("truth", "mean"):
        market = worlds[""][0]
        rows = np.arange(market.log.count(WARM_UP * DAY_MS - 1), market.log.count(market.days * DAY_MS - 1))
        truth = {n: getattr(market.truth, n)[rows] for n in ("order", "rfr", "ecvr")}
        if name == "mean":
            truth = {n: np.full(len(rows), t.mean()) for n, t in truth.items()}
        return {**judge(market, rows, truth), "trained": 0}
    asked = fitted(METHODS[name], worlds)
    market, _, scale = worlds[METHODS[name].world]
    return {**judge(market, asked.rows, asked.probabilities, scale * DAYS), "trained": asked.trained}


RECIPE = Recipe(
    name="ecad",
    paper="2308.04768",
    arms=("mean", *METHODS, "truth"),
    prepare=Worlds,
    run=run,
    claims=(
        Claim(FIRST, "kl", "ecad", "direct", lower_is_better=True),
        Claim("windows over importance weights", "kl", "ecad", "defer", lower_is_better=True),
        Claim("all clicks over orders alone", "rfr_kl", "ecad", "cvr_rfr", lower_is_better=True),
    ),
    controls=(
        Claim(
            "nothing moves, nothing to wait for", "kl", "ecad_calm", "direct_calm", controls=FIRST, lower_is_better=True
        ),
    ),
)
