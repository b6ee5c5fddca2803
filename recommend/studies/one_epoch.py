"""One-epoch study (CIKM 2022, arXiv 2209.06053): where ids are rare, a second pass over the same rows overfits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from recommend.metrics.calibration import divergence, logloss
from recommend.metrics.ranks import auc as expected_auc
from recommend.studies.market import Market, open_market
from recommend.studies.study import Claim, Measures, Setting, Study
from recommend.world.read import world_map

# Of an arm its settings, and whether it reads the ids of things and users.
ARMS = {
    "one": (("epochs=1",), True),
    "two": (("epochs=2",), True),
    "three": (("epochs=3",), True),
    "two_dropout": (("epochs=2", "dropout=0.2"), True),
    "two_narrow": (("epochs=2", "embedding=4"), True),
    "one_no_ids": (("epochs=1",), False),
    "two_no_ids": (("epochs=2",), False),
}
NO_IDS = world_map(ids=False, cross=True)
NO_IDS = NO_IDS.model_copy(update={"features": tuple(f for f in NO_IDS.features if f.column != "user_id")})


@dataclass
class Worlds:
    """The world with ids and without, each read when first asked for."""

    root: Path
    found: dict[bool, Market] = field(default_factory=dict)

    def __getitem__(self, ids: bool) -> Market:
        if ids not in self.found:
            features = world_map(cross=True) if ids else NO_IDS
            self.found = {ids: open_market(self.root, features, where=lambda raw: raw["item_id"] >= 0)}
        return self.found[ids]


def prepare(root: Path, setting: Setting) -> Worlds:
    """The world."""
    return Worlds(root)


def run(name: str, worlds: Worlds, setting: Setting) -> Measures:
    """KL to what can be known, millinats a row; expected AUC; logloss of labels beside them."""
    own, ids = ARMS.get(name, ((), True))
    market = worlds[ids]
    true = market.truth["p_click_without_page"]
    if name in ("popularity", "oracle"):
        p = market.popularity() if name == "popularity" else true
    else:
        model, config = setting.configs(name, *own)
        p = market.ask(market.fit(model.changed(["name=din"]), config))
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
    secondary=(
        Claim("in order as well", "one", "two", "auc"),
        Claim("and over three", "one", "three", "kl", lower=True),
        Claim("dropout does not cure it", "one", "two_dropout", "kl", lower=True),
        Claim("nor do narrow tables", "one", "two_narrow", "kl", lower=True),
    ),
    control=Claim("without ids", "one_no_ids", "two_no_ids", "kl", lower=True),
    margin=1.0,
    unit="millinats a row of KL to the truth",
    limits=("Rows stay in the order of time in every pass.",),
)
