"""Rec4Ad (CIKM 2023, arXiv 2306.03527): organic rows as free samples of what an ads system never shows.

No arm trains on pages shown at random: those of the last days judge, as a stand-in for all ads that might be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recommend.data.memory import MemoryStream, interleave
from recommend.data.ragged import rows_of, select_batch
from recommend.data.schema import CHANNELS, POLICIES
from recommend.metrics.calibration import divergence
from recommend.metrics.ranks import auc
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.baselines.din import DIN
from recommend.models.rec4ad import ADS, ORGANIC, Parts, Rec4Ad
from recommend.research.studies.market import Market, open_market
from recommend.research.studies.study import Claim, Measures, Setting, Study
from recommend.research.world.read import world_map

UNIFORM, FEED, ADS_CHANNEL = POLICIES.index("uniform"), CHANNELS.index("feed"), CHANNELS.index("ads")
RATIO = 4.0  # organic rows an ad, as in the feed
# The channel would say which system a row is of, and the place tells ads from the rest.
FEATURES = world_map(cross=True)
FEATURES = FEATURES.model_copy(
    update={"features": tuple(f for f in FEATURES.features if f.column not in ("channel", "position"))}
)
RESIDUAL = Parts(by_rows=True, residual=True)
ARMS: dict[str, Parts | None] = {
    "ads_only": None,
    "mix": None,
    "rec4ad": Parts(),
    "residual": RESIDUAL,
    "residual_other_clicks": RESIDUAL,
}


@dataclass(frozen=True)
class Feed:
    """The feed's rows; of the training rows which are ads, of the test rows which are ads shown at random."""

    market: Market
    is_ad: np.ndarray
    judged: np.ndarray


def prepare(root: Path, setting: Setting) -> Feed:
    """Organic rows and ads of the feed, without those shown at random in training."""
    market = open_market(
        root,
        setting.inputs(FEATURES),
        where=lambda raw: np.isin(raw["channel"], (FEED, ADS_CHANNEL)),
        learn=lambda raw: raw["policy"] != UNIFORM,
        uncounted=UNIFORM,
    )
    judged = (market.raw["policy"] == UNIFORM) & market.raw["is_ad"].astype(bool)
    return Feed(market, market.learned["is_ad"].astype(bool), judged)


def fitted(name: str, feed: Feed, setting: Setting) -> np.ndarray:
    """(rows,) what an arm says of the test rows, as ads, after one pass."""
    model, config = setting.configs()
    market = feed.market
    rows = {**market.train, "system": torch.from_numpy(np.where(feed.is_ad, ADS, ORGANIC))}
    ads, organic = (select_batch(rows, torch.from_numpy(np.flatnonzero(w))) for w in (feed.is_ad, ~feed.is_ad))
    if name == "ads_only":
        return market.ask(market.fit(model.changed(["name=din"]), config, MemoryStream(ads, config.batch_rows)))
    rng = np.random.default_rng(setting.seed)
    count = min(round(RATIO * rows_of(ads)), rows_of(organic))
    organic = select_batch(organic, torch.from_numpy(np.sort(rng.permutation(rows_of(organic))[:count])))
    if name.endswith("other_clicks"):
        click = organic["click"]
        assert isinstance(click, torch.Tensor)
        organic["click"] = click[torch.from_numpy(rng.permutation(count))]
    batch = max(round(config.batch_rows / (1 + RATIO)), 1)
    stream = interleave(ads, organic, batch, np.ones(count, dtype=np.int64))
    parts = ARMS[name]
    more: dict[str, Any] = {"parts": parts} if parts else {}
    net = market.build(Rec4Ad if parts else DIN, model, setting.seed, **more)
    return market.ask(market.fit(net, config, stream))


def run(name: str, feed: Feed, setting: Setting) -> Measures:
    """Expected AUC and KL (millinats) of ads shown at random; AUC of labels beside them."""
    market, at = feed.market, feed.judged
    if name in ("popularity", "oracle"):
        p = market.popularity() if name == "popularity" else market.truth["p_click_without_page"]
    else:
        p = fitted(name, feed, setting)
    true = market.truth["p_click_without_page"][at]
    return {
        "auc": expected_auc(true, p[at]),
        "kl": 1000 * divergence(true, p[at]),
        "auc_labels": auc(market.raw["click"][at], p[at]),
        "share": market.share(p, at),
    }


STUDY = Study(
    name="rec4ad",
    title="Rec4Ad: organic rows for ads",
    paper="2306.03527",
    claim="Parting what ads and organic rows share orders ads that are not chosen better than mixing the rows.",
    prepare=prepare,
    run=run,
    arms=("popularity", *ARMS, "oracle"),
    trained=tuple(ARMS),
    base="mix",
    primary=Claim("parted over mixed", "residual", "mix", "auc"),
    also=("rec4ad",),
    deviation="`residual` is `rec4ad` but that the rows of both systems weigh alike, and that a branch adds to what "
    "z_inv says alone.",
    secondary=(
        Claim("the same, as printed", "rec4ad", "mix", "auc"),
        Claim("over ads alone", "residual", "ads_only", "auc"),
    ),
    control=Claim("organic rows with others' clicks", "residual_other_clicks", "ads_only", "auc"),
    margin=0.003,
    unit="expected AUC of ads shown at random",
    # Of 400,000 rows the phenomenon's interval spans its edge: the ads shown at random are few.
    sizes={"impressions": 1_200_000},
    limits=("Ads shown at random, which judge, are few.",),
    home={"selection": 2.0, "impressions": 120_000, "uniform_share": 0.15},
    why="What is shown as an ad is chosen by what the log does not hold; almost nothing is shown at random.",
)
