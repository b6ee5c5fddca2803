"""Rec4Ad's neighbours, exploratory: how much organic data it takes, and STAR over the two systems. No verdict about the
paper hangs by it; see ``rec4ad``.

Every arm makes the same number of steps, each on as many ad rows; what differs is how many organic rows go with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from recommend.config import ModelConfig
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.recipes.rec4ad import ARMS as VERDICT
from recommend.experiments.recipes.rec4ad import Arm, Prepared, measured, parted
from recommend.experiments.statistics import Claim
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, rows_of
from recommend.layers.embedding import Make, make
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.star import STAR

SYSTEMS = ("ads", "organic")  # numbered as in ``recommend.models.rec4ad``


class SystemSTAR(STAR):
    """STAR whose domains are the two systems; without ``system`` all rows are ads. All rows of a batch weigh alike."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig, build: Make = make) -> None:
        super().__init__(features, sizes, config, build, SYSTEMS)

    def rows(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        if "system" not in batch:
            yield SYSTEMS[0], torch.arange(rows_of(batch))
            return
        of_row = label(batch, "system")
        for number, name in enumerate(SYSTEMS):
            index = (of_row == number).nonzero()[:, 0]
            if len(index):
                yield name, index

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        task = self.features.labels[0]
        return bce(logits[task], label(batch, task))


def of_amount(organic: float) -> Arm:
    """Rec4Ad with so many organic rows for each ad row, each of which weighs as much as an ad row."""
    arm = parted(organic=organic)
    return Arm(arm.model, organic, arm.parts, arm.side, arm.rate)


ARMS: dict[str, Arm] = {
    "ads_only": VERDICT["ads_only"],
    "ads_only_fast": Arm(organic=0, rate=VERDICT["mix"].rate),  # at the rate of the arms with organic rows
    **{f"mix_{n}": Arm(organic=n, rate=VERDICT["mix"].rate) for n in (1, 2)},
    "mix": VERDICT["mix"],
    **{f"rec4ad_{n}": of_amount(n) for n in (1, 2)},
    "rec4ad": VERDICT["rec4ad"],
    "star": Arm(SystemSTAR),  # 1e-3 was better than 3e-3 on seed 100
    "mmoe": VERDICT["mmoe"],
}


def run(name: str, prepared: Prepared, setting: Setting) -> Measures:
    """Measures of an arm."""
    return measured(ARMS[name], prepared, setting)


RECIPE = Recipe(
    name="rec4ad_amounts",
    paper="2306.03527",
    arms=tuple(ARMS),
    prepare=Prepared,
    run=run,
    claims=(
        Claim("one organic row for each ad", "auc", "mix_1", "ads_only"),
        Claim("two over one", "auc", "mix_2", "mix_1"),
        Claim("four over two", "auc", "mix", "mix_2"),
        Claim("parted over mixed, one", "auc", "rec4ad_1", "mix_1"),
        Claim("parted over mixed, two", "auc", "rec4ad_2", "mix_2"),
        Claim("Rec4Ad over STAR", "auc", "rec4ad", "star"),
    ),
)
