"""The one-epoch phenomenon (arXiv 2209.06053) on a sparse real log: views of the Taobao UserBehavior sample.

Beside ``one_epoch_amazon``, whose things all have five reviews or more: here three quarters of them have one event. 650
of the 815 users a seed; one negative a view, drawn from the views of the same day on the same side of the split (a
training negative from behind it would tell which things are to come); the last fifth of the time is the test. Claims,
control, rates and sizes are those of ``one_epoch_amazon``.
"""

from __future__ import annotations

import numpy as np

from recommend.data import sequences
from recommend.data.imports.events import read_events
from recommend.experiments.recipe import Recipe, Setting
from recommend.experiments.recipes import one_epoch_amazon
from recommend.experiments.recipes.one_epoch import Data
from recommend.features.ragged import select_batch

USERS, LONGEST = 650, 20
TRAINED = 0.8  # share of the views, the earliest


def prepare(setting: Setting) -> Data:
    """Views of the seed's users, parted by time."""
    e = read_events("taobao")
    users = np.random.default_rng(setting.seed).permutation(np.unique(e["user_id"]))[:USERS]
    views = (e["behaviour"] == "click") & np.isin(e["user_id"], users)
    user, item, time, category, day = (e[n][views] for n in ("user_id", "item_id", "time_ms", "category", "day"))
    border = np.quantile(time, TRAINED)
    block = 2 * day + (time >= border)
    columns = sequences.samples(user, item, time, category, seed=setting.seed, block=block, longest=LONGEST)
    later = columns["time"] >= border
    parts = (select_batch(columns, part.nonzero().ravel()) for part in (~later, later))
    return one_epoch_amazon.encoded(sequences.feature_map(longest=LONGEST), *parts)


RECIPE = Recipe(
    name="one_epoch_taobao",
    paper="2209.06053",
    arms=one_epoch_amazon.RECIPE.arms,
    prepare=prepare,
    run=one_epoch_amazon.RECIPE.run,
    claims=one_epoch_amazon.RECIPE.claims,
    controls=one_epoch_amazon.RECIPE.controls,
)
