"""CPU time of the papers' models beside DIN's: ``python -m benchmarks.papers.speed copr|ecad|hdr|keep|mkt``.

One thread, all jobs in turn, so that a change of the machine's load meets all of them; medians over the rounds (KEEP's
training: the best round), a first one warms up. Worlds are the small one of seed 100, kept in ``$IPL_HOME/worlds``.

copr: pre-ranking 10,000 ads for one user: their vectors are there, as a pre-ranker has them, the user's is computed for
the request; DIN has to look at every ad together with the user.
ecad: training and predictions of the same random rows, histories of 1 to 20, batch 256.
hdr: 20 training steps of 256 clicks (HDR as it is fine-tuned, DIN with Adam on all weights), predictions of 5,120
clicks, and one day's adaptation: retrieval, correction, one pass, and what is served.
keep: training by row, and a request of 200 candidates, looked up in a store of the world's users, items and pairs.
mkt: a request of 100 candidates; untrained models of the recipe's sizes, of stage 1 what stage 2 reads.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from listing.home import ipl_home
from recommend.config import ModelConfig, TrainConfig
from recommend.data.knowledge import KnowledgeStore
from recommend.data.memory import MemoryStream
from recommend.data.world.config import DAY_MS
from recommend.experiments.arms import FEATURES, MODEL
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes import copr, hdr, mkt
from recommend.experiments.setups import entities, hdr_replay
from recommend.experiments.setups.keep_data import TASKS, SuperDomain, list_items, looked_up, publish
from recommend.experiments.setups.keep_lab import ADS, BASE, EXTRACTED, FIRST, LAST, PRETRAIN, Lab
from recommend.experiments.setups.marketplace import world_folder
from recommend.features.feature_map import Feature, FeatureMap
from recommend.features.ragged import Batch, Ragged, slice_batch
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.baselines.multi_entity import SHARED, part_of, tables_of
from recommend.models.copr import COPR, Terms, log_bid
from recommend.models.ecad import ECAD, NEVER
from recommend.models.hdr import fine_tune
from recommend.models.keep import KEEP, Extractor, knowledge_features
from recommend.models.mkt import MEM, TEM
from recommend.models.registry import build_model
from recommend.training.optim import optimizers
from recommend.training.trainer import train

Jobs = dict[str, Callable[[int], object]]


def cpu(jobs: Jobs, rounds: int, of: Callable = np.median) -> dict[str, float]:
    """CPU seconds of each job, which gets the round's number."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(-1, rounds):
        for name, job in jobs.items():
            began = time.process_time()
            job(number)
            if number >= 0:
                found[name].append(time.process_time() - began)
    return {name: float(of(seconds)) for name, seconds in found.items()}


def told(found: dict[str, float]) -> None:
    """Print milliseconds."""
    for name, seconds in found.items():
        print(f"{name}: {1e3 * seconds:.2f} ms of CPU")


def world() -> Setting:
    """The world that is measured on."""
    return Setting("small", 100, ipl_home() / "worlds", {})


# COPR

ADS_OF_A_REQUEST, HISTORY = 10_000, 20
ROWS = {"user_id": 848, "hour": 25, "channel": 5, "promotion": 4, "seller_id": 848, "single": 3}
ROWS |= {"item_id": 5_000, "category": 61, "condition": 7, "price_bucket": 12}


def page(ads: int) -> Batch:
    """One request's rows: the same user and history in each, another ad in each."""
    rng = np.random.default_rng(0)
    columns: Batch = {}
    for feature in FEATURES.features:
        rows = ROWS.get(feature.vocabulary, 1)
        if feature.role == "history":
            one = (
                rng.normal(size=(HISTORY, feature.size)) if feature.kind == "vector" else rng.integers(0, rows, HISTORY)
            )
            values = torch.from_numpy(np.tile(one, (ads, *[1] * (one.ndim - 1))))
            columns[feature.column] = Ragged(values, torch.full((ads,), HISTORY))
        elif feature.kind == "id":
            drawn = rng.integers(0, rows, 1 if feature.role == "context" else ads)
            columns[feature.column] = torch.from_numpy(np.resize(drawn, ads))
        else:
            columns[feature.column] = torch.from_numpy(rng.normal(size=(ads, feature.size))).float().squeeze(1)
    return columns


def pre_rank(config: ModelConfig, relaxed: bool, rows: Batch) -> Callable[[int], torch.Tensor]:
    """A request to two towers: the user's tower once, then all ads."""
    model = COPR(FEATURES, ROWS, config, terms=Terms(relaxed=relaxed)).eval()
    items, user, bid = (
        model.item_vector(model.inputs(rows)),
        slice_batch(rows, 0, 1),
        torch.rand(ADS_OF_A_REQUEST) + 0.1,
    )

    def request(_: int) -> torch.Tensor:
        vector = model.user_vector(model.inputs(user))
        logit, log_alpha = model.scores(vector.expand_as(items), items)
        return (torch.nn.functional.logsigmoid(logit) + log_alpha + log_bid(bid)).topk(100).indices

    return request


def of_copr(rounds: int) -> None:
    rows = page(ADS_OF_A_REQUEST)
    din = DIN(FEATURES, ROWS, MODEL).eval()
    with torch.no_grad():
        told(
            cpu(
                {
                    "two small towers": pre_rank(copr.SMALL, False, rows),
                    "two small towers and alpha (COPR)": pre_rank(copr.SMALL, True, rows),
                    "two large towers": pre_rank(copr.LARGE, False, rows),
                },
                rounds,
            )
        )
        told(cpu({"DIN": lambda _: din(rows)["click"].topk(100).indices}, max(rounds // 5, 2)))


# ECAD

RANDOM_ROWS, BATCH, ITEMS = 10_240, 256, 20_000
SIZES = {"user_id": 1_000, "item_id": ITEMS, "category": 60}
PLAIN = (
    Feature(column="user_id", role="context"),
    Feature(column="item_id", role="target"),
    Feature(column="category", role="target"),
    Feature(column="history_item", role="history", match="item_id"),
    Feature(column="history_category", role="history", match="category"),
)


def random_rows() -> Batch:
    """Random rows with the times of a stream in which all has just ripened."""
    rng = np.random.default_rng(0)
    lengths = torch.from_numpy(rng.integers(1, 21, RANDOM_ROWS))
    columns: Batch = {n: torch.from_numpy(rng.integers(1, size, RANDOM_ROWS)) for n, size in SIZES.items()}
    for name, size in (("item", ITEMS), ("category", 60)):
        columns[f"history_{name}"] = Ragged(torch.from_numpy(rng.integers(1, size, int(lengths.sum()))), lengths)
    age = torch.full((RANDOM_ROWS,), 7 * DAY_MS)
    order = torch.where(torch.from_numpy(rng.random(RANDOM_ROWS) < 0.3), 3_600_000, NEVER)
    return {
        **columns,
        "click": torch.from_numpy(rng.random(RANDOM_ROWS) < 0.1),
        "age_ms": age,
        "age_before_ms": torch.zeros_like(age),
        "order_after_ms": order,
        "refund_after_ms": torch.full_like(order, NEVER),
    }


def one_pass(model: Ranker, data: Batch, learn: bool, _: int) -> None:
    """Train on, or predict, all rows."""
    steps = optimizers(model, 1e-3)
    for at in range(0, RANDOM_ROWS, BATCH):
        batch = slice_batch(data, at, at + BATCH)
        if not learn:
            model.predict(batch)
            continue
        for optimizer in steps:
            optimizer.zero_grad(set_to_none=True)
        model.loss(model(batch), batch).backward()
        for optimizer in steps:
            optimizer.step()


def of_ecad(rounds: int) -> None:
    config, data = ModelConfig(embedding=16, mlp=(64, 32)), random_rows()
    one, both = FeatureMap(features=PLAIN), FeatureMap(features=PLAIN, labels=("order", "refund"))
    models = {
        "DIN": DIN(one, SIZES, config),
        "ECAD, windows 1 + 1": ECAD(both, SIZES, config, order_edges=(3.0,), refund_edges=(6.0,)),
        "ECAD, windows 3 + 3": ECAD(both, SIZES, config, order_edges=(0.25, 1, 3), refund_edges=(1, 3, 6)),
    }
    ways = {"trained": True, "predicted": False}
    jobs = {f"{n}, {way}": partial(one_pass, m, data, learn) for n, m in models.items() for way, learn in ways.items()}
    found = cpu(jobs, rounds)
    print("| model | trained per CPU second | of DIN | predicted per CPU second | of DIN |\n|---|---|---|---|---|")
    for name in models:
        pairs = [(found[f"{name}, {way}"], found[f"DIN, {way}"]) for way in ways]
        print(
            f"| {name} | " + " | ".join(f"{RANDOM_ROWS / mine:,.0f} | {din / mine:.2f}" for mine, din in pairs) + " |"
        )


# HDR


def of_hdr(rounds: int) -> None:
    replay = hdr.prepare(world())
    own, day = replay.production(22), replay.log.day
    data = slice_batch(replay.encode(day < 22, np.isfinite(replay.log.converted[day < 22])), 0, 20 * BATCH)
    assert replay.encoders is not None
    config = hdr_replay.MODEL.model_copy(update={"name": "din"})
    din = build_model(hdr_replay.FEATURES, replay.encoders.sizes(), config)
    stream = MemoryStream(data, BATCH)
    batches = list(stream)
    jobs: Jobs = {
        "DIN, training": lambda _: train(din, stream, TrainConfig(threads=1)),
        "HDR, training": lambda _: fine_tune(own, batches, hdr.TUNED, 1.0),
        "DIN, predictions": lambda _: din.predict(data),
        "HDR, predictions": lambda _: own.predict(data),
        "HDR, one day": lambda _: hdr.adapt(replay, hdr.ARMS["hdr"], 22, day == 22),
    }
    found = cpu(jobs, rounds)
    told(found)
    for what in ("training", "predictions"):
        print(f"{what}: HDR takes {found[f'HDR, {what}'] / found[f'DIN, {what}']:.2f} of DIN's time")


# KEEP


def of_keep(rounds: int, rows: int = 8_192, requests: int = 50) -> None:
    setting = world()
    domain = SuperDomain.read(world_folder(setting.worlds, "small", setting.seed, {}), FEATURES, FIRST)
    lab = Lab(domain, setting)
    extractor = lab.new(Extractor, EXTRACTED).eval()
    knowing = FeatureMap(features=(*FEATURES.features, *knowledge_features(extractor.config.tower)))
    models = {
        "DIN": lab.new(DIN, FEATURES),
        "KEEP": lab.new(KEEP, knowing),
        "extractor": lab.new(Extractor, EXTRACTED),
        "DIN of three tasks": lab.new(DIN, FEATURES.model_copy(update={"labels": TASKS})),
    }
    index = domain.where(FIRST, LAST, ADS)[:rows]
    with tempfile.TemporaryDirectory() as folder, KnowledgeStore(Path(folder)) as store:
        publish(store, extractor, domain, FIRST * DAY_MS)
        list_items(store, extractor, domain, FIRST * DAY_MS, (LAST + 1) * DAY_MS)

        def looked(at: np.ndarray) -> Batch:
            with store.snapshot() as snapshot:
                return looked_up(snapshot, {name: values[at] for name, values in domain.raw.items()})

        learned = {**domain.rows(index), **looked(index)}
        for config in (BASE, PRETRAIN):
            stream = MemoryStream(learned, config.batch_rows)
            jobs: Jobs = {n: lambda _, m=m, s=stream, c=config: train(m, s, c) for n, m in models.items()}
            found = cpu(jobs, rounds, of=min)
            for name, seconds in found.items():
                times = seconds / found["DIN"]
                print(f"{name}, batch {config.batch_rows}: {rows / seconds:,.0f} rows a second, {times:.2f} times DIN")
        asked = [np.sort(np.random.default_rng(n).choice(index, 200, replace=False)) for n in range(requests)]
        ready = [domain.rows(at) for at in asked]
        din, whole = models["DIN"], models["DIN of three tasks"]
        told(
            cpu(
                {
                    "DIN": lambda n: din.predict(ready[n]),
                    "KEEP": lambda n: models["KEEP"].predict({**ready[n], **looked(asked[n])}),
                    "DIN and the whole pre-trained DIN": lambda n: (din.predict(ready[n]), whole.predict(ready[n])),
                },
                requests,
            )
        )


# MKT


def of_mkt(rounds: int) -> None:
    ready = entities.open_entities(world(), {})
    sizes, own = ready.market.encoders.sizes(), part_of(entities.FEATURES, (SHARED, "post"))
    mem = MEM(entities.FEATURES, sizes, mkt.MODEL).keep_target(scores=False)
    models = {
        "DIN": DIN(own, tables_of(own.features, sizes), mkt.MODEL),
        "MKT": TEM(entities.FEATURES, sizes, mkt.MODEL, mem),
    }
    batch = next(iter(MemoryStream(ready.market.test, 100)))
    found = cpu({name: lambda _, m=model: m.predict(batch) for name, model in models.items()}, rounds)
    told(found)
    weights = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    print(f"ratio {found['MKT'] / found['DIN']:.2f}; weights {weights}")


PAPERS = {"copr": (of_copr, 20), "ecad": (of_ecad, 3), "hdr": (of_hdr, 5), "keep": (of_keep, 3), "mkt": (of_mkt, 200)}


def main() -> None:
    """Measure one paper's model and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paper", choices=PAPERS)
    parser.add_argument("--rounds", type=int, help="default: what the pages' figures were measured with")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    measure, rounds = PAPERS[args.paper]
    measure(args.rounds or rounds)


if __name__ == "__main__":
    main()
