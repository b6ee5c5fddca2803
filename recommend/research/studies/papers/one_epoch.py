"""One-epoch study (CIKM 2022, arXiv 2209.06053): where ids are rare, a second pass over the same rows overfits.

Every id has a table row of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from recommend.metrics.calibration import divergence, logloss
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.base import Ranker
from recommend.research.studies.market import Market, of_items, open_market
from recommend.research.studies.study import Claim, Measures, Setting, Study
from recommend.research.world.read import world_map

DENSE = "sparse_rows=10000000"  # as in the paper, Adam's moments move all rows at each step
ARMS: dict[str, tuple[str, ...]] = {
    "one": ("epochs=1",),
    "two": ("epochs=2",),
    "one_no_ids": ("epochs=1",),
    "two_no_ids": ("epochs=2",),
}
NO_IDS = world_map(ids=False, cross=True)
NO_IDS = NO_IDS.model_copy(update={"features": tuple(f for f in NO_IDS.features if f.column != "user_id")})


@dataclass
class Worlds:
    """The world as an arm reads it, the last one kept."""

    root: Path
    setting: Setting
    markets: dict[bool, Market] = field(default_factory=dict)

    def of(self, arm: str) -> Market:
        """Without ids, or with all."""
        ids = not arm.endswith("_no_ids")
        if ids not in self.markets:
            features = self.setting.inputs(world_map(cross=True) if ids else NO_IDS)
            self.markets = {ids: open_market(self.root, features, where=of_items, min_count=1)}
        return self.markets[ids]


def prepare(root: Path, setting: Setting) -> Worlds:
    """The world."""
    return Worlds(root, setting)


def fitted(name: str, market: Market, setting: Setting) -> Ranker:
    """An arm's DIN."""
    model, config = setting.configs(*ARMS[name], DENSE)
    return market.fit(model.changed(["name=din"]), config)


def run(name: str, worlds: Worlds, setting: Setting) -> Measures:
    """KL to what can be known, millinats a row; expected AUC; logloss of labels beside them."""
    market = worlds.of(name)
    true = market.truth["p_click_without_page"]
    if name in ("popularity", "oracle"):
        p = market.popularity() if name == "popularity" else true
    else:
        p = market.ask(fitted(name, market, setting))
    return {
        "kl": 1000 * divergence(true, p),
        "auc": expected_auc(true, p),
        "logloss": logloss(market.raw["click"], p),
        "share": market.share(p),
    }


STUDY = Study(
    name="one_epoch",
    title="One epoch: the second pass",
    paper="2209.06053",
    claim="With rare ids a second pass over the same rows makes a click model worse.",
    prepare=prepare,
    run=run,
    arms=("popularity", *ARMS, "oracle"),
    trained=tuple(ARMS),
    base="one",
    primary=Claim("one pass over two", "one", "two", "kl", lower=True),
    secondary=(Claim("in order as well", "one", "two", "auc"),),
    control=Claim("without ids", "one_no_ids", "two_no_ids", "kl", lower=True),
    margin=1.0,
    unit="millinats a row of KL to the truth",
    sizes={"impressions": 300_000},
    limits=("Rows stay in the order of time in every pass.",),
    home={"single_rows": 1.0, "impressions": 80_000, "long_share": 0.35},
    why="Most rows show an id that is hardly ever seen again.",
)
