"""The rankers that every paper is compared with, between popularity and the oracle.

Claim from DIN (KDD 2018, arXiv 1706.06978): attending to the candidate beats pooling the history. Expected: +0.0046
GAUC, DNN to DIN on AmazonElectronics_x1 in the BARS leaderboards. Control: with each row's history swapped for another
row's, there is no interest to attend to, and the difference must vanish.
"""

from __future__ import annotations

from recommend.experiments.arms import Arm, prepare, runner, swap_histories
from recommend.experiments.recipe import Recipe
from recommend.experiments.statistics import Claim

ARMS = {
    "dnn": Arm("dnn"),
    "din": Arm("din"),
    "bst": Arm("bst"),
    "two_tower": Arm("two_tower"),
    "dnn_swapped": Arm("dnn", swap=swap_histories),
    "din_swapped": Arm("din", swap=swap_histories),
}
RECIPE = Recipe(
    name="baselines",
    paper="1706.06978",
    arms=("popularity", *ARMS, "oracle"),
    prepare=prepare,
    run=runner(ARMS),
    claims=(
        Claim("attention over pooling", "gauc", "din", "dnn", expected=0.0046),
        Claim("personal over popular", "auc", "dnn", "popularity"),
    ),
    controls=(
        Claim("no interest to attend to", "gauc", "din_swapped", "dnn_swapped", controls="attention over pooling"),
    ),
)
