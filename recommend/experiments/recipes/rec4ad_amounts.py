"""Rec4Ad's neighbours, exploratory: how much organic data it takes, other rows instead of more, baselines. No verdict
about the paper hangs by it; see ``rec4ad``.

Every arm makes the same number of steps. What differs is how many organic rows go with a batch's ads; but ``swapped``
has organic rows in place of four fifths of the ads, as many rows in all as the ads alone. What it gains over these is
what other rows are worth, not more of them; where both systems judge by one taste (``_same``) less should be left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from recommend.config import ModelConfig
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.recipes.rec4ad import ARMS as VERDICT
from recommend.experiments.recipes.rec4ad import BATCH, RATIO, Arm, Prepared, measured, parted
from recommend.experiments.statistics import Claim
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, rows_of
from recommend.layers.embedding import Make, make
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.rec4ad import Parts, SystemBias
from recommend.models.star import STAR

SYSTEMS = ("ads", "organic")  # numbered as in ``recommend.models.rec4ad``


class SystemSTAR(STAR):
    """STAR whose domains are the two systems; without ``system`` all rows are ads. All rows of a batch weigh alike."""

    column = "system"

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig, build: Make = make) -> None:
        super().__init__(features, sizes, config, build, SYSTEMS)

    def rows(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        if self.column not in batch:
            yield SYSTEMS[0], torch.arange(rows_of(batch))
            return
        yield from super().rows(batch)

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        task = self.features.labels[0]
        return bce(logits[task], label(batch, task))


class PlainSystemSTAR(SystemSTAR):
    """The same without STAR's normalisation."""

    normalised = False


def of_amount(organic: float) -> Arm:
    """Rec4Ad with so many organic rows for each ad row, each of which weighs as much as an ad row.

    The other parts of the loss weigh as much beside the clicks, 1 + mu, as they do in the verdict's arm.
    """
    arm, whole = parted(organic=organic), Parts()
    share = (1 + organic) / (1 + RATIO)
    parts = parted(
        organic=organic,
        rationale=whole.rationale * share,
        align=whole.align * share,
        decorrelate=whole.decorrelate * share,
    ).parts
    return replace(arm, organic=organic, parts=parts)


def swapped(side: str) -> Arm:
    """As many rows in all, and in a batch, as the ads alone: a fifth of the ads and their organic rows."""
    share = 1 / (1 + RATIO)
    return Arm(ads=share, batch=round(BATCH * share), side=side, rate=VERDICT["ads_only"].rate)


ARMS: dict[str, Arm] = {
    "ads_only": VERDICT["ads_only"],
    "ads_only_fast": Arm(organic=0, rate=VERDICT["mix"].rate),  # at the rate of the arms with organic rows
    "swapped": swapped("default"),
    **{f"mix_{n}": Arm(organic=n, rate=VERDICT["mix"].rate) for n in (1, 2)},
    "mix": VERDICT["mix"],
    "mix_bias": Arm(SystemBias, rate=VERDICT["mix"].rate),
    **{f"rec4ad_{n}": of_amount(n) for n in (1, 2)},
    "rec4ad": VERDICT["rec4ad"],
    "star": Arm(SystemSTAR),  # 1e-3 was better than 3e-3 on seed 100
    "star_plain": Arm(PlainSystemSTAR, rate=VERDICT["mix"].rate),  # the mix's rate, not set anew
    "mmoe": VERDICT["mmoe"],
    "ads_only_same": VERDICT["ads_only_same"],
    "swapped_same": swapped("same"),
}


def run(name: str, prepared: Prepared, setting: Setting) -> Measures:
    """Measures of an arm."""
    return measured(ARMS[name], prepared, setting)


OTHER_ROWS = "organic rows instead of ads"
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
        Claim(OTHER_ROWS, "auc", "swapped", "ads_only"),
        Claim("a bias for each system", "auc", "mix_bias", "mix"),
        Claim("Rec4Ad over STAR", "auc", "rec4ad", "star"),
        Claim("Rec4Ad over STAR without normalisation", "auc", "rec4ad", "star_plain"),
    ),
    controls=(Claim("one taste", "auc", "swapped_same", "ads_only_same", controls=OTHER_ROWS),),
)
