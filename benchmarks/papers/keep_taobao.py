"""KEEP (arXiv 2208.10174) on a real log: what all categories know of users, plugged into the ranker of some of them.

``IPL_DATA=DIR python -m benchmarks.papers.keep_taobao [--seeds N]``. The Taobao UserBehavior sample. Super-domain: the
views of all categories, each with one negative drawn from the views of its day; tasks: viewed, put into the cart,
bought, the last two until the midnight after. Sub-domain: every eighth category, whose negatives are of the sub-domain
as well. Learned are days 0 to 7 in their order, asked the sub-domain's rows of days 8 and 9. As in the study ``keep``
the extractor says at each midnight what it knows, from weights and views of earlier days alone; the rows of the day
that begins read that, in training and test alike.

Arms: ``own`` DIN of the sub-domain's rows, ``joint`` of all rows, ``fine_tuned`` of all rows of the first half, then
of the sub-domain's; their histories hold the sub-domain's views, those of ``own_whole`` and ``joint_whole`` the views
of all categories. ``keep`` is ``own`` with the knowledge plugged in, ``keep_views`` with that of views alone,
``keep_others``, the control, with another row's. Intervals: over seeds (draws, initial weights) and over the asked
users drawn anew, the rows of all seeds together; half of the wider one is about the smallest effect that the log could
show.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.common import arguments, markdown
from benchmarks.papers.user_logs import differences_over_users, feature_map, gap_row, samples, until_next
from benchmarks.recommend import fixed
from recommend.config import TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Column, array_of, select_batch
from recommend.data.schema import DAY_MS
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.metrics.ranks import auc
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.keep import KEEP, KINDS, Extractor, knowledge_features
from recommend.research.events import read_events
from recommend.research.studies.papers.keep import Daily
from recommend.training.scoring import predictions
from recommend.training.trainer import train

HALF, TEST_FROM, EIGHTH, LONGEST = 4, 8, 8, 20
FEATURES = feature_map(longest=LONGEST)
MODEL = fixed.model(embedding=8, mlp=(64, 32), tower=16)
PLUGGED = FeatureMap(features=(*FEATURES.features, *knowledge_features(MODEL.tower)))
TASKS = ("click", "cart", "order")
ARMS = ("own", "own_whole", "joint", "joint_whole", "fine_tuned", "keep", "keep_views", "keep_others")
# The best of 0.001, 0.003 and 0.01 on seed 100 (0.001 for the joint arms alone); the extractor has the default.
RATES = dict.fromkeys(("own", "own_whole", "keep"), 1e-2) | dict.fromkeys(("joint", "joint_whole"), 1e-3)
RATES |= dict.fromkeys(("fine_tuned", "keep_views", "keep_others"), 3e-3)
SMALL = 64  # rows of a batch of the sub-domain
PAIRS = (
    *(("keep", other) for other in ARMS if other not in ("keep", "keep_others")),
    ("keep_others", "own"),
)
Rows = dict[str, Column]


class Log:
    """Encoded rows of all categories in the order of time, by what their history holds.

    Attributes:
        whole, sub_domain, midnight: all views, those of the sub-domain, all of earlier days.
        day, click, user, inside, early, asked: (rows,) the last three whether a row is of the sub-domain, of a day to
            learn from, of the sub-domain's last days.
    """

    def __init__(self, events: dict[str, np.ndarray], seed: int) -> None:
        is_view = events["behaviour"] == "click"
        user, item, at, category = (events[n][is_view] for n in ("user_id", "item_id", "time_ms", "category"))
        day, group = at // DAY_MS, category % EIGHTH == 0

        def rows(moment: np.ndarray, past: np.ndarray | None = None) -> Rows:
            # One draw for all three: their positives and their order are the same.
            how = {"seed": seed, "block": 2 * day + group, "longest": LONGEST, "shortest": 0}
            return samples(user, item, moment, category, past=past, **how)

        whole = rows(at)
        self.click, self.user = array_of(whole["click"]), array_of(whole["user_id"])
        moment = array_of(whole["time"])
        self.day, self.inside = moment // DAY_MS, array_of(whole["category"]) % EIGHTH == 0
        for task, behaviour in (("cart", "cart"), ("order", "order")):
            asked = (self.user, array_of(whole["item_id"]), moment)
            soon = until_next(events, events["behaviour"] == behaviour, *asked) < (self.day + 1) * DAY_MS - moment
            whole[task] = torch.from_numpy(soon & self.click)
        early = self.day < TEST_FROM
        encoders = Encoders.fit(FEATURES, [select_batch(whole, torch.from_numpy(np.flatnonzero(early)))], min_count=3)
        self.sizes = encoders.sizes()
        self.whole, self.sub_domain, self.midnight = (encoders(r) for r in (whole, rows(at, group), rows(day * DAY_MS)))
        self.early, self.asked = early, self.inside & ~early


def of(rows: Rows, which: np.ndarray) -> Rows:
    """The rows that are marked."""
    return select_batch(rows, torch.from_numpy(np.flatnonzero(which)))


def fresh(kind: Callable[..., Ranker], features: FeatureMap, log: Log, seed: int) -> Ranker:
    """A new model."""
    torch.manual_seed(seed)
    return kind(features, log.sizes, MODEL)


def knowledge(log: Log, tasks: tuple[str, ...], how: TrainConfig) -> Rows:
    """(rows, tower) columns of each kind for the sub-domain's rows, of their midnight; zeros elsewhere and on day 0."""
    extractor = fresh(Extractor, FEATURES.model_copy(update={"labels": tasks}), log, how.seed)
    columns = {kind: torch.zeros(len(log.day), MODEL.tower) for kind in KINDS}

    @torch.no_grad()
    def midnight(day: int) -> None:
        if day == 0:
            return
        extractor.eval()
        at = torch.from_numpy(np.flatnonzero(log.inside & (log.day == day)))
        for part in at.split(4_096):
            batch = select_batch(log.midnight, part)
            for kind in KINDS:
                columns[kind][part] = getattr(extractor, f"{kind}_vector")(batch)
        extractor.train()

    train(extractor, Daily(of(log.whole, log.early), log.day[log.early], midnight, how.batch_rows), how)
    for day in np.unique(log.day[log.asked]):
        midnight(int(day))
    return {f"knowledge_{kind}": vectors for kind, vectors in columns.items()}


def predicted(log: Log, how: TrainConfig, rate: float) -> dict[str, np.ndarray]:
    """(asked rows,) probabilities of the arms, each at its own learning rate unless one is given."""
    early, inside = log.early, log.inside
    in_sub_domain, half = early & inside, log.day < HALF
    plans = {
        "own": (log.sub_domain, (in_sub_domain,)),
        "own_whole": (log.whole, (in_sub_domain,)),
        "joint": (log.sub_domain, (early,)),
        "joint_whole": (log.whole, (early,)),
        "fine_tuned": (log.sub_domain, (half, in_sub_domain & ~half)),
    }
    plugged = {name: knowledge(log, tasks, how) for name, tasks in (("keep", TASKS), ("keep_views", TASKS[:1]))}
    mixed = np.arange(len(log.day))
    rng = np.random.default_rng(how.seed)
    for day in np.unique(log.day):
        at = np.flatnonzero(inside & (log.day == day))
        mixed[at] = rng.permutation(at)
    plugged["keep_others"] = {n: array[torch.from_numpy(mixed)] for n, array in plugged["keep"].items()}
    plans |= {name: ({**log.sub_domain, **columns}, (in_sub_domain,)) for name, columns in plugged.items()}
    probabilities = {}
    for name in ARMS:
        rows, steps = plans[name]
        model = fresh(*((KEEP, PLUGGED) if name in plugged else (DIN, FEATURES)), log, how.seed)
        config = how.changed([f"learning_rate={rate or RATES[name]}"])
        for step in steps:
            # The sub-domain has an eighth of the rows: small batches, or one pass is too few steps.
            train(model, MemoryStream(of(rows, step), SMALL if inside[step].all() else how.batch_rows), config)
        probabilities[name] = predictions(model, MemoryStream(of(rows, log.asked), 8_192))["p_click"]
    return probabilities


def main() -> None:
    """Run and print Markdown tables."""
    parser = arguments(__doc__, seeds=3)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--learning-rate", type=float, default=0.0, help="of every arm; 0: its own")
    args = parser.parse_args()
    began, events = time.process_time(), read_events("taobao")
    answers, labels, users = list[dict[str, np.ndarray]](), list[np.ndarray](), list[np.ndarray]()
    for seed in range(args.seed, args.seed + args.seeds):
        log = Log(events, seed)
        answers.append(predicted(log, fixed.training(batch_rows=256, seed=seed, threads=1), args.learning_rate))
        labels.append(log.click[log.asked])
        users.append(log.user[log.asked])
        print(
            f"seed {seed}: AUC { ({name: round(auc(labels[-1], p), 4) for name, p in answers[-1].items()}) }",
            flush=True,
        )
    marked = {task: int(array_of(log.whole[task])[log.early].sum()) for task in TASKS}
    print(
        f"last seed: {log.early.sum()} rows of all categories learned ({marked}), {(log.early & log.inside).sum()} of "
        f"the sub-domain; {log.asked.sum()} asked of {len(np.unique(users[-1]))} users"
    )
    by_seed = {name: [auc(y, of_seed[name]) for y, of_seed in zip(labels, answers, strict=True)] for name in ARMS}
    print(markdown(("arm", "AUC"), ((name, f"{np.mean(by_seed[name]):.4f}") for name in ARMS)))
    y, user = np.concatenate(labels), np.concatenate(users)
    rows = []
    for one, two in PAIRS:
        arms = (np.concatenate([of_seed[n] for of_seed in answers]) for n in (one, two))
        gaps = np.subtract(by_seed[one], by_seed[two])
        rows.append(gap_row(one, two, gaps, differences_over_users(auc, y, *arms, user)))
    print(markdown(("difference", "AUC", "over seeds", "over users"), rows))
    print(f"{time.process_time() - began:.0f} s of CPU")


if __name__ == "__main__":
    main()
