"""KEEP on a real log: what knowledge of views, carts and purchases adds to a sub-domain, beside that of views alone.

``python -m benchmarks.papers.keep_taobao [--seeds N]`` prints one JSON object. The log is the Taobao
UserBehavior sample (``recommend/data/maps/taobao.yaml``; 815 users). It has views and no impressions, so a row is a
view or, below it, the thing of another view of the same day that this user did not open at that moment. Super-domain:
all categories, days 0 to 6; tasks: viewed, put into the cart, bought (by this user, until the window's end).
Sub-domain: every eighth category, as ads are an eighth of the simulated super-domain; its DIN has learned days 0 to 6
of its own rows, gets the plug on day 7, and predicts each of days 7 to 9 before learning it. ``keep_random``: random
vectors for the same keys, so that it knows which keys are known and nothing else.

Intervals over seeds say how far initial weights and the draws of negatives move a difference; those over users (drawn
anew 500 times, the rows of all seeds together) how far the sample does. The wider one's half is about the smallest
difference that this log could have shown.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.papers.user_logs import users_anew
from recommend.config import ModelConfig, TrainConfig
from recommend.data import sequences
from recommend.data.imports.events import read_events
from recommend.data.imports.tables import DAY_MS
from recommend.data.knowledge import KnowledgeStore, Table
from recommend.data.memory import MemoryStream
from recommend.experiments.setups.keep_data import day_by_day, looked_up, newest, vectors
from recommend.experiments.statistics import interval
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Column, Ragged, select_batch
from recommend.metrics.ranks import auc
from recommend.models.baselines.din import DIN
from recommend.models.keep import KEEP, KINDS, Extractor, knowledge_features
from recommend.training.trainer import train

PLUG_DAY, LAST_DAY, EIGHTH, LONGEST = 7, 9, 8, 20
FEATURES = sequences.feature_map(longest=LONGEST)
TASKS = {"keep": ("click", "cart", "buy"), "keep_views": ("click",)}
MODEL = ModelConfig(embedding=8, mlp=(64, 32), tower=16)
PRETRAIN = TrainConfig(batch_rows=256, threads=1)
DAILY = TrainConfig(batch_rows=64, threads=1, learning_rate=0.01)  # the best of five for every arm, on seed 100
DRAWS = 500
Rows = dict[str, Column]


def rows_of(events: dict[str, np.ndarray], seed: int) -> tuple[Rows, dict[str, np.ndarray]]:
    """Views and their negatives with the three labels, and the raw columns of the same rows."""
    seen = events["behaviour"] == "click"
    day = events["time_ms"] // DAY_MS
    views = {name: events[name][seen] for name in ("user_id", "item_id", "time_ms", "category")}
    rows = sequences.samples(*views.values(), seed=seed, block=day[seen], longest=LONGEST, shortest=0)
    raw = {name: rows[name].numpy() for name in ("user_id", "item_id", "category", "click")}
    raw |= {"time_ms": rows["time"].numpy(), "day": rows["time"].numpy() // DAY_MS}
    for task in ("cart", "buy"):
        which = (events["behaviour"] == {"buy": "order"}.get(task, task)) & (day < PLUG_DAY)
        done = {*zip(events["user_id"][which], events["item_id"][which], strict=True)}
        asked = zip(raw["user_id"], raw["item_id"], raw["click"], strict=True)
        rows[task] = torch.tensor([bool(click) and (user, item) in done for user, item, click in asked])
    return rows, raw


def knowledge(model: Extractor, encoders: Encoders, events: dict[str, np.ndarray]) -> dict[str, Table]:
    """By user, item, and pair of user and category, from what was viewed before the day of the plug."""
    early = (events["behaviour"] == "click") & (events["time_ms"] < PLUG_DAY * DAY_MS)
    past = {name: events[name][early] for name in ("user_id", "item_id", "category", "time_ms")}
    order = np.lexsort((past["time_ms"], past["user_id"]))
    past = {name: values[order] for name, values in past.items()}
    users = np.unique(past["user_id"])
    flat, lengths = newest(past["user_id"], users, LONGEST)
    items, first = np.unique(past["item_id"], return_index=True)
    pairs = np.unique(np.column_stack([past["user_id"], past["category"]]), axis=0)

    def encoded(name: str, ids: np.ndarray) -> torch.Tensor:
        return encoders.row(name, torch.from_numpy(ids.astype(np.int64)))

    lengths_tensor = torch.from_numpy(lengths)
    of_user: Rows = {
        "user_id": encoded("user_id", users),
        "history_item": Ragged(encoded("item_id", past["item_id"][flat]), lengths_tensor),
        "history_category": Ragged(encoded("category", past["category"][flat]), lengths_tensor),
    }
    of_pair = select_batch(of_user, torch.from_numpy(np.searchsorted(users, pairs[:, 0])))
    of_pair["category"] = encoded("category", pairs[:, 1])
    of_item: Rows = {"item_id": encoded("item_id", items), "category": encoded("category", past["category"][first])}
    return {
        "user": (users, vectors(model.user_vector, of_user)),
        "item": (items, vectors(model.item_vector, of_item)),
        "pair": (pairs, vectors(model.pair_vector, of_pair)),
    }


def predicted(seed: int, events: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict]:
    """Predictions of each arm, the raw columns of the rows that were asked, and counts."""
    rows, raw = rows_of(events, seed)
    early, own = raw["day"] < PLUG_DAY, raw["category"] % EIGHTH == 0
    own &= np.repeat(own[::2], 2)  # the positive decides; its negative is of the same sub-domain or left out
    learned = select_batch(rows, torch.from_numpy(np.flatnonzero(early)))
    encoders = Encoders.fit(FEATURES, [learned], min_count=3)
    rows = encoders(rows)

    def new(model: type, features: FeatureMap):
        torch.manual_seed(seed)
        return model(features, encoders.sizes(), MODEL)

    def chosen(at: np.ndarray) -> Rows:
        return select_batch(rows, torch.from_numpy(np.flatnonzero(at)))

    config = DAILY.changed([f"seed={seed}"])
    base = new(DIN, FEATURES)
    train(base, MemoryStream(chosen(early & own), config.batch_rows), config)
    days = [(raw["day"] == day) & own for day in range(PLUG_DAY, LAST_DAY + 1)]
    found = {"sub": day_by_day(copy.deepcopy(base), ((chosen(d), chosen(d)) for d in days), config)}
    tables: dict[str, dict[str, Table]] = {}
    for arm, tasks in TASKS.items():
        extractor = new(Extractor, FEATURES.model_copy(update={"labels": tasks}))
        train(extractor, MemoryStream(chosen(early), PRETRAIN.batch_rows), PRETRAIN.changed([f"seed={seed}"]))
        tables[arm] = knowledge(extractor.eval(), encoders, events)
    rng = np.random.default_rng(seed)
    tables["keep_random"] = {kind: (k, rng.normal(size=v.shape)) for kind, (k, v) in tables["keep"].items()}
    for arm, table in tables.items():
        with tempfile.TemporaryDirectory() as folder, KnowledgeStore(Path(folder)) as store:
            store.publish(table, until_ms=PLUG_DAY * DAY_MS)
            with store.snapshot() as snapshot:
                plugged = [{**chosen(d), **looked_up(snapshot, {n: v[d] for n, v in raw.items()})} for d in days]
        model = new(KEEP, FeatureMap(features=(*FEATURES.features, *knowledge_features(MODEL.tower))))
        model.inherit(base)
        found[arm] = day_by_day(model, ((d, d) for d in plugged), config)
    covered = {k: float(torch.cat([(d[f"knowledge_{k}"] != 0).any(1) for d in plugged]).float().mean()) for k in KINDS}
    asked = np.concatenate([np.flatnonzero(d) for d in days])
    counts = {"pretrained": int(early.sum()), "base": int((early & own).sum()), "asked": len(asked), "known": covered}
    counts |= {task: int(rows[task][torch.from_numpy(early)].sum()) for task in TASKS["keep"]}
    return found, {name: values[asked] for name, values in raw.items()}, counts


def over_users(one: np.ndarray, two: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """95 % interval of a difference in AUC when the users are drawn anew; of rows of all seeds together."""
    click, user = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
    drawn = users_anew(user, DRAWS, np.random.default_rng(0))
    found = [auc(click[at], one[at]) - auc(click[at], two[at]) for at in drawn]
    return [round(float(v), 4) for v in np.quantile(found, [0.025, 0.975])]


def main() -> None:
    """Train every arm on every seed and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    began, events = time.process_time(), read_events("taobao")
    runs = [predicted(seed, events) for seed in range(args.seeds)]
    arms = list(runs[0][0])
    aucs = {arm: [auc(raw["click"], p[arm]) for p, raw, _ in runs] for arm in arms}
    labels = [(raw["click"], raw["user_id"]) for _, raw, _ in runs]
    together = {arm: np.concatenate([p[arm] for p, _, _ in runs]) for arm in arms}
    pairs = (("keep", "sub"), ("keep_views", "sub"), ("keep", "keep_random"), ("keep", "keep_views"))
    result = {
        "rows of the first seed": runs[0][2],
        "users": len(np.unique(labels[0][1])),
        "auc": {arm: round(float(np.mean(values)), 4) for arm, values in aucs.items()},
        "differences": {
            f"{a} - {b}": {
                "over seeds": [round(v, 4) for v in interval(np.subtract(aucs[a], aucs[b]).tolist())],
                "over users": over_users(together[a], together[b], labels),
            }
            for a, b in pairs
        },
        "cpu_s": round(time.process_time() - began, 1),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
