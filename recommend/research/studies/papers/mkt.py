"""MKT (arXiv 2402.19101): stage 1 learns things and posts together, stage 2 brings what it knows to the posts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recommend.config import TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.parquet import ParquetStream
from recommend.data.ragged import Batch, Column, Ragged, concat_batches, select_batch
from recommend.data.schema import ENTITIES, table_files
from recommend.features.entities import ENTITY, SHARED, Facts, entity_map
from recommend.metrics.ranks import auc
from recommend.metrics.ranks import auc as expected_auc
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.baselines.multi_entity import part_of, tables_of
from recommend.models.mkt import MEM, TEM
from recommend.research.studies.market import Market, open_market
from recommend.research.studies.study import Claim, Measures, Setting, Study

FEATURES, POST = entity_map(content=0), ENTITIES.index("post")
WIDTHS = ("mlp=[128,64,32]", "experts=3")  # a width more than the default, of the towers
ARMS = ("posts_twice", "mkt", "inherits", "inherits_other_clicks")  # twice: as often as stage 1 and stage 2 together


@dataclass
class Entities:
    """Rows of things and posts.

    Attributes:
        posts: training rows that show one.
        judged: (rows,) test rows that show a post.
    first: models of stage 1 by what they were made of; arms that share one train it once.
    """

    market: Market
    posts: Batch
    judged: np.ndarray
    first: dict[str, MEM] = field(default_factory=dict)


def prepare(root: Path, setting: Setting) -> Entities:
    """The log's rows with the fields of either entity, and a history of each."""
    names = ["post_id", "category"]
    rows = concat_batches(list(ParquetStream(table_files(root / "log", "impression"), names, 65_536)))
    facts = Facts(root / "log", rows)

    def joined(rows: dict[str, Column]) -> dict[str, Column]:
        for name in ("history_item", "history_post"):  # clicks of both stand in one order, -1 where of the other
            past = rows[name]
            assert isinstance(past, Ragged)
            rows[name] = past.keep(past.values >= 0)
        return facts.join(rows)

    market = open_market(root, setting.inputs(FEATURES, counts=False), change=joined)
    is_post = market.learned["post_id"] >= 0
    posts = select_batch(market.train, torch.from_numpy(np.flatnonzero(is_post)))
    return Entities(market, posts, market.raw["post_id"] >= 0)


def shuffled(rows: Batch, seed: int) -> dict[str, Column]:
    """Rows of things with each other's clicks: as many, and they tell nothing."""
    click, entity = rows["click"], rows[ENTITY]
    assert isinstance(click, torch.Tensor)
    assert isinstance(entity, torch.Tensor)
    at = (entity != POST).nonzero().squeeze(1)
    mixed = click.clone()
    mixed[at] = click[at[torch.randperm(len(at), generator=torch.Generator().manual_seed(seed))]]
    return {**rows, "click": mixed}


def fitted(name: str, entities: Entities, setting: Setting) -> Ranker:
    """An arm's model; what learns from posts again passes over them once more."""
    (config, how), market = setting.configs(*WIDTHS), entities.market
    features = market.features
    sizes = market.encoders.sizes()

    def fresh(build: Any, *arguments: Any, **more: Any) -> Ranker:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setting.seed)
            return market.started(build(*arguments, **more))

    def learn(model: Ranker, rows: Batch, train: TrainConfig = how) -> Ranker:
        return market.fit(model, train, MemoryStream(rows, train.batch_rows))

    if name == "posts_twice":
        target = part_of(features, (SHARED, ENTITIES[POST]))
        model = fresh(DIN, target, tables_of(target.features, sizes), config)
        return learn(learn(model, entities.posts), entities.posts)
    other = name.endswith("other_clicks")
    key = f"{other} {config} {how}"
    if key not in entities.first:
        rows = shuffled(market.train, setting.seed) if other else market.train
        trained = learn(fresh(MEM, features, sizes, config), rows)
        assert isinstance(trained, MEM)
        entities.first[key] = trained
    mem = entities.first[key]
    return learn(fresh(TEM, features, sizes, config, mem, inherit=name != "mkt"), entities.posts)


def run(name: str, entities: Entities, setting: Setting) -> Measures:
    """Expected AUC among posts; AUC of labels beside it."""
    market, at = entities.market, entities.judged
    if name in ("popularity", "oracle"):
        p = (market.popularity() if name == "popularity" else market.truth["p_click_without_page"])[at]
    else:
        p = market.ask(fitted(name, entities, setting), select_batch(market.test, torch.from_numpy(np.flatnonzero(at))))
    everywhere = np.zeros(len(at))
    everywhere[at] = p
    return {
        "auc": expected_auc(market.truth["p_click"][at], p),
        "auc_labels": auc(market.raw["click"][at], p),
        "share": market.share(everywhere, at),
    }


STUDY = Study(
    name="mkt",
    title="MKT: posts with the help of things",
    paper="2402.19101",
    claim="Two stages with gates rank posts better than a model of the posts alone.",
    prepare=prepare,
    run=run,
    arms=("popularity", *ARMS, "oracle"),
    trained=ARMS,
    base="posts_twice",
    primary=Claim("over posts alone", "inherits", "posts_twice", "auc"),
    also=("mkt",),
    deviation="`inherits` is `mkt` but that the second stage begins with the tables and the attention of the first.",
    secondary=(
        Claim("the same, as printed", "mkt", "posts_twice", "auc"),
        Claim("what inheriting adds", "inherits", "mkt", "auc"),
    ),
    control=Claim("things with others' clicks", "inherits_other_clicks", "posts_twice", "auc"),
    margin=0.003,
    unit="expected AUC of posts",
    sizes={"impressions": 500_000},
    limits=("No content vectors.", "With the phenomenon off the histories of things still stand in every arm."),
    home={"entity_corr": 0.75, "impressions": 120_000},
    why="Posts are few, one row in ten, and people want in them what they want in things.",
)
