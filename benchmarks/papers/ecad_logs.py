"""One half of ECAD's cascade at a time on real logs: views to purchases (Taobao), purchases to cancellations (Online
Retail). No public log at hand has clicks, orders *and* refunds.

``python -m benchmarks.papers.ecad_logs taobao|retail [--seeds N] [--seed S] [--every N]``. Days pass as in the study
``ecad``; what is predicted is the event within its window, measured on its final labels. The last lines give
ecad - direct by seed, and half of the 95 % interval that remains when users are drawn anew: no smaller effect could be
seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.common import arguments, markdown, signed
from benchmarks.papers.user_logs import differences_over_users
from benchmarks.recommend import fixed
from recommend.data.delayed_labels import NEVER, ClickLog
from recommend.data.schema import DAY_MS
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.metrics.calibration import logloss, pcoc
from recommend.metrics.ranks import auc
from recommend.models.ecad import ECAD
from recommend.research.events import read_events
from recommend.research.studies import ecad_baselines as delayed
from recommend.research.studies.statistics import t_interval as interval
from recommend.research.studies.streaming import settled, stream

RESAMPLES = 200


@dataclass(frozen=True)
class Log:
    """A log with one kind of event, and how it is streamed; times in days."""

    log: ClickLog
    features: FeatureMap
    sizes: dict[str, int]
    user: np.ndarray
    window: float
    edges: tuple[float, ...]
    days: range
    asked_from: int
    batch_rows: int


def log_of(columns: dict[str, np.ndarray], start: np.ndarray, event: np.ndarray, warm_up: int) -> tuple:
    """Encoded columns as a ``ClickLog`` whose events are orders, with ids and scales of the warm-up."""
    order = np.argsort(start, kind="stable")
    tensors = {n: torch.from_numpy(np.ascontiguousarray(c[order])) for n, c in columns.items()}
    features = FeatureMap(
        features=tuple(
            Feature(column=n, role="context" if n in ("user_id", "hour", "country") else "target") for n in columns
        ),
        labels=("order", "refund"),
    )
    early = int((start < warm_up * DAY_MS).sum())
    encoders = Encoders.fit(features, [{n: t[:early] for n, t in tensors.items()}], min_count=2)
    times = [torch.from_numpy(t[order]) for t in (start, event)]
    log = ClickLog(encoders(tensors), *times, torch.full((len(order),), NEVER))
    return log, features, encoders.sizes(), columns["user_id"][order]


def followed(n: dict[str, np.ndarray], cause: str, effect: str) -> np.ndarray:
    """(events,) when the effect came whose latest cause an event is, by the same user with the same item; or NEVER."""
    late = n["behaviour"] == effect
    order = np.lexsort((late, n["time_ms"], n["item_id"], n["user_id"]))
    first, then = n["behaviour"][order] == cause, late[order]
    at = np.maximum.accumulate(np.where(first, np.arange(len(order)), -1))[then]
    same = (at >= 0) & (n["user_id"][order][at] == n["user_id"][order][then])
    same &= n["item_id"][order][at] == n["item_id"][order][then]
    event = np.full(len(order), NEVER)
    np.minimum.at(event, order[at[same]], n["time_ms"][order][then][same])
    return event


def views() -> Log:
    """Taobao: each view, and the purchase of the same item by the same user whose latest view it is."""
    n = read_events("taobao")
    rows, event = n["behaviour"] == "click", followed(n, "click", "order")
    columns = {c: n[c][rows].astype(np.int64) for c in ("user_id", "item_id", "category")}
    columns["hour"] = n["time_ms"][rows] // 3_600_000 % 24
    encoded = log_of(columns, n["time_ms"][rows], event[rows], 5)
    return Log(*encoded, window=2.0, edges=(0.25, 1.0, 2.0), days=range(1, 8), asked_from=5, batch_rows=128)


def purchases(every: int) -> Log:
    """Online Retail: each line bought, and its cancellation; of every so many customers one."""
    n = read_events("online_retail")
    rows, event = (n["behaviour"] == "order") & (n["user_id"] % every == 0), followed(n, "order", "refund")
    columns = {c: n[c][rows] for c in ("user_id", "item_id")}
    columns["quantity"] = np.log2(n["quantity"][rows]).astype(np.int64)
    columns["price"] = np.floor(2 * np.log2(np.maximum(n["price"][rows], 0.01))).astype(np.int64)
    columns["country"] = n["country"][rows]
    encoded = log_of(columns, n["time_ms"][rows], event[rows], 120)
    return Log(*encoded, window=30.0, edges=(3.0, 10.0, 30.0), days=range(344), asked_from=180, batch_rows=256)


def methods(log: Log) -> dict[str, tuple[Callable, dict, int]]:
    """Arms with their options and passes over a day's samples, so that everyone sees a row about three times; the
    refund's half of each model has nothing to learn."""
    staged = {"order_days": log.window, "refund_days": 0.0, "wait_days": log.edges[0]}
    windows = {"order_edges": log.edges, "refund_edges": (log.window,)}
    return {
        "direct": (delayed.Direct, staged, 3),
        "naive": (delayed.ObservedNow, staged, 3),
        "es_dfm": (delayed.ESDFM, staged, 3),
        "defer": (delayed.DEFER, staged, 2),
        "ecad": (ECAD, windows, 1),
        "ecad_aux": (ECAD, windows | {"main": True}, 1),
        "oracle": (delayed.Oracle, windows | {"order_edges": (log.window,)}, 3),
    }


def main() -> None:
    """Run and print a Markdown table."""
    parser = arguments(__doc__, seeds=3, seed=0, learning_rate=1e-3)
    parser.add_argument("log", choices=("taobao", "retail"))
    parser.add_argument("--every", type=int, default=1, help="retail: take one of so many customers")
    parser.add_argument("--passes", type=int, default=0, help="over a day's samples, for every arm; 0: each its own")
    args = parser.parse_args()
    log = views() if args.log == "taobao" else purchases(args.every)
    scores: dict[str, list[list[float]]] = {}
    predicted: dict[str, np.ndarray] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        for name, (kind, options, epochs) in methods(log).items():
            torch.manual_seed(seed)
            model = kind(log.features, log.sizes, fixed.model(embedding=8, mlp=(32, 16)), **options)
            train = fixed.training(
                batch_rows=log.batch_rows,
                learning_rate=args.learning_rate,
                epochs=args.passes or epochs,
                seed=seed,
                threads=1,
            )
            asked = stream(model, log.log, log.days, log.asked_from, train, foresight=name == "oracle")
            y = settled(log.log, asked.rows, log.window, 0)[0]
            p = asked.probabilities.get("order", asked.probabilities["ecvr"])
            predicted[name] = p
            scores.setdefault(name, []).append([auc(y, p), 1000 * logloss(y, p), pcoc(y, p)])
    total = settled(log.log, np.arange(len(log.user)), log.window, 0)[0]
    print(f"{len(log.user)} rows, {total.sum()} events in {log.window:g} days; asked {len(y)} rows, {y.sum()} events")
    means = ((name, *(f"{v:.4f}" for v in np.mean(values, axis=0))) for name, values in scores.items())
    print(markdown(("arm", "AUC", "logloss x 1000", "PCOC"), means))
    user, rng = log.user[asked.rows], np.random.default_rng(0)
    for place, (name, of) in enumerate((("AUC", auc), ("logloss x 1000", lambda a, b: 1000 * logloss(a, b)))):
        a, b = (np.array(scores[arm])[:, place] for arm in ("ecad", "direct"))
        gaps = differences_over_users(of, y, predicted["ecad"], predicted["direct"], user, RESAMPLES, rng)
        over_seeds = " ".join(signed(*interval(a - b)))
        print(f"ecad - direct, {name}: {over_seeds} over seeds; users drawn anew: +-{1.96 * np.std(gaps):.4f}")


if __name__ == "__main__":
    main()
