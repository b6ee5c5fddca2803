"""Latency of a page of the feed, and where the time goes: 1, 8 and 32 visitors at once, in one process.

    python -m benchmarks.serving.feed_latency [--items 20000] [--requests 400] [--ranking din] [--papers]

A world of 200,000 impressions gives the models (trained here, once, into --work) and the items on sale, copied under
new ids until there are enough. The stages are those of serving: 2,000 candidates pre-ranked, 200 ranked, a page of 20.
With ``--papers`` the models are COPR, KEEP with published knowledge, ECAD, Rec4Ad and, for 200 posts, MKT; they learn
from a few days only, since how long they take does not hang on what they know.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from benchmarks.common import arguments, machine, percentiles
from listing.home import ipl_home
from recommend.cascade.catalog import Item
from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import FeedConfig
from recommend.cascade.posts import Post
from recommend.cascade.registry import Registry
from recommend.cascade.request import DAY_MS, Moment
from recommend.cascade.scoring import KNOWLEDGE, Models
from recommend.config import TrainConfig
from recommend.data.parquet import ParquetStream
from recommend.data.ragged import Ragged, concat_batches, tensor_of
from recommend.data.schema import table_files
from recommend.models.registry import model_class, model_config
from recommend.research.world import write_world
from recommend.research.world.stored import store_histories
from recommend.training.knowledge import publish
from recommend.training.runs import plan, train_run

PLAIN = ("item_id", "seller_id", "category", "condition", "price", "price_bucket", "single", "bid", "listed_ms")
MANY = 50  # in stock of a listing that is not of a single item
PAPERS = {"pre_ranking": "copr", "ranking": "keep", "conversion": "ecad", "ads": "rec4ad", "posts": "mkt"}
FEW = 26  # days held back: what is left is enough to have weights


def trained(work: Path, model: str, log: Path, test_days: int = 4) -> Path:
    """A run of a model on the world's log; trained when it is not there yet."""
    config = model_config(model, ["embedding=16", *([] if model == "mkt" else ["mlp=[128,64]"])])
    run = plan(
        log, config, TrainConfig(batch_rows=256), model_class(model).usual, test_days, work / "models" / KNOWLEDGE
    )
    train_run(log, run, work / model)
    return work / model


def papers(work: Path, log: Path, registry: Registry) -> None:
    """The papers' models, trained and installed when they are not there yet."""
    if not (work / "models" / KNOWLEDGE).is_dir():
        publish(trained(work, "keep_extractor", log, FEW), log, work / "models" / KNOWLEDGE)
    for role, model in PAPERS.items():
        if not registry.versions(role):
            registry.install(trained(work, model, log, FEW - 4 if model == "keep" else FEW), role)


def world(folder: Path, seed: int) -> Path:
    """The log of a small world, written once."""
    if not (folder / "log").is_dir():
        write_world(folder, seed=seed, knobs={"impressions": 200_000})
        store_histories(folder)
        for file in table_files(folder / "log", "impression"):  # which stand for candidates, as COPR asks for
            rows = pq.read_table(file, columns=["request_id", "time_ms", "user_id", "item_id", "policy", "position"])
            rows = rows.filter(pc.field("item_id") >= 0).rename_columns({"position": "rank"})
            for name, value in (("rank_score", 0.05), ("bid", 1.0), ("shown", True)):
                rows = rows.append_column(name, pa.array([value] * len(rows)))
            path = folder / "log" / "candidate" / file.parent.name / file.name
            path.parent.mkdir(parents=True)
            pq.write_table(rows, path)
    return folder / "log"


def world_items(log: Path, until: Moment) -> list[Item]:
    """All items listed until a moment, the latest first, sold by then or not."""
    rows = concat_batches(list(ParquetStream(table_files(log, "item"), [*PLAIN, "content"], batch_rows=65_536)))
    content = rows["content"]
    assert isinstance(content, Ragged)
    vectors = content.padded()[0].numpy()
    plain = {name: tensor_of(rows[name]).tolist() for name in PLAIN}
    items = [
        Item(**{k: v[n] for k, v in plain.items()}, stock=1 if plain["single"][n] else MANY, content=vectors[n])
        for n in range(len(vectors))
        if plain["listed_ms"][n] <= until.time_ms
    ]
    return sorted(items, key=lambda item: -item.listed_ms)


def write_posts(feed: Feed, moment: Moment, count: int = 200) -> None:
    """Posts of the last days, and visitors who opened some of them."""
    rng = np.random.default_rng(0)
    for n in range(count):
        feed.posts.put(Post(n, n % 50, n % 40, n % 8, moment.time_ms - n * 600_000, 80, rng.normal(size=16)))
    for user in range(500):
        for n in rng.choice(count, 10):
            feed.posts.clicked(int(n), feed.visitors.get(user), moment)


def build(args: argparse.Namespace) -> tuple[Feed, Moment]:
    """A feed with models, items on sale, and visitors who have a past."""
    log = world(args.work / f"world-{args.seed}", args.seed)
    registry = Registry(args.work / "models", healthy)
    if args.papers:
        papers(args.work, log, registry)
    for role, model in (("pre_ranking", "two_tower"), ("ranking", args.ranking)):
        if not registry.versions(role):
            registry.install(trained(args.work, model, log), role)
    feed = Feed(16, Models(registry), FeedConfig(), args.seed)
    feed.models.refresh()
    moment = Moment(27 * DAY_MS)
    items = world_items(log, moment)
    feed.pre_ranker.rebuild(moment)
    for n in range(args.items):
        first: Item = items[n % len(items)]
        feed.put(replace(first, item_id=first.item_id if n < len(items) else 10_000_000 + n), moment)
    rng = np.random.default_rng(args.seed)
    live = feed.catalog.get("item_id", feed.catalog.live())
    for user in range(500):
        for item_id in rng.choice(live, 20):
            feed.visitors.clicked(user, int(item_id), feed.catalog, moment.time_ms)
    if args.papers:
        write_posts(feed, moment)
    return feed, moment


def measure(feed: Feed, moment: Moment, at_once: int, requests: int) -> dict[str, object]:
    """Milliseconds of pages that ``at_once`` threads ask for, each again as soon as it is answered."""
    taken: list[float] = []
    stages: dict[str, list[float]] = {}
    each = max(1, requests // at_once)

    def visit(number: int) -> None:
        rng = np.random.default_rng(number)
        for _ in range(each):
            began = time.perf_counter()
            slate = feed.slate(int(rng.integers(500)), moment)
            taken.append(1000 * (time.perf_counter() - began))
            for stage, ms in slate.ms.items():
                stages.setdefault(stage, []).append(ms)

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(at_once)]
    began, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "at_once": at_once,
        "requests": len(taken),
        **percentiles(taken),
        "per_second": round(len(taken) / seconds, 1),
        "cpu_ms": round(1000 * cpu / len(taken), 1),
        "median_ms_by_stage": {stage: round(float(np.median(ms)), 2) for stage, ms in stages.items()},
    }


def main() -> None:
    parser = arguments(__doc__, items=20_000, requests=400, seed=0)
    parser.add_argument("--ranking", default="din", help="model of the ranking stage")
    parser.add_argument("--papers", action="store_true", help="the papers' models in every stage, and posts")
    parser.add_argument("--work", type=Path, help="where the models are kept (default: in IPL_HOME)")
    args = parser.parse_args()
    args.work = args.work or ipl_home() / "benchmarks" / ("feed_papers" if args.papers else "feed")
    feed, moment = build(args)
    torch.set_num_threads(1)  # requests run beside each other; each on one core
    measure(feed, moment, 1, 30)
    for at_once in (1, 8, 32):
        print(json.dumps(measure(feed, moment, at_once, args.requests)), flush=True)
    slate = feed.slate(1, moment)
    print(json.dumps({"live": len(feed.catalog), "counts": slate.counts, "models": slate.models, **machine()}))


if __name__ == "__main__":
    main()
