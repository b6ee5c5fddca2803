"""Rec4Ad (CIKM 2023, arXiv 2306.03527): organic impressions against the selection bias of an ads model.

Every arm is one DIN body, trained in one pass in the order of time on the same ad impressions, as the log has them (a
tenth of the feed pages show uniform ads). Judged on all ads that were considered for the logged pages of the test days,
which is what an ads system must judge, by their true probabilities: an AUC without the chance of single clicks.

All arms of the verdict read the same columns. The bid is not among them: the ads' policy chose by it, so that among
shown ads a high bid goes with few clicks, which holds for no other candidate; ``rec4ad_bid`` shows what that does.

Expected: +0.02 AUC over ads alone (what a pilot of the naive mix found; the paper's offline tables were not at hand),
and no less than the naive mix, nearer to the true rate. Control: a world in which both systems choose by one taste and
without bids. They still choose from other pools and with other strictness (two of about 58, eight of 40), so that they
are alike in taste, not in selection; and organic rows are still more rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recommend.config import TrainConfig
from recommend.data.batching import CutStream, interleave
from recommend.data.bids import filled_bids, log_bids
from recommend.data.memory import MemoryStream
from recommend.data.parquet import ParquetStream
from recommend.data.schema import CHANNELS, POLICIES
from recommend.data.splits import TimeSplit
from recommend.data.world.oracle import no_oracle
from recommend.data.world.write import LOG
from recommend.experiments.arms import EVALUATED_ROWS, MODEL, TRAIN
from recommend.experiments.arms import FEATURES as ALL
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.setups.disentanglement_probe import disentanglement
from recommend.experiments.setups.entities import expected_auc
from recommend.experiments.setups.marketplace import Marketplace, open_marketplace, world_folder
from recommend.experiments.setups.preranking import SLOTS, Candidates, read_candidates
from recommend.experiments.statistics import Claim
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, Column, concat_batches, rows_of, select_batch
from recommend.metrics.calibration import pcoc
from recommend.metrics.ranks import auc
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.rec4ad import ADS, ORGANIC, Domains, Parts, Propensity, Rec4Ad
from recommend.training.scoring import predictions
from recommend.training.trainer import train

LOGGED = ("policy", "channel", "propensity", "is_ad")
# Without the channel, which says who chose the row.
FEATURES = FeatureMap(features=tuple(f for f in ALL.features if f.column != "channel"), labels=ALL.labels, extra=LOGGED)
READ = FEATURES.model_copy(update={"extra": ()})
OWN = "log_bid"  # the log's only field that ads alone have
RATIO = 4.0  # organic rows for each ad row; the feed has about four
BATCH = 64  # ad rows of a batch
Knobs = dict[str, object]
SAME: Knobs = {"policies_differ": False}
UNIFORM: Knobs = {"uniform_share": 1.0}


@dataclass(frozen=True)
class Side:
    """One world: its rows by system, and the candidates on which its models are judged.

    Attributes:
        ads, organic: training rows, with ``system``, and ``log_bid`` filled in for what is no ad.
        test: all test rows with ``log_bid``, without ``system``: to be judged as ads.
    """

    market: Marketplace
    candidates: dict[str, Candidates]
    ads: dict[str, Column]
    organic: dict[str, Column]
    test: dict[str, Column]


def open_side(setting: Setting, knobs: Knobs, judged: Knobs) -> Side:
    """Load a world and part its training window by system.

    Args:
        knobs: changes to the setting's world.
        judged: knobs of the world whose candidates judge.
    """
    market = open_marketplace(replace(setting, knobs={**setting.knobs, **knobs}), FEATURES)
    here, there = (
        world_folder(setting.worlds, setting.scale, setting.seed, {**setting.knobs, **k}) for k in (knobs, judged)
    )
    rows = dict(market.train)
    is_ad = column(rows, "is_ad").bool()
    rows["system"] = torch.where(is_ad, ADS, ORGANIC)
    rows[OWN] = bids_of(here / LOG, market.split, "train")
    # Retrieved are organic rows of the feed, where the ads are; search and posts are other places with other wishes.
    feed = ~is_ad & (column(rows, "channel") == CHANNELS.index("feed"))
    ads, organic = (select_batch(rows, which.nonzero().squeeze(1)) for which in (is_ad, feed))
    candidates = read_candidates(there, market.split, market.encoders)
    test = {**market.test, OWN: bids_of(here / LOG, market.split, "test")}
    return Side(market, candidates, ads, organic, test)


def bids_of(log: Path, split: TimeSplit, part: str) -> Tensor:
    """(rows,) logarithm of the bids of the things shown; of what is listed until the part's last day."""
    shown = concat_batches(list(ParquetStream(split.files(log, part), ["item_id"], 65_536)))
    last = split.train[1] if part == "train" else split.test[1]
    return log_bids(filled_bids(log, column(shown, "item_id"), last))


def column(rows: Batch, name: str) -> Tensor:
    """A column that is not ragged."""
    found = rows[name]
    assert isinstance(found, Tensor)
    return found


@dataclass(frozen=True)
class Arm:
    """What is trained, on what.

    Attributes:
        model: class of the model.
        organic: organic rows for each ad row; 0: ads only.
        ads: share of the ad rows, drawn at random.
        side: ``default``, ``uniform`` (all ads drawn uniformly) or ``same`` (both systems choose alike).
        rate: learning rate, tuned for each arm on seed 100.
        clip: for ``Propensity``, the highest weight over the mean weight.
        robust: doubly robust instead of inverse propensities.
        batch: ad rows of a batch.
    """

    model: type[DIN] = DIN
    organic: float = RATIO
    ads: float = 1.0
    parts: Parts | None = None
    side: str = "default"
    rate: float = 1e-3
    clip: float = 0.0
    robust: bool = False
    batch: int = BATCH


SIDES: dict[str, tuple[Knobs, Knobs]] = {
    "default": ({}, {}),
    "uniform": (UNIFORM, {}),
    "same": (SAME, SAME),
}


@dataclass
class Prepared:
    """A seed's worlds, opened when first asked for."""

    setting: Setting
    sides: dict[str, Side] = field(default_factory=dict)

    def side(self, name: str) -> Side:
        """A world by its name in ``SIDES``; only the default one and that of the last call stay in memory."""
        if name not in self.sides:
            self.sides = {n: s for n, s in self.sides.items() if n == "default"}
            self.sides[name] = open_side(self.setting, *SIDES[name])
        return self.sides[name]


def fresh(arm: Arm, side: Side, setting: Setting) -> DIN:
    """The arm's model; equal seeds give equal weights, whatever was drawn before."""
    more: dict[str, Any] = {} if arm.parts is None else {"parts": arm.parts}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setting.seed)
        return arm.model(READ, side.market.encoders.sizes(), MODEL.changed(list(setting.model)), **more)


def rows_to_learn(arm: Arm, side: Side, setting: Setting, config: TrainConfig) -> CutStream:
    """Batches of as many ad rows each, in the order of time, with their share of the organic rows."""
    ads, none = some_of(side.ads, arm.ads, setting.seed), np.zeros(0, dtype=np.int64)
    if arm.model is Propensity:
        return weighted_rows(arm, side, setting, config)
    if not arm.organic:
        return interleave(ads, select_batch(ads, torch.from_numpy(none)), config.batch_rows, none)
    wanted = min(round(arm.organic * rows_of(ads)), rows_of(side.organic))
    organic = some_of(side.organic, wanted / max(rows_of(side.organic), 1), setting.seed)
    return interleave(ads, organic, config.batch_rows, np.ones(wanted, dtype=np.int64))


def some_of(rows: Batch, share: float, seed: int) -> Batch:
    """A share of rows, drawn at random, in their order."""
    count = round(share * rows_of(rows))
    if count == rows_of(rows):
        return rows
    drawn = np.sort(np.random.default_rng(seed).permutation(rows_of(rows))[:count])
    return select_batch(rows, torch.from_numpy(drawn))


def weighted_rows(arm: Arm, side: Side, setting: Setting, config: TrainConfig) -> CutStream:
    """Ad rows with weights by the logged propensity; for doubly robust, with the candidates and imputed labels."""
    none = np.zeros(0, dtype=np.int64)
    inverse = 1 / column(side.ads, "propensity").double()
    weight = inverse / inverse.mean()
    weight = weight.clamp(max=arm.clip) if arm.clip else weight
    ads = {**side.ads, "weight": (weight / weight.mean()).float()}
    if not arm.robust:
        return interleave(ads, select_batch(ads, torch.from_numpy(none)), config.batch_rows, none)
    imputing = Arm(organic=0, rate=arm.rate)
    model = fitted(imputing, side, setting)[0]
    listed = side.candidates["train"]
    count = len(listed.request)
    ads |= {"listed": torch.zeros(rows_of(ads), dtype=torch.bool), "imputed": told(model, ads)}
    others = {
        **listed.columns,
        "listed": torch.ones(count, dtype=torch.bool),
        "imputed": told(model, listed.columns),
        "weight": torch.zeros(count),
        "click": torch.zeros(count, dtype=torch.bool),
    }
    return interleave({n: ads[n] for n in others}, others, config.batch_rows, np.ones(count, dtype=np.int64))


def told(model: Ranker, rows: Batch) -> Tensor:
    """(rows,) click probabilities."""
    return torch.from_numpy(predictions(model, MemoryStream(rows, EVALUATED_ROWS))["p_click"])


def fitted(arm: Arm, side: Side, setting: Setting) -> tuple[DIN, float]:
    """The arm's model after one pass, and the CPU seconds of the training."""
    settings = [f"learning_rate={arm.rate}", f"batch_rows={arm.batch}", *setting.train, f"seed={setting.seed}"]
    config = TRAIN.changed(settings)
    model = fresh(arm, side, setting)
    with no_oracle():
        summary = train(model, rows_to_learn(arm, side, setting, config), config)
    return model, summary.cpu_seconds


def judge(side: Side, of_candidates: np.ndarray, of_shown: np.ndarray) -> dict[str, float]:
    """Measures on all considered ads of the test days (true probabilities) and on the shown ones (clicks).

    ``miscalibration`` is |log PCOC|; ``value`` what the two ads of a page that a model would choose are worth (true
    click probability times bid), over what the two best are worth.
    """
    c = side.candidates["test"]
    shown = shown_ads(side)
    click = side.market.raw["click"][shown]
    rate = float(of_candidates.sum() / c.truth.sum())
    chosen, best = (np.zeros(len(c.bid), dtype=bool) for _ in range(2))
    for rows in c.lists():
        for order, picked in ((of_candidates * c.bid, chosen), (c.truth * c.bid, best)):
            picked[rows[np.argsort(-order[rows], kind="stable")[:SLOTS]]] = True
    worth = c.truth * c.bid
    found = {
        "auc": expected_auc(c.truth, of_candidates),
        "logloss": expected_logloss(c.truth, of_candidates),
        "pcoc": rate,
        "miscalibration": abs(float(np.log(rate))),
        "value": float(worth[chosen].sum() / worth[best].sum()),
    }
    if shown.any():  # where all ads are drawn uniformly, the policy showed none
        found |= {"auc_shown": auc(click, of_shown[shown]), "pcoc_shown": pcoc(click, of_shown[shown])}
    return found


def shown_ads(side: Side) -> np.ndarray:
    """(test rows,) whether the ads' own policy chose the row."""
    test = side.market.test
    return (column(test, "policy") == POLICIES.index("ads")).numpy()


def expected_logloss(truth: np.ndarray, p: np.ndarray) -> float:
    """Mean log-loss over the same outcomes."""
    q = np.clip(p.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-(truth * np.log(q) + (1 - truth) * np.log1p(-q)).mean())


def parted(side: str = "default", **changes: Any) -> Arm:
    """Rec4Ad, with some parts otherwise."""
    return Arm(Rec4Ad, parts=Parts(**{"organic": RATIO, **changes}), side=side, rate=3e-3)


ARMS = {
    "ads_only": Arm(organic=0),
    "mix": Arm(rate=3e-3),
    "ips": Arm(Propensity, organic=0, clip=3.0),
    "robust": Arm(Propensity, organic=0, clip=3.0, robust=True),
    "adversarial": parted(alignment="adversarial", decorrelate=0.0, rationale=0.0, specific=False),
    "mmoe": Arm(Domains, rate=3e-3),
    "rec4ad": parted(),
    "rec4ad_bid": parted(own=(OWN,)),
    "free_branch": parted(align=0.0, decorrelate=0.0, rationale=0.0),
    "uniform": Arm(organic=0, side="uniform"),
    "ads_only_same": Arm(organic=0, side="same"),
    "mix_same": Arm(rate=3e-3, side="same"),
    "rec4ad_same": parted(side="same"),
}
HELP, PARTS = "organic rows over none", "parted over mixed"


def run(name: str, prepared: Prepared, setting: Setting) -> Measures:
    """Measures of an arm; ``oracle`` knows all but the rest of the page."""
    if name == "oracle":
        side = prepared.side("default")
        return judge(side, side.candidates["test"].truth, side.market.truth)
    return measured(ARMS[name], prepared, setting)


def measured(arm: Arm, prepared: Prepared, setting: Setting) -> Measures:
    """Train an arm and judge it."""
    side = prepared.side(arm.side)
    model, seconds = fitted(arm, side, setting)
    of_candidates = told(model, candidate_rows(side)).numpy().astype(np.float64)
    rows = rows_of(side.ads) * arm.ads * (1 + arm.organic)
    found = {**judge(side, of_candidates, told(model, side.test).numpy()), "cpu_us": 1e6 * seconds / rows}
    return {**found, **disentanglement(model, feed_rows(side), EVALUATED_ROWS)} if isinstance(model, Rec4Ad) else found


def candidate_rows(side: Side) -> dict[str, Column]:
    """The judged candidates as ads."""
    c = side.candidates["test"]
    return {**c.columns, OWN: log_bids(torch.from_numpy(c.bid))}


def feed_rows(side: Side) -> dict[str, Column]:
    """Test rows of the feed, of both systems, with ``system``."""
    is_ad = column(side.test, "is_ad").bool()
    feed = is_ad | (column(side.test, "channel") == CHANNELS.index("feed"))
    rows: dict[str, Column] = {**side.test, "system": torch.where(is_ad, ADS, ORGANIC)}
    return select_batch(rows, feed.nonzero().squeeze(1))


RECIPE = Recipe(
    name="rec4ad",
    paper="2306.03527",
    arms=(*ARMS, "oracle"),
    prepare=Prepared,
    run=run,
    claims=(
        Claim(HELP, "auc", "rec4ad", "ads_only", expected=0.02),
        Claim(PARTS, "auc", "rec4ad", "mix"),
        Claim("nearer to the true rate than mixed", "miscalibration", "rec4ad", "mix", lower_is_better=True),
    ),
    controls=(
        Claim("same policy: organic rows", "auc", "rec4ad_same", "ads_only_same", controls=HELP),
        Claim("same policy: parted", "auc", "rec4ad_same", "mix_same", controls=PARTS),
    ),
)
