"""CLID (WSDM 2024, arXiv 2312.08727): a teacher who knows the rest of the page teaches lists, calibration kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from recommend.data.memory import list_stream
from recommend.metrics.calibration import divergence, ece
from recommend.metrics.ranks import gauc
from recommend.metrics.ranks import gauc as expected_gauc
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.clid import CLID, LIST, PRIVILEGED, TEACHER, Teacher
from recommend.research.studies.market import Market, open_market
from recommend.research.studies.study import Claim, Measures, Setting, Study
from recommend.research.world.read import world_map

FEATURES = world_map(cross=True).model_copy(update={"extra": (LIST, PRIVILEGED)})
# Of an arm its model, its settings, and the arm that teaches it.
ARMS: dict[str, tuple[type[Ranker], tuple[str, ...], str]] = {
    "none": (DIN, (), ""),
    "teacher": (Teacher, (), ""),
    "pointwise": (CLID, ("distillation=pointwise",), "teacher"),
    "clid": (CLID, ("distillation=clid",), "teacher"),
    "clid_by_rows": (CLID, ("distillation=clid_by_rows",), "teacher"),
    "clid_itself": (CLID, ("distillation=clid_by_rows",), "none"),
}


@dataclass
class Taught:
    """The world, and (training rows,) what teachers say of it, each trained when first asked for."""

    market: Market
    predictions: dict[str, np.ndarray] = field(default_factory=dict)

    def model(self, name: str, setting: Setting) -> Ranker:
        """An arm's model after one pass over whole pages; a student reads no privileged column."""
        kind, changes, teacher = ARMS[name]
        (config, train), rows = setting.configs("name=clid", *changes), dict(self.market.train)
        if teacher:
            if teacher not in self.predictions:
                self.predictions[teacher] = self.market.ask(self.model(teacher, setting), self.market.train)
            rows[TEACHER] = torch.from_numpy(self.predictions[teacher])
        extra: dict[type[Ranker], tuple[str, ...]] = {Teacher: (LIST, PRIVILEGED), CLID: (LIST, TEACHER)}
        features = setting.inputs(FEATURES).model_copy(update={"extra": extra.get(kind, ())})
        model = self.market.build(kind, config, setting.seed, features)
        return self.market.fit(model, train, list_stream(rows, LIST, train.batch_rows))


def organic(raw: dict[str, np.ndarray]) -> np.ndarray:
    """Organic rows: ads move by an intent that no teacher sees."""
    return (raw["item_id"] >= 0) & ~raw["is_ad"].astype(bool)


def prepare(root: Path, setting: Setting) -> Taught:
    """The world."""
    return Taught(open_market(root, setting.inputs(FEATURES), where=organic))


def run(name: str, taught: Taught, setting: Setting) -> Measures:
    """Expected GAUC within pages, KL to what can be known (millinats), ECE by the truth; GAUC of labels beside them."""
    market = taught.market
    untrained: dict[str, Callable[[], np.ndarray]] = {
        "popularity": market.popularity, "oracle": lambda: market.truth["p_click_without_page"],
        "oracle_page": lambda: market.truth["p_click"]}  # fmt: skip
    p = untrained[name]() if name in untrained else market.ask(taught.model(name, setting))
    true, page = market.truth["p_click"], market.raw["request_id"]
    return {
        "gauc": expected_gauc(true, p, page),
        "kl": 1000 * divergence(market.truth["p_click_without_page"], p),
        "ece": ece(true, p),
        "gauc_labels": gauc(market.raw["click"], p, page),
        "share": market.share(p),
    }


STUDY = Study(
    name="clid",
    title="CLID: lists from a teacher who knows the page",
    paper="2312.08727",
    claim="Distilling lists ranks better within a page than distilling rows, and keeps probabilities calibrated.",
    prepare=prepare,
    run=run,
    arms=("popularity", *ARMS, "oracle", "oracle_page"),
    trained=tuple(ARMS),
    base="none",
    primary=Claim("lists over rows", "clid_by_rows", "pointwise", "gauc"),
    also=("clid", "none"),
    deviation="`clid_by_rows` is `clid` but that lists weigh by their teacher's mass, and that the loss is a mean over "
    "rows, as the cross-entropy beside it.",
    secondary=(
        Claim("the same, as printed", "clid", "pointwise", "gauc"),
        Claim("lists over no teacher", "clid_by_rows", "none", "gauc"),
        Claim("rows over no teacher", "pointwise", "none", "gauc"),
    ),
    control=Claim("a teacher who knows no more", "clid_itself", "none", "gauc"),
    margin=0.002,
    unit="expected GAUC within pages",
    sizes={"impressions": 400_000, "signal_taste": 0.5},
    limits=(
        "Organic rows only.",
        "A privileged signal tells of a row's appeal (`signal_taste` = 0.5, less where `page_effect` is below 1).",
        "The click rate is that of the world (8 %); the paper's losses part more at 30 %.",
        "A teacher's CPU counts for the first arm that asks it, which is `pointwise`: add half of that to a student's.",
    ),
    home={"page_effect": 1.5, "impressions": 80_000, "click_offset": -3.7},
    why="Three of ten rows are clicked, and the rest of the page says much.",
)
