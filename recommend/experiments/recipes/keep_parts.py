"""KEEP's parts and neighbours, exploratory: what each kind of knowledge gives, what a refresh in another basis and a
leak look like, and what one model of all channels reaches. No verdict about the paper hangs by it; see ``keep``.
"""

from __future__ import annotations

from recommend.experiments.recipe import Recipe
from recommend.experiments.recipes.keep import prepare, run
from recommend.experiments.statistics import Claim

RECIPE = Recipe(
    name="keep_parts",
    paper="2208.10174",
    arms=("sub", "keep", "keep_user", "keep_item", "keep_pair", "keep_rotated", "keep_leaky", "joint"),
    prepare=prepare,
    run=run,
    claims=(Claim("aligned refresh over another basis", "auc_refresh", "keep", "keep_rotated"),),
    controls=(
        # Both look the same knowledge up until the refresh.
        Claim("before the refresh", "auc_first", "keep", "keep_rotated", controls="aligned refresh over another basis"),
    ),
)
