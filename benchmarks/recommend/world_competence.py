"""Base models in World 2, judged by the truth: ``python -m benchmarks.recommend.world_competence``.

Click: expected AUC of DIN, DCN, two towers and popularity on the last days of the impressions, beside the oracle.
Order: expected AUC after a click, of a DNN on the view of clicks. Nothing here uses a seed that judges.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import arguments
from benchmarks.recommend import fixed
from recommend.config import TrainConfig
from recommend.data.oracle import open_oracle
from recommend.data.ragged import array_of
from recommend.metrics.ranks import auc as expected_auc
from recommend.research.world import write_world
from recommend.research.world.rankers import train_on
from recommend.research.world.read import Histories, WorldStream

TEST_DAYS = 3
INITIAL_STD = 0.3  # of the tables, found on seed 100: from the default .01 nothing learns to match in one pass


def truth(root: Path, days: tuple[int, int], name: str) -> np.ndarray:
    """A column of the truth of some days."""
    return np.concatenate([open_oracle(root, f"impression/day={d:03d}")[name] for d in range(days[0], days[1] + 1)])


def popularity(root: Path, days: int, test: int) -> np.ndarray:
    """Click rate of each item in training, with its category's as a prior of 50 rows."""
    stream = WorldStream(root / "log", (0, days - 1), ["item_id", "post_id", "category", "click"])
    parts = [{n: array_of(c) for n, c in stream.day(d).items()} for d in range(days)]
    a = {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}
    key = np.where(a["item_id"] >= 0, a["item_id"], a["item_id"].max() + 1 + a["post_id"])
    learn = np.arange(len(key)) < sum(len(p["click"]) for p in parts[: days - test])
    of_category = np.bincount(a["category"][learn], a["click"][learn]) / np.bincount(a["category"][learn])
    n, y = (np.bincount(key[learn], w, minlength=key.max() + 1) for w in (None, a["click"][learn]))
    return ((y[key] + 50 * of_category[a["category"]]) / (n[key] + 50))[~learn]


def clicks(root: Path, knobs: dict, seed: int, names: list[str], config: TrainConfig) -> dict:
    """Shares of the way from popularity to the oracle."""
    days = write_world(root, seed=seed, knobs=knobs)["config"]["days"]
    last = (days - TEST_DAYS, days - 1)
    p, best = truth(root, last, "p_click"), truth(root, last, "p_click_without_page")
    low, high = expected_auc(p, popularity(root, days, TEST_DAYS)), expected_auc(p, best)
    out: dict = {"popularity": low, "oracle": high}
    histories = Histories(root / "log")
    for name in names:
        model = fixed.model(name=name.split(":")[0], initial_std=INITIAL_STD, tower=int(name.partition(":")[2] or 32))
        got = train_on(root, (0, last[0] - 1), model, config, histories=histories)
        rows = WorldStream(root / "log", last, got.encoders.features.columns, histories, 4096)
        auc = expected_auc(p, got.predict(rows))
        share = (auc - low) / (high - low)
        out[name] = {"auc": auc, "share": share, "cpu_s": got.summary.cpu_seconds, "rows": got.summary.rows}
        print(name, out[name], flush=True)
    return out


def orders(root: Path, knobs: dict, seed: int, config: TrainConfig) -> dict:
    """AUC of orders after a click, on the last tenth of the days."""
    days = write_world(root, view="clicks", seed=seed, knobs=knobs)["config"]["click_days"]
    last = (days - days // 10, days - 1)
    p, histories = truth(root, last, "p_order"), Histories(root / "log")
    model = fixed.model(name="dnn", initial_std=INITIAL_STD)
    got = train_on(root, (0, last[0] - 1), model, config, ("order",), histories)
    rows = WorldStream(root / "log", last, got.encoders.features.columns, histories, 4096)
    return {"dnn": expected_auc(p, got.predict(rows)), "oracle": expected_auc(p, p), "rows": got.summary.rows}


def main() -> None:
    parser = arguments(__doc__, impressions=2_000_000, clicks=1_000_000, seed=100)
    parser.add_argument("--models", nargs="*", default=["din", "dcn", "two_tower:8"])
    parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE")
    args = parser.parse_args()
    knobs = dict(s.split("=", 1) for s in args.set)
    config = fixed.training(threads=1, batch_rows=512, learning_rate=4e-3)
    with tempfile.TemporaryDirectory() as folder:
        if args.impressions:
            sizes = {**knobs, "impressions": args.impressions}
            print(json.dumps(clicks(Path(folder) / "w", sizes, args.seed, args.models, config), indent=1))
        if args.clicks:
            print(json.dumps(orders(Path(folder) / "c", {**knobs, "clicks": args.clicks}, args.seed, config), indent=1))


if __name__ == "__main__":
    main()
