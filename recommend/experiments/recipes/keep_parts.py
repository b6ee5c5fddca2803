"""KEEP's parts and neighbours, exploratory: what each kind of knowledge gives, what a refresh in another basis and a
leak look like, and what joint models of all channels reach. No verdict about the paper hangs by it; see ``keep``.
Its control is a check of determinism: until the refresh both arms do the same, so that anything but 0 is an error.

``finetune_refreshed`` gives fine-tuning what KEEP's refresh gives KEEP: on that day the undecomposed model goes on over
all channels of the days since the first, and fine-tuning starts anew from it. ``keep_concat_cold`` learns at the rate
at which a DIN of the ads starts, since it is a new model.

Joint models learn every day's rows of all channels, eight times as many as the other arms. ``joint`` has an output for
each channel; STAR, MMoE and PLE tell two domains apart, the ads and all else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch

from recommend.data.schema import CHANNELS
from recommend.experiments.arms import FEATURES
from recommend.experiments.keep_lab import ADS, BASE, FINE, FIRST, LAST, PRETRAIN, REFRESH, Lab, Labs, Rows
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.recipes import keep
from recommend.experiments.recipes.keep import concatenated
from recommend.experiments.statistics import Claim
from recommend.experiments.superdomain import day_by_day
from recommend.features.entities import ENTITY
from recommend.models.multi_entity import EntityMMoE, EntityPLE, MultiEntity
from recommend.models.star import STAR, PlainSTAR

DOMAINS = (ADS, "other channels")


@dataclass(frozen=True)
class Joint:
    """A model of both domains.

    Attributes:
        daily: learning rate from day 14 on, the best of 0.00025, 0.0005 and 0.001 on seed 100.
    """

    model: type[MultiEntity]
    daily: float


JOINT: Mapping[str, Joint] = {
    "star": Joint(STAR, 0.0005),
    "star_plain": Joint(PlainSTAR, 0.0005),  # STAR's rate, not set anew
    "mmoe": Joint(EntityMMoE, 0.00025),
    "ple": Joint(EntityPLE, 0.00025),
}


def in_domains(lab: Lab, first: int, last: int, channel: str | None = None) -> Rows:
    """Rows of some days, with the domain of each."""
    index = lab.domain.where(first, last, channel)
    others = lab.domain.raw["channel"][index] != CHANNELS.index(ADS)
    return {**lab.domain.rows(index), ENTITY: torch.from_numpy(others.astype(np.int64))}


def fitted(joint: Joint, lab: Lab) -> np.ndarray:
    """Predictions of the ads of days 14 to 29, each day's before all channels' rows of it are learned."""

    def days() -> Iterator[tuple[Rows, Rows]]:
        for day in range(FIRST, LAST + 1):
            yield in_domains(lab, day, day, ADS), in_domains(lab, day, day)

    model = lab.new(partial(joint.model, names=DOMAINS), FEATURES)
    lab.trained(model, in_domains(lab, 0, FIRST - 1), PRETRAIN)
    return day_by_day(model, days(), lab.config(PRETRAIN, joint.daily))


def finetuned_with_refresh(lab: Lab) -> np.ndarray:
    """Predictions of the ads: until the refresh fine-tuning as in ``keep``, then fine-tuning of newer weights."""
    newer, days = lab.pretrained(copy.deepcopy(lab.whole), FIRST, REFRESH - 1), REFRESH - FIRST
    parts = ((lab.whole, islice(lab.days(), days)), (newer, islice(lab.days(), days, None)))
    return np.concatenate([day_by_day(lab.clicks_of(w), of, lab.config(BASE, FINE)) for w, of in parts])


OWN: Mapping[str, Callable[[Lab], np.ndarray]] = {
    "finetune_refreshed": finetuned_with_refresh,
    "keep_concat_cold": partial(concatenated, rate=BASE.learning_rate),
    **{name: partial(fitted, joint) for name, joint in JOINT.items()},
}


def run(name: str, labs: Labs, setting: Setting) -> Measures:
    """An arm of this recipe or of ``keep``."""
    if name not in OWN:
        return keep.run(name, labs, setting)
    lab = labs["default"]
    return lab.judge(OWN[name](lab))


RECIPE = Recipe(
    name="keep_parts",
    paper="2208.10174",
    arms=(
        *("sub", "finetune", "keep", "keep_user", "keep_item", "keep_pair", "keep_rotated", "keep_leaky"),
        *("joint", *OWN),
    ),
    prepare=Labs,
    run=run,
    claims=(Claim("aligned refresh over another basis", "auc_refresh", "keep", "keep_rotated"),),
    controls=(
        # Both look the same knowledge up until the refresh: it is 0 by construction.
        Claim("before the refresh", "auc_first", "keep", "keep_rotated", controls="aligned refresh over another basis"),
    ),
)
