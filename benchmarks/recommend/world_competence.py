"""How far base models come in World 2, judged by the truth: ``python -m benchmarks.recommend.world_competence``.

Click: expected AUC of DIN, two towers and popularity on the last days of the view of impressions, beside the oracle.
Order: expected AUC after a click, of a DNN on the view of clicks. Nothing here uses a seed that judges.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.world.oracle import no_oracle, open_oracle
from recommend.features.encoders import Encoders
from recommend.features.ragged import array_of
from recommend.metrics.expected import expected_auc
from recommend.models.registry import build_model
from recommend.training.scoring import predictions
from recommend.training.trainer import train
from recommend.world import write_world
from recommend.world.read import Histories, WorldStream, world_map

TEST_DAYS = 3
BATCH = 1024


def truth(root: Path, days: tuple[int, int], name: str) -> np.ndarray:
    """A column of the truth of some days."""
    return np.concatenate([open_oracle(root, f"impression/day={d:03d}")[name] for d in range(days[0], days[1] + 1)])


def scored(root: Path, model: ModelConfig, days: int, test: int, labels: tuple[str, ...], only: str) -> dict:
    """Train on all days but the last ``test``, predict these: columns of the rows, CPU seconds."""
    log, features = root / "log", world_map(labels)
    histories = Histories(log)
    columns = [*features.columns, *([only] if only not in features.columns else [])]

    def rows(first: int, last: int, size: int) -> WorldStream:
        return WorldStream(log, (first, last), columns, histories, size)

    began = time.process_time()
    with no_oracle():
        learn = rows(0, days - test - 1, BATCH)
        encoders = Encoders.fit(features, learn, 10)
        net = build_model(features, encoders.sizes(), model, 0)
        done = train(net, learn, TrainConfig(threads=1, seed=0), encoders)
        found = predictions(net, rows(days - test, days - 1, 4096), encoders, [only, "user_id", "item_id", "category"])
    return {**found, "rows_learned": done.rows, "cpu_s": round(time.process_time() - began)}


def popularity(root: Path, days: int, test: int) -> np.ndarray:
    """Click rate of each thing in training, with its category's as a prior of 50 rows."""
    stream = WorldStream(root / "log", (0, days - 1), ["item_id", "post_id", "category", "click"])
    parts = [{n: array_of(c) for n, c in stream.day(d).items()} for d in range(days)]
    a = {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}
    key = np.where(a["item_id"] >= 0, a["item_id"], a["item_id"].max() + 1 + a["post_id"])
    learn = np.arange(len(key)) < sum(len(p["click"]) for p in parts[: days - test])
    of_category = np.bincount(a["category"][learn], a["click"][learn]) / np.bincount(a["category"][learn])
    n, y = (np.bincount(key[learn], w, minlength=key.max() + 1) for w in (None, a["click"][learn]))
    return ((y[key] + 50 * of_category[a["category"]]) / (n[key] + 50))[~learn]


def clicks(root: Path, knobs: dict, seed: int, towers: list[int]) -> dict:
    """Shares of the way from popularity to the oracle."""
    write_world(root, seed=seed, knobs=knobs)
    days = 30
    last = (days - TEST_DAYS, days - 1)
    p, best = truth(root, last, "p_click"), truth(root, last, "p_click_without_page")
    low, high = expected_auc(p, popularity(root, days, TEST_DAYS)), expected_auc(p, best)
    out = {
        "popularity": low,
        "oracle": high,
        "without taste": expected_auc(p, truth(root, last, "p_click_without_taste")),
    }
    for name, model in [("din", ModelConfig(name="din"))] + [
        (f"two_tower {w}", ModelConfig(name="two_tower", tower=w)) for w in towers
    ]:
        got = scored(root, model, days, TEST_DAYS, ("click",), "click")
        auc = expected_auc(p, got["p_click"])
        out[name] = {
            "auc": auc,
            "share": (auc - low) / (high - low),
            "cpu_s": got["cpu_s"],
            "rows": got["rows_learned"],
        }
    return out


def orders(root: Path, knobs: dict, seed: int) -> dict:
    """AUC of orders after a click."""
    manifest = write_world(root, view="clicks", seed=seed, knobs=knobs)
    days = manifest["config"]["click_days"]
    test = days // 10
    p = truth(root, (days - test, days - 1), "p_order")
    got = scored(root, ModelConfig(name="dnn"), days, test, ("order",), "order")
    return {"dnn": expected_auc(p, got["p_order"]), "oracle": expected_auc(p, p), "cpu_s": got["cpu_s"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--impressions", type=int, default=2_000_000)
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--towers", type=int, nargs="*", default=[32, 8])
    parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    knobs = dict(s.split("=", 1) for s in args.set)
    with tempfile.TemporaryDirectory() as folder:
        if args.impressions:
            found = clicks(Path(folder) / "w", {**knobs, "impressions": args.impressions}, args.seed, args.towers)
            print(json.dumps(found, indent=1))
        if args.clicks:
            print(json.dumps(orders(Path(folder) / "c", {**knobs, "clicks": args.clicks}, args.seed), indent=1))


if __name__ == "__main__":
    main()
