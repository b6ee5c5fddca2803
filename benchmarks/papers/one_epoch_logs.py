"""One pass against two and three over real logs whose ids are rare (the one-epoch phenomenon, arXiv 2209.06053).

``IPL_DATA=DIR python -m benchmarks.papers.one_epoch_logs taobao|beauty [--seeds N] [--users N]``. Taobao: views of the
UserBehavior sample; learned are days 0 to 7, asked the last two. Beauty: Amazon reviews; a tenth of the users is asked
and new, as with the paper's Amazon Books. A row is a positive or the negative drawn for it, as often as others are
clicked (Taobao: on that day). Every pass has an order of its own. The paper's base model: embeddings, mean-pooled
history, an MLP with Dice; Adam moves all rows of the tables.

``ids`` reads all ids; ``no ids``, the control, the category and the categories of the history. The table says how much
a measure changes from the first pass to a later one: 95 % intervals over seeds (initial weights, orders, draws) and
over the asked users drawn anew, the rows of all seeds together. Half of the wider one is about the smallest effect that
the log could show.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.common import arguments, markdown
from benchmarks.papers.user_logs import differences_over_users, feature_map, gap_row, samples
from benchmarks.recommend import fixed
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Column, array_of, rows_of, select_batch
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.metrics.calibration import logloss
from recommend.metrics.ranks import auc
from recommend.models.registry import build_model
from recommend.research.events import read_events
from recommend.training.scoring import predictions
from recommend.training.trainer import train

FIRST_TEST_DAY, TENTH, LONGEST, PASSES = 8, 10, 20, 3
ALL = feature_map(longest=LONGEST)
NO_IDS = FeatureMap(features=tuple(f for f in ALL.features if f.vocabulary == "category"))
ARMS = {"ids": ALL, "no ids": NO_IDS}
MODEL = fixed.model(
    name="dnn", embedding=8, mlp=(64, 32), activation="dice", initial_std=0.0025, sparse_rows=10_000_000
)
MEASURES: dict[str, Callable[..., float]] = {"AUC": auc, "logloss x 1000": lambda y, p: 1000 * logloss(y, p)}
Rows = dict[str, Column]


def parts(events: dict[str, np.ndarray], log: str, users: int, seed: int) -> tuple[Rows, Rows]:
    """Rows to learn from and rows that are asked, of as many users of the seed (0: all)."""
    ids = np.random.default_rng(seed).permutation(np.unique(events["user_id"]))[: users or None]
    chosen = np.isin(events["user_id"], ids)
    if log == "taobao":
        chosen &= events["behaviour"] == "click"
    day = events["day"][chosen]
    columns = [events[n][chosen] for n in ("user_id", "item_id", "time_ms", "category")]
    rows = samples(*columns, seed=seed, block=day if log == "taobao" else None, longest=LONGEST)
    if log == "taobao":
        asked = array_of(rows["time"]) // 86_400_000 >= FIRST_TEST_DAY
    else:
        asked = np.isin(array_of(rows["user_id"]), ids[: len(ids) // TENTH])
    learned, asked_rows = (select_batch(rows, torch.from_numpy(np.flatnonzero(w))) for w in (~asked, asked))
    return learned, asked_rows


def passes(features: FeatureMap, learned: Rows, asked: Rows, rate: float, seed: int) -> list[np.ndarray]:
    """(asked rows,) predictions after each pass."""
    encoders = Encoders.fit(features, [learned])
    columns = {*features.columns, "click"}
    first, second = ({n: c for n, c in encoders(part).items() if n in columns} for part in (learned, asked))
    steps, said = -(-rows_of(first) // 256), list[np.ndarray]()
    rates = {"learning_rate": rate, "epochs": PASSES, "seed": seed, "threads": 1}
    config = fixed.training(batch_rows=256, checkpoint_every=steps, **rates)
    model = build_model(features, encoders.sizes(), MODEL, seed)
    with TemporaryDirectory() as folder:
        for _ in range(PASSES):
            stream = MemoryStream(first, config.batch_rows, shuffle=seed)
            train(model, stream, config, folder=Path(folder), stop_after=steps)
            said.append(predictions(model, MemoryStream(second, 8_192))["p_click"])
    return said


def main() -> None:
    """Run and print Markdown tables."""
    parser = arguments(__doc__, seeds=3, learning_rate=2e-2)
    parser.add_argument("log", choices=("taobao", "beauty"))
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--users", type=int, default=0, help="drawn by seed; 0: all")
    args = parser.parse_args()
    began, events = time.process_time(), read_events("taobao" if args.log == "taobao" else "amazon_beauty")
    label, user = list[np.ndarray](), list[np.ndarray]()
    by_arm: dict[str, list[list[np.ndarray]]] = {name: [] for name in ARMS}
    for seed in range(args.seed, args.seed + args.seeds):
        learned, asked = parts(events, args.log, args.users, seed)
        label.append(array_of(asked["click"]))
        user.append(array_of(asked["user_id"]))
        for name, features in ARMS.items():
            by_arm[name].append(passes(features, learned, asked, args.learning_rate, seed))
            figures = {m: [round(of(label[-1], p), 4) for p in by_arm[name][-1]] for m, of in MEASURES.items()}
            print(f"seed {seed}, {name}, by pass: {figures}", flush=True)
    item = array_of(learned["item_id"])
    print(
        f"last seed: {rows_of(learned)} rows learned on {len(np.unique(item))} things, {rows_of(asked)} asked of "
        f"{len(np.unique(user[-1]))} users; {np.isin(array_of(asked['item_id']), item).mean():.3f} on things learned"
    )
    rows, y, who = [], np.concatenate(label), np.concatenate(user)
    for (name, runs), (measure, of) in itertools.product(by_arm.items(), MEASURES.items()):
        by_seed = np.array([[of(a, p) for p in ps] for a, ps in zip(label, runs, strict=True)])
        for later in range(1, PASSES):
            two, one = (np.concatenate([ps[i] for ps in runs]) for i in (later, 0))
            gaps = differences_over_users(of, y, two, one, who)
            change, mean, *intervals = gap_row(str(later + 1), "1", list(by_seed[:, later] - by_seed[:, 0]), gaps)
            rows.append((name, measure, *(f"{v:.4f}" for v in by_seed.mean(0)), f"{change}: {mean}", *intervals))
    print(markdown(("arm", "measure", "pass 1", "2", "3", "change", "over seeds", "over users"), rows))
    print(f"{time.process_time() - began:.0f} s of CPU")


if __name__ == "__main__":
    main()
