"""What KEEP costs beside DIN: training by row, and a request of 200 candidates at serving time.

``python -m benchmarks.papers.keep_cost [--rows N] [--requests N] [--repeats N]``. A small world of seed 100; kept in
``$IPL_HOME/worlds``. CPU seconds of one thread; models in turn, so that a change of the machine's load meets all of
them; the best of the repeats. Serving looks the knowledge up in a store that holds the world's users, items and pairs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from listing.home import ipl_home
from recommend.data.knowledge import KnowledgeStore
from recommend.data.memory import MemoryStream
from recommend.data.world.config import DAY_MS
from recommend.experiments.arms import FEATURES
from recommend.experiments.recipe import Setting
from recommend.experiments.setups.keep_data import TASKS, SuperDomain, list_items, looked_up, publish
from recommend.experiments.setups.keep_lab import ADS, BASE, EXTRACTED, FIRST, LAST, PRETRAIN, Lab
from recommend.experiments.setups.marketplace import world_folder
from recommend.features.feature_map import FeatureMap
from recommend.models.baselines.din import DIN
from recommend.models.keep import KEEP, Extractor, knowledge_features
from recommend.training.trainer import train


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of this thread."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8_192)
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    worlds = ipl_home() / "worlds"
    domain = SuperDomain.read(world_folder(worlds, "small", 100, {}), FEATURES, FIRST)
    lab = Lab(domain, Setting("small", 100, worlds, {}))
    extractor = lab.new(Extractor, EXTRACTED).eval()
    models = {
        "DIN": lab.new(DIN, FEATURES),
        "KEEP": lab.new(KEEP, FeatureMap(features=(*FEATURES.features, *knowledge_features(extractor.config.tower)))),
        "extractor": lab.new(Extractor, EXTRACTED),
        "DIN of three tasks": lab.new(DIN, FEATURES.model_copy(update={"labels": TASKS})),
    }
    index = domain.where(FIRST, LAST, ADS)[: args.rows]
    with tempfile.TemporaryDirectory() as folder, KnowledgeStore(Path(folder)) as store:
        publish(store, extractor, domain, FIRST * DAY_MS)
        list_items(store, extractor, domain, FIRST * DAY_MS, (LAST + 1) * DAY_MS)

        def with_knowledge(at: np.ndarray) -> dict:
            with store.snapshot() as snapshot:
                found = looked_up(snapshot, {name: values[at] for name, values in domain.raw.items()})
            return {**domain.rows(at), **found}

        rows = with_knowledge(index)
        training: dict[str, dict[str, list[float]]] = {"batch 64": {}, "batch 256": {}}
        for _ in range(args.repeats):
            for size, config in (("batch 64", BASE), ("batch 256", PRETRAIN)):
                for name, model in models.items():
                    stream = MemoryStream(rows, config.batch_rows)
                    seconds = cpu_of(lambda m=model, s=stream, c=config: train(m, s, c))
                    training[size].setdefault(name, []).append(seconds)
        requests = [np.sort(np.random.default_rng(n).choice(index, 200, replace=False)) for n in range(args.requests)]
        ready = [domain.rows(at) for at in requests]
        serving: dict[str, list[float]] = {}

        def ask(name: str, number: int) -> None:
            batch = ready[number]
            if name == "KEEP":
                with store.snapshot() as snapshot:
                    keys = {n: values[requests[number]] for n, values in domain.raw.items()}
                    batch = {**batch, **looked_up(snapshot, keys)}
            models[name].predict(batch)

        for name in ("DIN", "KEEP"):
            ask(name, 0)
        for number in range(args.requests):
            for name in ("DIN", "KEEP"):
                serving.setdefault(name, []).append(cpu_of(lambda n=name, i=number: ask(n, i)))
            both = lambda i=number: (ask("DIN", i), models["DIN of three tasks"].predict(ready[i]))  # noqa: E731
            serving.setdefault("DIN and the whole pre-trained DIN", []).append(cpu_of(both))
    result = {
        "rows": len(index),
        "training, rows per CPU second": {
            size: {name: round(len(index) / min(seconds)) for name, seconds in found.items()}
            for size, found in training.items()
        },
        "training, times DIN": {
            size: {name: round(min(seconds) / min(found["DIN"]), 2) for name, seconds in found.items()}
            for size, found in training.items()
        },
        "serving 200 candidates, CPU ms (median)": {
            name: round(1_000 * float(np.median(seconds)), 2) for name, seconds in serving.items()
        },
        "weights": {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()},
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
