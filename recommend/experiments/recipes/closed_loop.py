"""The whole cascade against simple feeds, in a closed loop over 14 days of the simulated marketplace.

Claims are the product's own (no paper reports them): more of the single pieces find a buyer, buyers get what suits
them better, and new listings are clicked sooner than with a feed ordered by popularity, by recency, or by DIN alone.
Control: without taste (``taste_strength`` 0) personal ranking has nothing to find.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from recommend.cascade.feed import Feed, FeedConfig
from recommend.cascade.health import healthy
from recommend.cascade.mixing import Exposure
from recommend.cascade.registry import Registry
from recommend.cascade.scoring import Models
from recommend.config import ModelConfig, TrainConfig
from recommend.data.parquet import ParquetStream
from recommend.data.schema import table_files
from recommend.data.world.calendar import make_calendar
from recommend.data.world.config import make_config
from recommend.data.world.goods import make_items, make_posts
from recommend.data.world.oracle import no_oracle
from recommend.data.world.people import make_people
from recommend.data.world.truth import Truth
from recommend.data.world.write import LOG
from recommend.experiments.closed_loop import Loop, Simulation, preload
from recommend.experiments.marketplace import world_folder
from recommend.experiments.recipe import Measures, Recipe, Setting
from recommend.experiments.statistics import Claim
from recommend.features.ragged import concat_batches
from recommend.training.runs import RunConfig, plan, train_run

LOOP = Loop()
NO_TASTE = {"taste_strength": 0.0}
ROLES = {
    "pre_ranking": ("two_tower", ("click",)),
    "ranking": ("din", ("click",)),
    "conversion": ("esmm", ("click", "order")),
}


@dataclass(frozen=True)
class Arm:
    """A feed: the roles that have a model, the exploration share, the sources, and whether taste exists."""

    roles: tuple[str, ...] = ()
    explore: float = 0.0
    sources: tuple[str, ...] = ("new", "content", "category", "popular")
    candidates: int = 500
    taste: bool = True


ARMS = {
    "popularity": Arm(sources=("popular",)),
    "recency": Arm(sources=("new",), candidates=LOOP.size),
    "din": Arm(("pre_ranking", "ranking")),
    "cascade": Arm(tuple(ROLES), 0.15),
    "popularity_no_taste": Arm(sources=("popular",), taste=False),
    "cascade_no_taste": Arm(tuple(ROLES), 0.15, taste=False),
}


@dataclass(frozen=True)
class Prepared:
    """Trained runs by role and clicks of the log's days, by whether taste exists."""

    root: TemporaryDirectory[str]
    truth: dict[bool, Truth]
    runs: dict[bool, dict[str, Path]]
    clicks: dict[bool, list[tuple[int, int, int]]]


def prepare(setting: Setting) -> Prepared:
    """Both worlds, and the models trained on their first days."""
    root: TemporaryDirectory[str] = TemporaryDirectory(prefix="closed-loop-")
    truth, runs, clicks = {}, {}, {}
    for taste in (True, False):
        knobs = {**setting.knobs, **({} if taste else NO_TASTE)}
        config = make_config(setting.scale, knobs)
        people = make_people(config, setting.seed)
        items = make_items(config, people, setting.seed)
        posts = make_posts(config, people, items, setting.seed)
        truth[taste] = Truth(config, people, items, posts, make_calendar(config, setting.seed))
        log = world_folder(setting.worlds, setting.scale, setting.seed, knobs) / LOG
        runs[taste] = _train(log, Path(root.name) / str(taste), setting)
        clicks[taste] = _clicks(log)
    return Prepared(root, truth, runs, clicks)


def _train(log: Path, out: Path, setting: Setting) -> dict[str, Path]:
    found = {}
    for role, (name, labels) in ROLES.items():
        model = ModelConfig(name=name, embedding=16, mlp=(128, 64)).changed(list(setting.model))
        config = TrainConfig(batch_rows=256, seed=setting.seed).changed(list(setting.train))
        run: RunConfig = plan(log, model, config, labels, 4)
        run = run.model_copy(update={"train_days": (0, LOOP.first - 1), "test_days": (LOOP.first, LOOP.last)})
        with no_oracle():
            train_run(log, run, out / role)
        found[role] = out / role
    return found


def _clicks(log: Path) -> list[tuple[int, int, int]]:
    files = table_files(log, "click", 0, LOOP.first - 1)
    rows = concat_batches(list(ParquetStream(files, ["user_id", "item_id", "time_ms", "post_id"], batch_rows=65_536)))
    user, item, time, post = (rows[n].numpy() for n in ("user_id", "item_id", "time_ms", "post_id"))  # type: ignore[union-attr]
    kept = (item >= 0) & (post < 0)
    order = np.argsort(time[kept], kind="stable")
    return list(zip(user[kept][order].tolist(), item[kept][order].tolist(), time[kept][order].tolist(), strict=True))


def run(name: str, prepared: Prepared, setting: Setting) -> Measures:
    """Simulate one feed."""
    arm = ARMS[name]
    with TemporaryDirectory(prefix="closed-loop-models-") as folder:
        registry = Registry(Path(folder), healthy)
        for role in arm.roles:
            registry.install(prepared.runs[arm.taste][role], role)
        models = Models(registry)
        models.refresh()
        missing = [role for role in arm.roles if models.get(role) is None]
        if missing:
            raise RuntimeError(f"the model of {missing[0]} failed its health check: {registry.events(3)}")
        # Exploration among what sources found, as when the results were made.
        config = FeedConfig(
            candidates=arm.candidates, ranked=100, size=LOOP.size, explained=0, at_once=1,
            exposure=Exposure(share=arm.explore, beyond=0.0), shares=dict.fromkeys(arm.sources, 1.0),
        )  # fmt: skip
        truth = prepared.truth[arm.taste]
        feed = Feed(truth.config.taste_dims, models, config, setting.seed)
        preload(feed, truth, prepared.clicks[arm.taste])
        try:
            return Simulation(truth, feed, LOOP, setting.seed).run()
        finally:
            feed.close()


RECIPE = Recipe(
    name="closed_loop",
    paper="",
    arms=tuple(ARMS),
    prepare=prepare,
    run=run,
    claims=(
        Claim("single pieces sold, over popularity", "sold_share", "cascade", "popularity"),
        Claim("single pieces sold, over recency", "sold_share", "cascade", "recency"),
        Claim("single pieces sold, over DIN alone", "sold_share", "cascade", "din"),
        Claim("clicks over popularity", "click_rate", "cascade", "popularity"),
        Claim("clicked within 6 h, over popularity", "clicked_in_6h", "cascade", "popularity"),
        Claim("clicked within 6 h, over DIN alone", "clicked_in_6h", "cascade", "din"),
        Claim("buyers' delight over popularity", "delight", "cascade", "popularity"),
        Claim("buyers' delight over DIN alone", "delight", "cascade", "din"),
    ),
    controls=(
        Claim("no taste to suit", "click_rate", "cascade_no_taste", "popularity_no_taste",
              controls="clicks over popularity"),
    ),
)  # fmt: skip
