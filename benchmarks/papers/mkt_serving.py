"""What serving MKT costs beside the target's own DIN: CPU time of a prediction, and weights.

    python -m benchmarks.papers.mkt_serving --worlds FOLDER

Untrained models of the recipe's sizes: time does not depend on the weights. Of stage 1 only what stage 2 reads is kept.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from recommend.data.memory import MemoryStream
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes.mkt import MODEL
from recommend.experiments.setups.entities import FEATURES, open_entities
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.baselines.multi_entity import SHARED, part_of, tables_of
from recommend.models.mkt import MEM, TEM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=Path, required=True, help="folder in which worlds are kept")
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--rows", type=int, default=100, help="candidates of a request")
    parser.add_argument("--repeats", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    ready = open_entities(Setting("small", args.seed, args.worlds, {}), {})
    sizes, own = ready.market.encoders.sizes(), part_of(FEATURES, (SHARED, "post"))
    mem = MEM(FEATURES, sizes, MODEL).keep_target(scores=False)
    models: dict[str, Ranker] = {
        "din": DIN(own, tables_of(own.features, sizes), MODEL),
        "mkt": TEM(FEATURES, sizes, MODEL, mem),
    }
    batch = next(iter(MemoryStream(ready.market.test, args.rows)))
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(args.repeats):
        for name, model in models.items():
            began = time.process_time()
            model.predict(batch)
            times[name].append(time.process_time() - began)
    for name, model in models.items():
        weights = sum(p.numel() for p in model.parameters())
        print(f"{name}: {1e3 * statistics.median(times[name]):.2f} ms for {args.rows} candidates, {weights:,} weights")
    print(f"ratio {statistics.median(times['mkt']) / statistics.median(times['din']):.2f}")


if __name__ == "__main__":
    main()
