"""``python -m benchmarks.papers.hdr_speed [--seed S]``: CPU time of HDR beside DIN of the same sizes, on a small world.

One thread, all jobs in turn, median of five rounds: 20 training steps of 256 clicks (HDR as it is fine-tuned, DIN with
Adam on all weights), predictions of 5,120 clicks, and one day's adaptation (retrieval, correction, one pass, and what
is served).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from listing.home import ipl_home
from recommend.config import TrainConfig
from recommend.data.memory import MemoryStream
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes import hdr as recipe
from recommend.experiments.setups import hdr_replay as promotion_days
from recommend.features.ragged import slice_batch
from recommend.models.hdr import fine_tune
from recommend.models.registry import build_model
from recommend.training.trainer import train

REPEATS, BATCH, STEPS = 5, 256, 20


def cpu(function: Callable[[], object]) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=100, help="of the small world (default: 100)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    replay = recipe.prepare(Setting("small", args.seed, ipl_home() / "worlds", {}))
    hdr = replay.production(22)
    day = replay.log.day
    data = replay.encode(day < 22, np.isfinite(replay.log.converted[day < 22]))
    data = slice_batch(data, 0, BATCH * STEPS)
    assert replay.encoders is not None
    config = promotion_days.MODEL.model_copy(update={"name": "din"})
    din = build_model(promotion_days.FEATURES, replay.encoders.sizes(), config)
    stream = MemoryStream(data, BATCH)
    batches = list(stream)
    jobs = {
        "din, training": lambda: train(din, stream, TrainConfig(threads=1)),
        "hdr, training": lambda: fine_tune(hdr, batches, recipe.TUNED, 1.0),
        "din, predictions": lambda: din.predict(data),
        "hdr, predictions": lambda: hdr.predict(data),
        "hdr, one day": lambda: recipe.adapt(replay, recipe.ARMS["hdr"], 22, day == 22),
    }
    rounds = [{name: cpu(job) for name, job in jobs.items()} for _ in range(REPEATS)]
    found = {name: float(np.median([one[name] for one in rounds])) for name in jobs}
    for name, seconds in found.items():
        print(f"{name}: {seconds * 1000:.0f} ms")
    for what in ("training", "predictions"):
        print(f"{what}: HDR takes {found[f'hdr, {what}'] / found[f'din, {what}']:.2f} of DIN's time")


if __name__ == "__main__":
    main()
