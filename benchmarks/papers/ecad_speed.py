"""What ECAD's towers cost beside DIN: ``python -m benchmarks.papers.ecad_speed [--repeats N]``.

The same random rows (histories of 1 to 20, batch 256), one thread; samples per second of CPU, models in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from recommend.config import ModelConfig
from recommend.features.feature_map import Feature, FeatureMap
from recommend.features.ragged import Batch, Ragged, slice_batch
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.ecad import ECAD, NEVER
from recommend.training.optim import optimizers

ROWS, BATCH, ITEMS = 10_240, 256, 20_000
SIZES = {"user_id": 1_000, "item_id": ITEMS, "category": 60}
PLAIN = (
    Feature(column="user_id", role="context"),
    Feature(column="item_id", role="target"),
    Feature(column="category", role="target"),
    Feature(column="history_item", role="history", match="item_id"),
    Feature(column="history_category", role="history", match="category"),
)


def rows() -> Batch:
    """Random rows with the times of a stream in which all has just ripened."""
    rng = np.random.default_rng(0)
    lengths = torch.from_numpy(rng.integers(1, 21, ROWS))
    total = int(lengths.sum())
    columns: dict = {n: torch.from_numpy(rng.integers(1, size, ROWS)) for n, size in SIZES.items()}
    for name, size in (("item", ITEMS), ("category", 60)):
        columns[f"history_{name}"] = Ragged(torch.from_numpy(rng.integers(1, size, total)), lengths)
    age = torch.full((ROWS,), 7 * 86_400_000)
    order = torch.where(torch.from_numpy(rng.random(ROWS) < 0.3), 3_600_000, NEVER)
    return {
        **columns,
        "click": torch.from_numpy(rng.random(ROWS) < 0.1),
        "age_ms": age,
        "age_before_ms": torch.zeros_like(age),
        "order_after_ms": order,
        "refund_after_ms": torch.full_like(order, NEVER),
    }


def once(model: Ranker, data: Batch, train: bool) -> float:
    """Samples per second of CPU over one pass."""
    steps = optimizers(model, 1e-3)
    began = time.process_time()
    for at in range(0, ROWS, BATCH):
        batch = slice_batch(data, at, at + BATCH)
        if train:
            for optimizer in steps:
                optimizer.zero_grad(set_to_none=True)
            model.loss(model(batch), batch).backward()
            for optimizer in steps:
                optimizer.step()
        else:
            model.predict(batch)
    return ROWS / (time.process_time() - began)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    config, two = ModelConfig(embedding=16, mlp=(64, 32)), ("order", "refund")
    one, both = FeatureMap(features=PLAIN), FeatureMap(features=PLAIN, labels=two)
    models = {
        "DIN": DIN(one, SIZES, config),
        "ECAD, windows 1 + 1": ECAD(both, SIZES, config, order_edges=(3.0,), refund_edges=(6.0,)),
        "ECAD, windows 3 + 3": ECAD(both, SIZES, config, order_edges=(0.25, 1, 3), refund_edges=(1, 3, 6)),
    }
    data = rows()
    found: dict[tuple[str, bool], list[float]] = {}
    for _ in range(repeats + 1):  # the first round warms up
        for name, model in models.items():
            for train in (True, False):
                found.setdefault((name, train), []).append(once(model, data, train))
    print("| model | trained per CPU second | of DIN | predicted per CPU second | of DIN |\n|---|---|---|---|---|")
    for name in models:
        cells = []
        for train in (True, False):
            mine, din = (statistics.median(found[n, train][1:]) for n in (name, "DIN"))
            cells += [f"{mine:,.0f}", f"{mine / din:.2f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
