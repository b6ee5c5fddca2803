"""COPR (CIKM 2023, arXiv 2306.03516): a pre-ranker that learns the ranking stage's order by revenue, not its scores.

Pre-ranker: two small towers. Ranking stage: the world's own, whose scores and bids the log holds for a tenth of the
feed pages. All arms read every impression and every logged candidate of the training window once, in the order of time;
they differ in the loss. The scores are multiplied by one factor, so that the shown ads' mean is their click rate: the
world's ranking model promises three times as much, and a factor leaves the order as it was.

Expected: two points of ``hr`` over score distillation, row by row or by lists. The paper's offline tables were not at
hand; a pilot with a pre-ranker of three units found seven to twelve, and less is to be expected of one that is less
starved. Control: the ranking stage is a model trained here and the pre-ranker is as large as it is, so that little
error is left for the order to mend; beside that, the small pre-ranker under the same ranking stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from recommend.config import ModelConfig
from recommend.data.batching import CutStream, interleave
from recommend.data.memory import MemoryStream
from recommend.data.schema import POLICIES
from recommend.data.world.oracle import no_oracle
from recommend.experiments.arms import EVALUATED_ROWS, MODEL, TRAIN
from recommend.experiments.arms import FEATURES as READ
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.setups.marketplace import Marketplace, open_marketplace, world_folder
from recommend.experiments.setups.preranking import (
    Candidates,
    cascade,
    consistency,
    inversions_by_bids,
    read_candidates,
)
from recommend.experiments.statistics import Claim
from recommend.features.ragged import Column, rows_of, select_batch
from recommend.metrics.calibration import pcoc
from recommend.models.baselines.din import DIN
from recommend.models.copr import COPR, Terms, draw_lists
from recommend.training.scoring import predictions
from recommend.training.trainer import train

FEATURES = READ.model_copy(update={"extra": ("policy",)})
SMALL = ModelConfig(embedding=16, mlp=(32,), tower=8)
LARGE = ModelConfig(embedding=16, mlp=(128, 64), tower=32)
LOWEST = 1e-6  # of a teacher's probability
OVER = "order over scores"


@dataclass(frozen=True)
class Arm:
    """What is trained.

    Attributes:
        terms: of the loss; weights and learning rate were tuned for each arm on seed 100. Those of the arms ``own`` are
            what suited the small towers under the world's ranking stage, but for ``large_tuned``.
        chunked: lists hold one candidate of each chunk, cut by revenue (by score without ``bids``); otherwise any.
        own: the ranking stage is a large model that was trained here on the same clicks, instead of the world's.
    """

    terms: Terms
    rate: float = 3e-3
    config: ModelConfig = SMALL
    chunked: bool = True
    own: bool = False


SCORES = Terms(order=0.0, relaxed=False)
ENTROPY = replace(SCORES, score=20.0)
LISTS = replace(SCORES, distance="list", score=5.0, bids=False)  # neither the loss nor its lists read a bid
ARMS = {
    "click": Arm(replace(SCORES, score=0.0)),
    "entropy": Arm(ENTROPY),
    "squared": Arm(replace(SCORES, distance="squared")),
    "list": Arm(replace(SCORES, distance="list", score=5.0)),
    "list_scores": Arm(LISTS, chunked=False),
    "list_entropy": Arm(replace(LISTS, level=5.0), chunked=False),
    "revenue": Arm(replace(SCORES, distance="revenue")),
    "copr": Arm(Terms()),
    "no_chunks": Arm(Terms(), chunked=False),
    "no_weights": Arm(Terms(weighted=False)),
    "no_bids": Arm(Terms(bids=False)),
    "no_relaxation": Arm(Terms(relaxed=False)),
    "no_scores": Arm(Terms(score=0.0)),
    "slack": Arm(Terms(temperature=1.0)),
    "small_scores": Arm(replace(SCORES, distance="squared"), own=True),
    "small_copr": Arm(Terms(), own=True),
    "large_scores": Arm(replace(SCORES, distance="squared"), config=LARGE, own=True),
    "large_copr": Arm(Terms(), config=LARGE, own=True),
    "large_tuned": Arm(Terms(order=1.0, temperature=0.1), config=LARGE, own=True),
}


@dataclass
class Prepared:
    """A seed's world with its candidates.

    Attributes:
        scores: by ``own``: training scores of the ranking stage, those of the test rows, and its test candidates.
    """

    market: Marketplace
    candidates: dict[str, Candidates]
    ads: dict[str, np.ndarray]  # (rows,) chosen by the ads' policy, of ``train`` and ``test``
    stages: dict[bool, dict[str, Candidates]] = field(default_factory=dict)

    def stage(self, own: bool, setting: Setting) -> dict[str, Candidates]:
        """The candidates as a ranking stage scored them: the world's, or a large model trained on the clicks."""
        if own not in self.stages:
            if own:
                ranker, _ = fitted(Arm(replace(SCORES, score=0.0), config=LARGE), self, setting)
                score = {part: clicks_of(ranker, c.columns) for part, c in self.candidates.items()}
                self.stages[own] = {part: replace(c, score=score[part]) for part, c in self.candidates.items()}
            else:
                self.stages[own] = self.candidates
        return self.stages[own]


def prepare(setting: Setting) -> Prepared:
    """Open the world and bring its ranking scores to the level of the clicks."""
    market = open_marketplace(setting, FEATURES)
    folder = world_folder(setting.worlds, setting.scale, setting.seed, setting.knobs)
    found = read_candidates(folder, market.split, market.encoders)
    ads = {}
    for part, columns in (("train", market.train), ("test", market.test)):
        policy = columns["policy"]
        assert isinstance(policy, torch.Tensor)
        ads[part] = (policy == POLICIES.index("ads")).numpy()
    click = market.train["click"]
    assert isinstance(click, torch.Tensor)
    known = found["train"]
    factor = click.numpy()[ads["train"]].mean() / known.score[known.shown & ~known.uniform].mean()
    return Prepared(market, {part: replace(c, score=c.score * factor) for part, c in found.items()}, ads)


def drawn(arm: Arm, candidates: Candidates, seed: int) -> tuple[dict[str, Column], np.ndarray]:
    """All lists of a pass, with what the loss reads, and how many rows belong to each request."""
    rng, size = np.random.default_rng(seed), arm.terms.chunks
    value = candidates.revenue if arm.terms.bids else candidates.score
    places = [rows[draw_lists(value[rows], size, rng, arm.chunked)].ravel() for rows in candidates.lists()]
    place = np.concatenate(places)
    columns: dict[str, Column] = {
        "draw": torch.arange(len(place)) // size,
        "chunk": torch.arange(len(place)) % size,
        "teacher": torch.from_numpy(candidates.score[place]).float().clamp(LOWEST, 1 - LOWEST),
        "bid": torch.from_numpy(candidates.bid[place]).float(),
        "click": torch.zeros(len(place), dtype=torch.bool),  # unknown, and not read
    }
    return {**select_batch(candidates.columns, torch.from_numpy(place)), **columns}, np.array([len(p) for p in places])


def fitted(arm: Arm, prepared: Prepared, setting: Setting) -> tuple[COPR, float]:
    """The arm's model after one pass, and the CPU seconds of the training."""
    market = prepared.market
    config = TRAIN.changed([f"learning_rate={arm.rate}", *setting.train, f"seed={setting.seed}"])
    with torch.random.fork_rng(devices=[]):  # equal seeds give equal weights, whatever was drawn before
        # A model as large as its ranking stage must not start from the same weights.
        torch.manual_seed(setting.seed + 1_000 * arm.own)
        model = COPR(READ, market.encoders.sizes(), arm.config.changed(list(setting.model)), terms=arm.terms)
    stream: MemoryStream | CutStream = MemoryStream(market.train, config.batch_rows)
    if arm.terms.score or arm.terms.level or arm.terms.order:
        listed, lengths = drawn(arm, prepared.stage(arm.own, setting)["train"], setting.seed)
        rows = rows_of(market.train)
        shown = {name: market.train[name] for name in listed if name in market.train}
        shown |= {"draw": torch.full((rows,), -1), "chunk": torch.zeros(rows, dtype=torch.int64)}
        shown |= {name: torch.zeros(rows) for name in ("teacher", "bid")}
        stream = interleave(shown, listed, config.batch_rows, lengths)
    with no_oracle():
        return model, train(model, stream, config).cpu_seconds


def clicks_of(model: COPR, columns: dict[str, Column]) -> np.ndarray:
    """(rows,) click probabilities."""
    return predictions(model, MemoryStream(columns, EVALUATED_ROWS))["p_click"].astype(np.float64)


def judge(prepared: Prepared, stage: dict[str, Candidates], value: np.ndarray) -> dict[str, float]:
    """Consistency with the ranking stage and what the auction earns, of what the pre-ranking stage orders by."""
    return {**consistency(stage["test"], value), **cascade(stage["test"], value)}


def run(name: str, prepared: Prepared, setting: Setting) -> Measures:
    """Measures of an arm; ``bids`` orders by the bid alone, ``truth`` by the true revenue.

    ``pcoc`` and ``miscalibration`` (|log pcoc|) compare p with the true click probabilities of all candidates,
    ``pcoc_shown`` with the clicks on what the ads' policy showed, ``pcoc_stage`` with the ranking stage's scores.
    ``cpu_us`` is the training's CPU time for each impression of the pass, its candidates included.
    """
    if name in ("bids", "truth"):
        c = prepared.candidates["test"]
        return judge(prepared, prepared.candidates, np.log(c.bid * (c.truth if name == "truth" else 1)))
    if name == "din":
        return {"cpu_us": time_of_din(prepared, setting)}
    arm = ARMS[name]
    stage = prepared.stage(arm.own, setting)
    model, seconds = fitted(arm, prepared, setting)
    c = stage["test"]
    value = model.rank_score(c.columns, torch.from_numpy(c.bid).float()).double().numpy()
    p = clicks_of(model, c.columns)
    shown = prepared.ads["test"]
    rate = float(p.sum() / c.truth.sum())
    return {
        **judge(prepared, stage, value),
        **inversions_by_bids(c, p, value),
        "pcoc": rate,
        "miscalibration": abs(float(np.log(rate))),
        "pcoc_stage": float(p.sum() / c.score.sum()),
        "pcoc_shown": pcoc(prepared.market.raw["click"][shown], clicks_of(model, prepared.market.test)[shown]),
        "cpu_us": 1e6 * seconds / rows_of(prepared.market.train),
    }


def time_of_din(prepared: Prepared, setting: Setting, steps: int = 150) -> float:
    """CPU microseconds of DIN for each impression, for comparison with ``cpu_us``; it is not trained to the end."""
    config = TRAIN.changed([*setting.train, f"seed={setting.seed}"])
    torch.manual_seed(setting.seed)
    model = DIN(READ, prepared.market.encoders.sizes(), MODEL.changed(list(setting.model)))
    with no_oracle():
        found = train(model, MemoryStream(prepared.market.train, config.batch_rows), config, stop_after=steps)
    return 1e6 * found.cpu_seconds / found.rows


RECIPE = Recipe(
    name="copr",
    paper="2306.03516",
    arms=("bids", *ARMS, "truth", "din"),
    prepare=prepare,
    run=run,
    claims=(
        Claim(OVER, "hr", "copr", "squared", expected=0.02),
        Claim("order over lists of scores", "hr", "copr", "list", expected=0.02),
        Claim("order over clicks", "hr", "copr", "click"),
        Claim("the score term keeps p calibrated", "miscalibration", "copr", "no_scores", lower_is_better=True),
    ),
    controls=(Claim("as large as the ranking stage", "hr", "large_copr", "large_scores", controls=OVER),),
)
