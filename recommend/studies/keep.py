"""KEEP (CIKM 2022, arXiv 2208.10174): what all channels know of users and things, plugged into the ranker of one.

The ads' own history holds clicks on ads alone. Knowledge is extracted from the first half of the days and as of their
end; rows of ads from before it have none, so that no label shapes what its own row reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.schema import CHANNELS
from recommend.features.ragged import Column, array_of, select_batch
from recommend.metrics.ranks import auc
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.keep import KEEP, KINDS, Extractor, knowledge_features
from recommend.studies.market import Market, open_market
from recommend.studies.study import Claim, Measures, Setting, Study
from recommend.world.config import DAY_MS
from recommend.world.read import Histories, world_map

ADS, WIDTH = CHANNELS.index("ads"), 16
TASKS = ("click", "cart", "order")
PLAIN = world_map(TASKS)
# No numbers, which change while what is stored of a thing does not; no place, which is the page's.
KEYS = PLAIN.model_copy(update={"features": tuple(f for f in PLAIN.features if f.kind == "id")})
OWN = world_map(cross=True)
PLUGGED = OWN.model_copy(update={"features": (*OWN.features, *knowledge_features(WIDTH))})
ARMS = ("own", "fine_tuned", "joint", "keep", "keep_clicks", "keep_others")


def ads(raw: dict[str, np.ndarray]) -> np.ndarray:
    """The sub-domain."""
    return raw["channel"] == ADS


def things(raw: dict[str, np.ndarray]) -> np.ndarray:
    """The super-domain: no posts, which have other fields."""
    return raw["item_id"] >= 0


@dataclass
class Domains:
    """Attributes:
    ads, everything: rows of ads and of all channels, with the history of clicks on ads.
    keyed, asked: rows of all channels and of ads as an extractor reads them; of ``asked`` the histories of all channels
        are those of the cut.
    """

    cut: int
    ads: Market
    everything: Market
    keyed: Market
    asked: Market

    def early(self, market: Market) -> dict[str, Column]:
        """Training rows from before the cut."""
        return select_batch(market.train, torch.from_numpy(np.flatnonzero(market.known["day"] < self.cut)))

    def knowledge(self, name: str, setting: Setting) -> tuple[dict[str, Column], dict[str, Column]]:
        """Columns of training and test rows of ads; zeros before the cut."""
        tasks = TASKS[:1] if name == "keep_clicks" else TASKS
        config, how = setting.configs(name, f"tower={WIDTH}")
        features = KEYS.model_copy(update={"labels": tasks})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setting.seed)
            extractor = Extractor(features, self.keyed.encoders.sizes(), config)
        self.keyed.fit(extractor, how, MemoryStream(self.early(self.keyed), how.batch_rows))
        extractor.eval()
        rng = np.random.default_rng(setting.seed)
        parts: list[dict[str, Column]] = []
        for rows, day in ((self.asked.train, self.asked.known["day"]), (self.asked.test, self.asked.raw["day"])):
            found = [
                torch.cat([getattr(extractor, f"{kind}_vector")(batch) for batch in MemoryStream(rows, 4_096)]).detach()
                for kind in KINDS
            ]
            if name == "keep_others":
                found = [vector[torch.from_numpy(rng.permutation(len(vector)))] for vector in found]
            known = torch.from_numpy(day >= self.cut)[:, None]
            parts.append({f"knowledge_{kind}": vector * known for kind, vector in zip(KINDS, found, strict=True)})
        return parts[0], parts[1]


def prepare(root: Path, setting: Setting) -> Domains:
    """Both domains, each as its models read it."""
    everything = open_market(root, where=things, channels=(ADS,))
    cut = (int(everything.raw["day"].min()) + 1) // 2
    all_channels = Histories(root / "log")

    def as_of_the_cut(rows: dict[str, Column]) -> dict[str, Column]:
        user = array_of(rows["user_id"])
        past = [f.column for f in KEYS.role("history")]
        return {**rows, **all_channels.join(user, np.full(len(user), cut * DAY_MS), past)}

    keyed = open_market(root, KEYS, where=things)
    asked = open_market(root, KEYS, where=ads, change=as_of_the_cut, encoders=keyed.encoders)
    return Domains(cut, open_market(root, where=ads, channels=(ADS,)), everything, keyed, asked)


def predicted(name: str, domains: Domains, setting: Setting) -> np.ndarray:
    """(rows,) what an arm says of the ads of the last days."""
    config, how = setting.configs(name)
    own = domains.ads
    if name == "own":
        return own.ask(own.fit(config.changed(["name=din"]), how))
    if name.startswith("keep"):
        train, test = domains.knowledge(name, setting)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setting.seed)
            model = KEEP(PLUGGED, own.encoders.sizes(), config)
        own.fit(model, how, MemoryStream({**own.train, **train}, how.batch_rows))
        return own.ask(model, {**own.test, **test})
    return shared(name, domains, config, how)


def shared(name: str, domains: Domains, config: ModelConfig, how: TrainConfig) -> np.ndarray:
    """DIN on the rows of all channels; ``fine_tuned``: of the first half, then on the ads of the second."""
    both, is_ad = domains.everything, domains.everything.raw["channel"] == ADS
    model: Ranker = both.build(DIN, config, how.seed)
    if name == "joint":
        both.fit(model, how)
    else:
        late = (both.known["channel"] == ADS) & (both.known["day"] >= domains.cut)
        for rows in (domains.early(both), select_batch(both.train, torch.from_numpy(np.flatnonzero(late)))):
            both.fit(model, how, MemoryStream(rows, how.batch_rows))
    return both.ask(model, select_batch(both.test, torch.from_numpy(np.flatnonzero(is_ad))))


def run(name: str, domains: Domains, setting: Setting) -> Measures:
    """Expected AUC among ads; AUC of labels beside it."""
    market = domains.ads
    if name in ("popularity", "oracle"):
        p = market.popularity() if name == "popularity" else market.truth["p_click_without_page"]
    else:
        p = predicted(name, domains, setting)
    return {
        "auc": expected_auc(market.truth["p_click"], p),
        "auc_labels": auc(market.raw["click"], p),
        "share": market.share(p),
    }


STUDY = Study(
    name="keep",
    title="KEEP: knowledge of other channels",
    paper="2208.10174",
    claim="Knowledge extracted from all channels and plugged in ranks ads better than a model of the ads alone.",
    prepare=prepare,
    run=run,
    arms=("popularity", *ARMS, "oracle"),
    trained=ARMS,
    base="own",
    primary=Claim("knowledge over none", "keep", "own", "auc"),
    secondary=(
        Claim("over fine-tuning", "keep", "fine_tuned", "auc"),
        Claim("over joint training", "keep", "joint", "auc"),
        Claim("carts and orders over clicks alone", "keep", "keep_clicks", "auc"),
    ),
    control=Claim("knowledge of other rows", "keep_others", "own", "auc"),
    margin=0.003,
    unit="expected AUC of ads",
    limits=("Knowledge is published once, not daily, so that forgetting over many updates is not tried.",),
)
