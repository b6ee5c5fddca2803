"""MSNet on the Taobao UserBehavior sample, where "first seen today" stands in for limited stock.

    python -m benchmarks.papers.msnet_taobao --seeds 5

The log has no stock, so an item counts as limited on the day on which the log first holds it: a rule that needs nothing
of the future, unlike a count of its events. Negatives are items of other events of the same day, so that the flag says
nothing of the label. What is missing here: stock, sales that end a listing, content, impressions without a click.
Training: days 0 to 7; test: the last two. The smallest effect that the test could show comes from resampling its users.
"""

from __future__ import annotations

import json

import numpy as np
import torch

from benchmarks.common import arguments
from benchmarks.papers.user_logs import differences_over_users, feature_map, samples
from benchmarks.recommend import fixed
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Column, Ragged, select_batch
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.metrics.ranks import auc
from recommend.models.registry import build_model, changed
from recommend.research.events import read_events
from recommend.research.studies.statistics import t_interval as interval
from recommend.training.scoring import predictions
from recommend.training.trainer import train

LENGTH = 20
FIRST_TEST_DAY, DAYS = 8, 10
RESAMPLES = 200
PLAIN = feature_map(longest=LENGTH)
FEATURES = FeatureMap(
    features=(
        *PLAIN.features,
        Feature(column="single", role="target"),
        Feature(column="history_single", role="history", match="single", max_length=LENGTH),
    )
)
MODEL = fixed.model(embedding=16, mlp=(128, 64))
ARMS = {
    "din": (),
    "split": ("name=msnet", "warm=false", "aux_weight=0"),
    "split_meta": ("name=msnet", "aux_weight=0"),
    "msnet": ("name=msnet",),
}


def prepared(seed: int) -> tuple[dict[str, Column], dict[str, Column], dict[str, int]]:
    """Encoded training and test rows, and the sizes of the tables."""
    events = read_events("taobao")
    user, item, category, time, day = (events[c] for c in ("user_id", "item_id", "category", "time_ms", "day"))
    # Events come as (item, day) codes, so that a sample's target and history keep the day on which each was seen.
    ids, code = np.unique(item, return_inverse=True)
    first = np.full(len(ids), np.iinfo(np.int64).max)
    np.minimum.at(first, code, day)
    coded = code * (DAYS + 1) + day
    rows = samples(user, coded, time, category, seed=seed, block=day, longest=LENGTH)
    for item_column, flag in (("item_id", "single"), ("history_item", "history_single")):
        column = rows[item_column]
        values = (column.values if isinstance(column, Ragged) else column).numpy()
        item_code, day_code = values // (DAYS + 1), values % (DAYS + 1)
        for name, new in ((item_column, item_code), (flag, first[item_code] == day_code)):
            tensor = torch.from_numpy(np.ascontiguousarray(new))
            rows[name] = column.with_values(tensor) if isinstance(column, Ragged) else tensor
    time_of = rows["time"]
    assert not isinstance(time_of, Ragged)
    late = time_of.numpy() // 86_400_000 >= FIRST_TEST_DAY
    parts = [select_batch(rows, torch.from_numpy(np.flatnonzero(chosen))) for chosen in (~late, late)]
    encoders = Encoders.fit(FEATURES, [parts[0]])
    columns = [f.column for f in FEATURES.features] + ["click"]
    encoded = [{n: c for n, c in encoders(part).items() if n in columns} for part in parts]
    return encoded[0], {**encoded[1], "raw_user": parts[1]["user_id"]}, encoders.sizes()


def main() -> None:
    """Run and print."""
    args = arguments(__doc__, seeds=5, seed=0, learning_rate=1e-3).parse_args()
    scores: dict[str, dict[str, list[float]]] = {name: {} for name in ARMS}
    wide: dict[str, list[float]] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        learned, asked, sizes = prepared(seed)
        click, user, limited = asked["click"].numpy(), asked["raw_user"].numpy(), asked["single"].numpy() == 2
        unseen = float((asked["item_id"] == 0).float().mean())
        print(f"flag alone: AUC {auc(click, limited):.4f}; rows on things that training did not hold: {unseen:.3f}")
        predicted = {}
        for name, changes in ARMS.items():
            model = build_model(FEATURES, sizes, changed(MODEL, changes), seed)
            config = fixed.training(batch_rows=256, seed=seed, threads=1, learning_rate=args.learning_rate)
            summary = train(model, MemoryStream(learned, 256), config)
            p = predicted[name] = predictions(model, MemoryStream(asked, 4_096))["p_click"]
            parts = {"all": np.ones(len(p), dtype=bool), "first seen today": limited, "seen before": ~limited}
            for part, rows in parts.items():
                scores[name].setdefault(part, []).append(auc(click[rows], p[rows]))
            scores[name].setdefault("train_cpu_s", []).append(summary.cpu_seconds)
            print(seed, name, {k: round(v[-1], 4) for k, v in scores[name].items()}, flush=True)
        rng = np.random.default_rng(seed)
        for part, rows in parts.items():
            test = (click[rows], predicted["msnet"][rows], predicted["din"][rows], user[rows])
            half = 1.96 * np.std(differences_over_users(auc, *test, RESAMPLES, rng))
            wide.setdefault(part, []).append(float(half))
        print({part: int(rows.sum()) for part, rows in parts.items()}, f"{len(np.unique(user))} users")
    for part in parts:
        for better, base in (("split", "din"), ("split_meta", "split"), ("msnet", "split_meta"), ("msnet", "din")):
            differences = np.subtract(scores[better][part], scores[base][part])
            print(f"{part}: {better} - {base}", [round(v, 4) for v in interval(list(differences))])
    means = {name: {k: round(float(np.mean(v)), 4) for k, v in of.items()} for name, of in scores.items()}
    print(json.dumps(means, indent=1))
    print("half-width of msnet - din over users:", {k: round(float(np.mean(v)), 4) for k, v in wide.items()})


if __name__ == "__main__":
    main()
