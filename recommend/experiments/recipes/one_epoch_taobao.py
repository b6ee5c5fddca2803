"""The one-epoch phenomenon (arXiv 2209.06053) on a sparse real log: views of the Taobao UserBehavior sample.

Beside ``one_epoch_amazon``, whose things all have five reviews or more: here three quarters of them have one event. 650
of the 815 users a seed; one negative a view, drawn from the views of the same day; the last fifth of the time is the
test. Claims, control, rates and sizes are those of ``one_epoch_amazon``; nothing was tuned here.
"""

from __future__ import annotations

import numpy as np

from recommend.data.public import sequences, source, taobao
from recommend.experiments.recipe import Recipe, Setting
from recommend.experiments.recipes import one_epoch_amazon
from recommend.experiments.recipes.one_epoch import Data

USERS, LONGEST = 650, 20


def prepare(setting: Setting) -> Data:
    """Views of the seed's users, parted by time."""
    e = source.numpy(taobao.read())
    users = np.random.default_rng(setting.seed).permutation(np.unique(e["user_id"]))[:USERS]
    views = (e["behaviour"] == taobao.BEHAVIOURS.index("pv")) & np.isin(e["user_id"], users)
    user, item, time, category, day = (e[n][views] for n in ("user_id", "item_id", "time_ms", "category", "day"))
    columns = sequences.samples(user, item, time, category, seed=setting.seed, block=day, longest=LONGEST)
    return one_epoch_amazon.encoded(sequences.feature_map(longest=LONGEST), *sequences.split_by_time(columns, 0.8))


RECIPE = Recipe(
    name="one_epoch_taobao",
    paper="2209.06053",
    arms=one_epoch_amazon.RECIPE.arms,
    prepare=prepare,
    run=one_epoch_amazon.RECIPE.run,
    claims=one_epoch_amazon.RECIPE.claims,
    controls=one_epoch_amazon.RECIPE.controls,
)
