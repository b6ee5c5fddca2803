"""DCN V2 (WWW 2021, arXiv 2008.13535): explicit products of features help where taste meets the thing.

Claim: cross layers before the MLP beat the MLP alone. On AmazonElectronics_x1 the BARS leaderboards show no gain (AUC
0.8812 with, 0.8815 without), and the paper's own data are not here, so only a direction is claimed. Control: with users
and histories of other rows, no product of user and thing says anything.
"""

from __future__ import annotations

from recommend.experiments.arms import Arm, prepare, runner, swap_users
from recommend.experiments.recipe import Recipe
from recommend.experiments.statistics import Claim

LAYERS = ("layers=2",)
ARMS = {
    "dnn": Arm("dnn"),
    "dcn": Arm("dcn", LAYERS),
    "dnn_swapped": Arm("dnn", swap=swap_users),
    "dcn_swapped": Arm("dcn", LAYERS, swap=swap_users),
}
RECIPE = Recipe(
    name="dcn",
    paper="2008.13535",
    arms=("popularity", *ARMS, "oracle"),
    prepare=prepare,
    run=runner(ARMS),
    claims=(Claim("products over none", "auc", "dcn", "dnn"),),
    controls=(Claim("no taste to multiply", "auc", "dcn_swapped", "dnn_swapped", controls="products over none"),),
)
