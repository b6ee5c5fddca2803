"""KEEP (CIKM 2022, arXiv 2208.10174): what all channels know of users and things, plugged into the ranker of one.

Sixty days, a pass over each. The ads' own history holds clicks on ads alone. The extractor learns the rows of all
channels and says at each midnight what it knows, from the clicks until then; the ads of the day that begins read that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from recommend.data.memory import MemoryStream
from recommend.data.parquet import Position
from recommend.data.ragged import Batch, Column, array_of, rows_of, select_batch, slice_batch
from recommend.data.schema import CHANNELS
from recommend.metrics.ranks import auc
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.baselines.din import DIN
from recommend.models.keep import KEEP, KINDS, Extractor, knowledge_features
from recommend.research.studies.market import Market, of_items, open_market
from recommend.research.studies.study import Claim, Measures, Setting, Study
from recommend.research.world.read import Histories, world_map
from recommend.simulation.config import DAY_MS

ADS, WIDTH = CHANNELS.index("ads"), 16
WEEK = 7  # days before the extractor is asked for the first time
TASKS = ("click", "cart", "order")
PLAIN = world_map(TASKS)
# No numbers, which change while what is stored of a thing does not; no place, which is the page's.
KEYS = PLAIN.model_copy(update={"features": tuple(f for f in PLAIN.features if f.kind == "id")})
ARMS = ("own", "uncounted", "keep", "keep_uncounted", "keep_others")


def ads(raw: dict[str, np.ndarray]) -> np.ndarray:
    """The sub-domain."""
    return raw["channel"] == ADS


@dataclass(frozen=True)
class Daily:
    """Rows of ascending days, as ``train`` takes them; ``midnight`` is called before each day, all before it trained.

    Attributes:
        day: (rows,).
    """

    columns: Batch
    day: np.ndarray
    midnight: Callable[[int], None]
    batch_rows: int
    start: Position = field(default_factory=Position)

    def rows(self) -> int:
        """All of them."""
        return rows_of(self.columns)

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]:
        """Batches, none of two days, each with the position after it."""
        days, begins = np.unique(self.day, return_index=True)
        for place, (day, at) in enumerate(zip(days, begins, strict=True)):
            self.midnight(int(day))
            stop = int(begins[place + 1]) if place + 1 < len(begins) else self.rows()
            for batch, _ in MemoryStream(slice_batch(self.columns, int(at), stop), self.batch_rows).with_positions():
                yield batch, Position(place + 1, 0, self.start.epoch)


@dataclass
class Domains:
    """Attributes:
    ads: rows of ads, with the history of clicks on ads.
    keyed, asked: rows of all channels and of ads as an extractor reads them; of ``asked`` the histories of all channels
        are those of the midnight before.
    """

    ads: Market
    keyed: Market
    asked: Market

    def knowledge(self, name: str, setting: Setting) -> tuple[dict[str, Column], dict[str, Column]]:
        """Columns of training and test rows of ads; zeros in the first week."""
        config, how = setting.configs(f"tower={WIDTH}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setting.seed)
            extractor = Extractor(KEYS, self.keyed.encoders.sizes(), config)
        parts = [(self.asked.train, self.asked.learned["day"]), (self.asked.test, self.asked.raw["day"])]
        vectors_of = [{kind: torch.zeros(len(day), WIDTH) for kind in KINDS} for _, day in parts]
        rng = np.random.default_rng(setting.seed)

        @torch.no_grad()
        def midnight(day: int) -> None:
            if day < WEEK:
                return
            extractor.eval()
            for (rows, days), vectors in zip(parts, vectors_of, strict=True):
                at = torch.from_numpy(np.flatnonzero(days == day))
                for part in at.split(4_096):
                    batch = select_batch(rows, part)
                    for kind in KINDS:
                        vectors[kind][part] = getattr(extractor, f"{kind}_vector")(batch)
                if name == "keep_others":
                    for kind in KINDS:
                        vectors[kind][at] = vectors[kind][at[torch.from_numpy(rng.permutation(len(at)))]]
            extractor.train()

        self.keyed.fit(extractor, how, Daily(self.keyed.train, self.keyed.learned["day"], midnight, how.batch_rows))
        for day in np.unique(parts[1][1]):
            midnight(int(day))
        columns = [{f"knowledge_{kind}": vector for kind, vector in vectors.items()} for vectors in vectors_of]
        return dict(columns[0]), dict(columns[1])


def prepare(root: Path, setting: Setting) -> Domains:
    """Both domains, each as its models read it."""
    all_channels = Histories(root / "log")

    def as_of_midnight(rows: dict[str, Column]) -> dict[str, Column]:
        user, day = array_of(rows["user_id"]), array_of(rows["day"]).astype(np.int64)
        past = [f.column for f in KEYS.role("history")]
        return {**rows, **all_channels.join(user, day * DAY_MS, past)}

    keyed = open_market(root, KEYS, where=of_items)
    asked = open_market(root, KEYS, where=ads, change=as_of_midnight, encoders=keyed.encoders)
    features = setting.inputs(world_map(cross=True))
    return Domains(open_market(root, features, where=ads, channels=(ADS,)), keyed, asked)


def predicted(name: str, domains: Domains, setting: Setting) -> np.ndarray:
    """(rows,) what an arm says of the ads of the last days."""
    config, how = setting.configs()
    market = domains.ads
    features = setting.inputs(world_map(cross=True), counts=not name.endswith("uncounted"))
    if name in ("own", "uncounted"):
        return market.ask(market.fit(market.build(DIN, config, setting.seed, features), how))
    train, test = domains.knowledge(name, setting)
    plugged = features.model_copy(update={"features": (*features.features, *knowledge_features(WIDTH))})
    model = market.build(KEEP, config, setting.seed, plugged)
    market.fit(model, how, MemoryStream({**market.train, **train}, how.batch_rows))
    return market.ask(model, {**market.test, **test})


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
    also=("uncounted", "keep_uncounted"),
    secondary=(
        Claim("what counters of all channels bring without it", "own", "uncounted", "auc"),
        Claim("knowledge over none, without counters", "keep_uncounted", "uncounted", "auc"),
    ),
    control=Claim("knowledge of other rows", "keep_others", "own", "auc"),
    margin=0.003,
    unit="expected AUC of ads",
    sizes={"impressions": 500_000, "days": 60},
    limits=("Ads and the rest are two domains; STAR is without partitioned normalisation.",),
    home={"channel_corr": 0.75, "impressions": 120_000, "feed_pages": 0.4, "search_pages": 0.5},
    why="Ads are 8 % of a log of 60 days, and most of what is known of a visitor is known elsewhere.",
)
