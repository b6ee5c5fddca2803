"""One-epoch study (CIKM 2022, arXiv 2209.06053): where ids are rare, a second pass over the same rows overfits.

Every id has a table row of its own but for the arms in ``FREQUENT``, for which rare ones share a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from recommend.metrics.calibration import divergence, logloss
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.base import Ranker
from recommend.research.studies.market import MIN_COUNT, Market, competent, of_items, open_market
from recommend.research.studies.study import Claim, Measures, Setting, Study
from recommend.research.world.read import world_map

DENSE = "sparse_rows=10000000"  # as in the paper, Adam's moments move all rows at each step
SGD = ("optimizer=sgd", "learning_rate=0.1", "table_rate=0.1")
ARMS: dict[str, tuple[str, ...]] = {
    "one": ("epochs=1",),
    "two": ("epochs=2",),
    "three": ("epochs=3",),
    "two_dropout": ("epochs=2", "dropout=0.2"),
    "two_decay": ("epochs=2", "weight_decay=0.3"),
    "two_narrow": ("epochs=2", "embedding=2"),
    "two_anew": ("epochs=1",),
    "one_sgd": ("epochs=1", *SGD),
    "two_sgd": ("epochs=2", *SGD),
    "one_frequent": ("epochs=1",),
    "two_frequent": ("epochs=2",),
    "one_no_ids": ("epochs=1",),
    "two_no_ids": ("epochs=2",),
}
NO_IDS = world_map(ids=False, cross=True)
NO_IDS = competent(NO_IDS.model_copy(update={"features": tuple(f for f in NO_IDS.features if f.column != "user_id")}))


@dataclass
class Worlds:
    """The world as an arm reads it, the last one kept."""

    root: Path
    markets: dict[tuple[bool, int], Market] = field(default_factory=dict)

    def of(self, arm: str) -> Market:
        """Without ids, with those of frequent things and users, or with all."""
        key = ids, count = not arm.endswith("_no_ids"), MIN_COUNT if arm.endswith("_frequent") else 1
        if key not in self.markets:
            features = competent(world_map(cross=True)) if ids else NO_IDS
            self.markets = {key: open_market(self.root, features, where=of_items, min_count=count)}
        return self.markets[key]


def prepare(root: Path, setting: Setting) -> Worlds:
    """The world."""
    return Worlds(root)


def fitted(name: str, market: Market, setting: Setting) -> Ranker:
    """An arm's DIN; ``two_anew`` begins the second pass with new tables (MEDA, arXiv 2305.19531)."""
    model, config = setting.configs(*ARMS[name], DENSE)
    net = market.fit(model.changed(["name=din"]), config)
    if name == "two_anew":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setting.seed + 1)
            for table in net.inputs.tables.tables.values():
                assert isinstance(table, nn.Embedding)
                nn.init.normal_(table.weight, std=model.initial_std)
        market.fit(net, config)
    return net


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
    secondary=(
        Claim("in order as well", "one", "two", "auc"),
        Claim("and over three", "one", "three", "kl", lower=True),
        Claim("dropout does not cure it", "one", "two_dropout", "kl", lower=True),
        Claim("nor does weight decay", "one", "two_decay", "kl", lower=True),
        Claim("nor do narrow tables", "one", "two_narrow", "kl", lower=True),
        Claim("SGD still gains by a second pass", "two_sgd", "one_sgd", "kl", lower=True),
        Claim("a shared row for rare ids is better for two passes", "two_frequent", "two", "kl", lower=True),
        Claim("new tables for the second pass are, too", "two_anew", "two", "kl", lower=True),
    ),
    control=Claim("without ids", "one_no_ids", "two_no_ids", "kl", lower=True),
    margin=1.0,
    unit="millinats a row of KL to the truth",
    sizes={"impressions": 300_000},
    limits=("Rows stay in the order of time in every pass.",),
)
