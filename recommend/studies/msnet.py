"""MSNet (WWW 2024, arXiv 2403.06747): clicks on single pieces, starved beside those on stock, read on their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recommend.metrics.ranks import auc
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.registry import changed
from recommend.studies.market import Market, coin, open_market
from recommend.studies.study import Claim, Measures, Setting, Study

ARMS = {
    "din": ("name=din", "softmax=true"),
    "mwuf": ("name=mwuf", "softmax=true"),
    "msnet": ("name=msnet", "softmax=true"),
    "split": ("name=msnet", "softmax=true", "warm=false", "aux_weight=0"),
    "no_warm": ("name=msnet", "softmax=true", "warm=false"),
    "no_aux": ("name=msnet", "softmax=true", "aux_weight=0"),
    "din_coin": ("name=din", "softmax=true"),
    "msnet_coin": ("name=msnet", "softmax=true"),
}


def things(raw: dict[str, np.ndarray]) -> np.ndarray:
    """No posts."""
    return raw["item_id"] >= 0


@dataclass
class Worlds:
    """The world as it is, and with a stock flag that is a coin; each read when first asked for."""

    root: Path
    found: dict[bool, Market] = field(default_factory=dict)

    def __getitem__(self, tossed: bool) -> Market:
        if tossed not in self.found:
            self.found = {tossed: open_market(self.root, where=things, change=coin if tossed else None)}
        return self.found[tossed]


def prepare(root: Path, setting: Setting) -> Worlds:
    """Both worlds."""
    return Worlds(root)


def run(name: str, worlds: Worlds, setting: Setting) -> Measures:
    """Expected AUC among limited things (``limited``), others and all; AUC of labels beside it."""
    market = worlds[name.endswith("_coin")]
    if name == "popularity":
        p = market.popularity()
    elif name == "oracle":
        p = market.truth["p_click_without_page"]
    else:
        model, config = setting.configs(name)
        p = market.ask(market.fit(changed(model, ARMS[name]), config))
    true, limited = market.truth["p_click"], market.raw["single"].astype(bool)
    return {
        "limited": expected_auc(true[limited], p[limited]),
        "others": expected_auc(true[~limited], p[~limited]),
        "all": expected_auc(true, p),
        "auc": auc(market.raw["click"], p),
        "share": market.share(p),
    }


STUDY = Study(
    name="msnet",
    title="MSNet: single pieces",
    paper="2403.06747",
    claim="Splitting the history by stock and warming rare ids ranks limited things better than one attention.",
    prepare=prepare,
    run=run,
    arms=("popularity", *ARMS, "oracle"),
    trained=tuple(ARMS),
    base="din",
    primary=Claim("limited things", "msnet", "din", "limited"),
    secondary=(
        Claim("over the strongest baseline", "msnet", "mwuf", "limited"),
        Claim("all things", "msnet", "din", "all"),
        Claim("what the meta networks add", "msnet", "no_warm", "limited"),
        Claim("what the auxiliary loss adds", "msnet", "no_aux", "limited"),
        Claim("what the split adds", "split", "din", "limited"),
    ),
    control=Claim("a flag that is a coin", "msnet_coin", "din_coin", "all"),
    margin=0.002,
    unit="expected AUC among limited things",
    limits=("Content vectors are read by no arm.", "The paper's equations were not at hand; docs/papers/msnet.md."),
)
