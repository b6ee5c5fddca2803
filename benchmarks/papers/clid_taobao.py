"""CLID on a real log: what distilling carts and favourites does to the calibration of purchases after a view.

``python -m benchmarks.papers.clid_taobao [--seeds N]`` prints one JSON object. The log is the Taobao
UserBehavior sample (``recommend/data/maps/taobao.yaml``). It has no pages, so it cannot test lists: a list is what a
user viewed within a batch, and only calibration is looked at.

A row is a view of days 0 to 8, its label a purchase of the item by this user within 24 hours; privileged is whether
they put it into the cart or among the favourites within these hours. Training: days 0 to 5 once, whose labels are all
known when day 7 begins; test: days 7 and 8.
Intervals over seeds say how far the initial weights and the order of draws move a difference; those over users (drawn
anew 500 times, predictions averaged over the seeds) say how far the sample does. The wider one is what could be shown.
"""

from __future__ import annotations

import json
import time

import numpy as np
import torch

from benchmarks.common import arguments
from benchmarks.papers.user_logs import differences_over_users, ends, feature_map, samples, until_next
from benchmarks.recommend import fixed
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Column, select_batch
from recommend.data.schema import DAY_MS
from recommend.features.encoders import Encoders
from recommend.metrics.calibration import ece, pcoc
from recommend.metrics.report import measures
from recommend.models.baselines.din import DIN
from recommend.models.clid import CLID, PRIVILEGED, TEACHER, Teacher
from recommend.research.events import read_events
from recommend.research.studies.statistics import t_interval as interval
from recommend.training.trainer import train

TRAIN_TO, TEST_FROM, TEST_TO = 5, 7, 8  # days; the labels of the last one reach into day 9, where the log ends
BASE = feature_map(longest=20).model_copy(update={"labels": ("buy",)})
LOGGED, TAUGHT = (BASE.model_copy(update={"extra": (name,)}) for name in (PRIVILEGED, TEACHER))
MODEL = CLID.Config(name="clid", embedding=8, mlp=(64, 32), privileged=2)
TRAIN = fixed.training(batch_rows=256, threads=1)
STUDENTS = ("pointwise", "listnet", "listmle", "clid")
MEASURED = ("ece", "pcoc_error", "logloss", "auc", "gauc")
DRAWS = 500


def views() -> dict[str, Column]:
    """Columns of the views in the order of time, with ``buy`` and the privileged two."""
    events = read_events("taobao")
    is_view = events["behaviour"] == "click"
    user, item, at = (events[n][is_view] for n in ("user_id", "item_id", "time_ms"))
    rows = samples(user, item, at, events["category"][is_view], seed=0, negatives=0, longest=20, shortest=0)
    follows = {
        name: until_next(events, events["behaviour"] == what, user, item, at) <= DAY_MS
        for name, what in (("buy", "order"), ("cart", "cart"), ("fav", "favourite"))
    }
    in_time = torch.from_numpy(np.flatnonzero(at // DAY_MS <= TEST_TO))
    rows |= {
        "buy": torch.from_numpy(follows["buy"]),
        PRIVILEGED: torch.from_numpy(np.stack([follows["cart"], follows["fav"]], 1).astype(np.float32)),
    }
    return select_batch(rows, in_time)


def predicted(seed: int, learned: dict[str, Column], asked: dict[str, Column], sizes: dict[str, int]) -> dict:
    """(rows,) test probabilities of every arm."""
    config = TRAIN.changed([f"seed={seed}"])

    def fitted(model: type[DIN], features, changes: list[str], rows: dict[str, Column]) -> DIN:
        torch.manual_seed(seed)
        net = model(features, sizes, MODEL.changed(changes))
        train(net, MemoryStream(rows, config.batch_rows), config)
        return net

    teacher = fitted(Teacher, LOGGED, [], learned)
    models = {"teacher": teacher, "none": fitted(DIN, BASE, [], learned)}
    taught = {**learned, TEACHER: teacher.predict(learned)["buy"]}
    models |= {name: fitted(CLID, TAUGHT, [f"distillation={name}"], taught) for name in STUDENTS}
    return {name: net.predict(asked)["buy"].numpy().astype(np.float64) for name, net in models.items()}


def judge(label: np.ndarray, p: np.ndarray, user: np.ndarray) -> dict[str, float]:
    """The usual measures and how far PCOC is from 1."""
    scores = measures(label, p, user)
    return {**scores, "pcoc_error": abs(scores["pcoc"] - 1)}


def over_users(label: np.ndarray, one: np.ndarray, two: np.ndarray, user: np.ndarray) -> dict[str, list[float]]:
    """95 % intervals of the differences in ECE and PCOC when the test's users are drawn anew."""
    of = {"ece": ece, "pcoc_error": lambda y, p: abs(pcoc(y, p) - 1)}
    return {name: [*ends(differences_over_users(f, label, one, two, user, DRAWS))] for name, f in of.items()}


def main() -> None:
    """Train every arm on every seed and print the figures."""
    args = arguments(__doc__, seeds=5).parse_args()
    began = time.process_time()
    rows = views()
    day = rows["time"].numpy() // DAY_MS
    parts = [select_batch(rows, torch.from_numpy(np.flatnonzero(k))) for k in (day <= TRAIN_TO, day >= TEST_FROM)]
    encoders = Encoders.fit(BASE, [parts[0]], min_count=3)
    learned, asked = (encoders(part) for part in parts)
    label, user = asked["buy"].numpy(), parts[1]["user_id"].numpy()
    by_seed = [predicted(seed, learned, asked, encoders.sizes()) for seed in range(args.seeds)]
    arms = list(by_seed[0])
    each = {arm: [judge(label, p[arm], user) for p in by_seed] for arm in arms}
    mean = {arm: np.mean([p[arm] for p in by_seed], axis=0) for arm in arms}
    report = {
        "rows": {"train": len(learned["buy"]), "test": len(label)},
        "purchases": {"train": int(learned["buy"].sum()), "test": int(label.sum())},
        "test_users": len(np.unique(user)),
        "arms": {
            arm: {m: round(float(np.mean([e[m] for e in each[arm]])), 5) for m in ("pcoc", *MEASURED)} for arm in arms
        },
        "over seeds, arm - none": {
            arm: {
                m: [round(v, 5) for v in interval([a[m] - b[m] for a, b in zip(each[arm], each["none"], strict=True)])]
                for m in MEASURED
            }
            for arm in arms
            if arm != "none"
        },
        "over users, arm - none": {
            arm: over_users(label, mean[arm], mean["none"], user) for arm in arms if arm != "none"
        },
        "cpu_s": round(time.process_time() - began, 1),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
