"""MSNet (WWW 2024, arXiv 2403.06747): clicks on single pieces, starved beside those on stock, read on their own.

As in the paper every id has a table row of its own, however rare it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from recommend.data.memory import MemoryStream
from recommend.data.ragged import Batch, ragged_of
from recommend.layers.attention import TargetAttention
from recommend.metrics.ranks import auc
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.msnet import LIMITED_ROW
from recommend.research.studies.market import Market, coin, of_items, open_market
from recommend.research.studies.study import Claim, Measures, Setting, Study
from recommend.research.world.read import world_map

WHOLE = ("name=msnet", "split=false", "warm_known=false", "aux_weight=0")
ARMS = {
    "din": ("name=din",),
    "msnet": ("name=msnet",),
    "whole": WHOLE,
    "din_coin": ("name=din",),
    "whole_coin": WHOLE,
}


@dataclass
class Worlds:
    """The world as an arm reads it, the last one kept."""

    root: Path
    setting: Setting
    markets: dict[bool, Market] = field(default_factory=dict)

    def of(self, arm: str) -> Market:
        """With a stock flag that is a coin for a control's arm."""
        tossed = arm.endswith("_coin")
        if tossed not in self.markets:
            change = coin if tossed else None
            features = self.setting.inputs(world_map(cross=True))
            self.markets = {tossed: open_market(self.root, features, where=of_items, change=change, min_count=1)}
        return self.markets[tossed]


def prepare(root: Path, setting: Setting) -> Worlds:
    """The world."""
    return Worlds(root, setting)


@torch.no_grad()
def attended(model: Ranker, rows: Batch) -> Measures:
    """Shares of the limited clicks (``limited_clicks``) and of DIN's attention to them, of rows with both kinds."""
    assert isinstance(model, DIN)
    ((group, attention),) = model.attention.items()
    assert isinstance(attention, TargetAttention)
    sums = np.zeros(3)
    for batch in MemoryStream(rows, 4_096):
        x, limited = model.inputs(batch), (ragged_of(batch["history_single"]).values == LIMITED_ROW).float()
        past = x.histories[group]
        mass = attention.weights(x.matched[group], past).squeeze(1) * limited
        of = [
            torch.zeros(len(past.lengths)).index_add(0, past.rows, v) for v in (limited / past.lengths[past.rows], mass)
        ]
        both = (of[0] > 0) & (of[0] < 1)
        sums += [float(both.sum()), *(float(v[both].double().sum()) for v in of)]
    return {"limited_clicks": sums[1] / max(sums[0], 1), "limited_attention": sums[2] / max(sums[0], 1)}


def run(name: str, worlds: Worlds, setting: Setting) -> Measures:
    """Expected AUC among limited things (``limited``), others and all; AUC of labels beside it; DIN's attention."""
    market = worlds.of(name)
    looks: Measures = {}
    if name == "popularity":
        p = market.popularity()
    elif name == "oracle":
        p = market.truth["p_click_without_page"]
    else:
        net = market.fit(*setting.configs(*ARMS[name]))
        p, looks = market.ask(net), attended(net, market.test) if name == "din" else looks
    true, limited = market.truth["p_click"], market.raw["single"].astype(bool)
    return {
        "limited": expected_auc(true[limited], p[limited]),
        "others": expected_auc(true[~limited], p[~limited]),
        "all": expected_auc(true, p),
        "auc": auc(market.raw["click"], p),
        "share": market.share(p),
        **looks,
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
    primary=Claim("limited things", "whole", "din", "limited"),
    also=("msnet",),
    deviation="`whole` is `msnet` with one attention for both kinds of stock, with eq. 3-5 for ids alone that training "
    "did not hold, and without eq. 8.",
    secondary=(
        Claim("the same, as printed", "msnet", "din", "limited"),
        Claim("all things", "msnet", "din", "all"),
    ),
    control=Claim("a flag that is a coin", "whole_coin", "din_coin", "all"),
    margin=0.002,
    unit="expected AUC among limited things",
    limits=("Content vectors are read by no arm.",),
    home={"stock_tells": 1.0, "impressions": 80_000, "long_share": 0.35, "single_rows": 4.0, "life_days": 7.0},
    why="Two of three candidates are single pieces, which live a week and are shown some times.",
)
