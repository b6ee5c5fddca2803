"""MKT (arXiv 2402.19101) on a real log: Amazon's electronics help its cell phones, for the same users.

``IPL_DATA=DIR python -m benchmarks.papers.mkt_amazon [--seeds N] [--users N]``. Both entities have one schema, an id of
an item, so that there is nothing for the alignment to do: what is tried is the transfer. The log has positives only and
no clock. A user's items stand in a random order; a row reads those before it of both entities as two histories. Rows
to learn from have one negative, drawn as often as others bought it; a held-back phone has twenty, drawn from the phones
held back of others, so that popularity says nothing.

Arms: ``phones`` DIN of the phones' rows; ``joint`` experts of both (MMoE); ``fine_tuned`` DIN of electronics, then of
phones; ``mkt`` MEM of both, then TEM of phones; ``phones_others`` and ``mkt_others``, the control: the same where each
user has the electronics of another. Measured by GAUC. Intervals: over seeds (users, orders, draws, initial weights) and
over users drawn anew, those of all seeds together; half of the wider one is about the smallest effect that the log
could show.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.common import arguments, markdown
from benchmarks.papers.user_logs import gap_row, samples
from benchmarks.recommend import fixed
from recommend.config import TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Column, Ragged, array_of, rows_of, select_batch
from recommend.features.encoders import Encoders
from recommend.features.entities import ENTITY, SHARED
from recommend.features.feature_map import Feature, FeatureMap
from recommend.metrics.ranks import auc, gauc
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.models.baselines.multi_entity import EntityMMoE, part_of, tables_of
from recommend.models.mkt import MEM, TEM
from recommend.research.events import read_events
from recommend.training.scoring import predictions
from recommend.training.trainer import train

ENTITIES = ("electronics", "phones")  # numbered by their place; the last is the target
FAR = 1_000_000  # between the ids of both, which share a table
HISTORY, NEGATIVES, MIN_COUNT, DRAWS = 40, 20, 5, 1_000
SMALL = 128  # rows of a batch of phones, of which there are fewer
FEATURES = FeatureMap(
    features=(
        Feature(column="user_id", role="context"),
        Feature(column="item_id", role="target", group=SHARED),
        *(Feature(column=f"{e}_id", role="target", group=e) for e in ENTITIES),
        *(Feature(column=f"{e}_item", role="history", match="item_id", group=e, max_length=20) for e in ENTITIES),
        Feature(column=ENTITY, role="raw"),
    )
)
PHONES = part_of(FEATURES, (SHARED, ENTITIES[1]))
MODEL = fixed.model(embedding=8, attention=(32,), mlp=(64, 32, 16), activation="relu", experts=3, initial_std=0.1)
ARMS = ("phones", "joint", "fine_tuned", "mkt", "phones_others", "mkt_others")
PAIRS = (("mkt", "phones"), ("mkt", "joint"), ("mkt", "fine_tuned"), ("mkt_others", "phones_others"))
Rows = dict[str, Column]


def rows_of_users(seed: int, users: int, others: bool) -> tuple[Rows, Rows]:
    """Rows to learn from, shuffled, and the held-back phones with their negatives.

    Args:
        others: each user has the electronics of another.
    """
    rng = np.random.default_rng(seed)
    logs = [read_events(f"amazon_{e}") for e in ENTITIES]
    chosen = rng.permutation(np.unique(logs[1]["user_id"]))[: users or None]
    of_chosen = [np.isin(log["user_id"], chosen) for log in logs]
    code = [np.searchsorted(np.sort(chosen), log["user_id"][k]) for log, k in zip(logs, of_chosen, strict=True)]
    ring = rng.permutation(len(chosen))
    turned = np.empty_like(ring)
    turned[ring] = np.roll(ring, 1)  # one ring, so that nobody keeps the own
    user = np.concatenate([turned[code[0]] if others else code[0], code[1]])
    entity = np.repeat((0, 1), [len(c) for c in code])
    item = np.concatenate([log["item_id"][k] for log, k in zip(logs, of_chosen, strict=True)]) + FAR * entity
    held = np.concatenate([log["time_ms"][k] == 1 for log, k in zip(logs, of_chosen, strict=True)])
    order = np.where(held, len(user), rng.permutation(len(user)))  # held-back items come last

    def rows(targets: np.ndarray, negatives: int) -> Rows:
        how = {"seed": seed, "block": 2 * entity + held, "past": ~held, "longest": HISTORY}
        return samples(user, item, order, targets=targets, negatives=negatives, **how)

    learned, asked = rows(~held, 1), rows(held & (entity == 1), NEGATIVES)
    mixed = torch.from_numpy(rng.permutation(rows_of(learned)))
    return with_fields(select_batch(learned, mixed)), with_fields(asked)


def with_fields(rows: Rows) -> Rows:
    """Both entities' own fields and histories; -1 where a row is of the other."""
    item, past = rows["item_id"], rows["history_item"]
    assert isinstance(item, torch.Tensor)
    assert isinstance(past, Ragged)
    columns: Rows = {n: rows[n] for n in ("user_id", "item_id", "click")} | {ENTITY: (item >= FAR).long()}
    for number, name in enumerate(ENTITIES):
        columns[f"{name}_id"] = torch.where((item >= FAR) == bool(number), item, -1)
        columns[f"{name}_item"] = past.keep((past.values >= FAR) == bool(number))
    return columns


def predicted(learned: Rows, asked: Rows, names: tuple[str, ...], how: TrainConfig) -> dict[str, np.ndarray]:
    """(asked rows,) probabilities of the arms."""
    encoders = Encoders.fit(FEATURES, [learned], MIN_COUNT)
    learned, asked, sizes = encoders(learned), encoders(asked), encoders.sizes()
    of = array_of(learned[ENTITY])
    source, target = (select_batch(learned, torch.from_numpy(np.flatnonzero(of == e))) for e in (0, 1))

    def fitted(build: Callable[..., Ranker], features: FeatureMap, *parts: Rows, mem: MEM | None = None) -> Ranker:
        tables = sizes if build in (MEM, TEM) else tables_of(features.features, sizes)
        torch.manual_seed(how.seed)
        model = build(features, tables, MODEL, *([mem] if mem is not None else []))
        for part in parts:
            train(model, MemoryStream(part, SMALL if part is target else how.batch_rows), how)
        return model

    probabilities = {}
    for name in names:
        if name.startswith("mkt"):
            mem = fitted(MEM, FEATURES, learned)
            assert isinstance(mem, MEM)
            model = fitted(TEM, FEATURES, target, mem=mem)
        elif name == "joint":
            model = fitted(EntityMMoE, FEATURES, learned)
        elif name == "fine_tuned":
            model = fitted(DIN, FEATURES, source, target)
        else:
            model = fitted(DIN, PHONES, target)
        probabilities[name] = predictions(model, MemoryStream(asked, 8_192))["p_click"]
    return probabilities


def main() -> None:
    """Run and print a Markdown table."""
    parser = arguments(__doc__, seeds=3, epochs=3, learning_rate=2e-3)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--users", type=int, default=0, help="drawn by seed; 0: all")
    args = parser.parse_args()
    began = time.process_time()
    gauc_parts: dict[str, list[np.ndarray]] = {name: [] for name in ARMS}  # GAUC's (users,) parts by seed
    for seed in range(args.seed, args.seed + args.seeds):
        how = fixed.training(batch_rows=512, epochs=args.epochs, learning_rate=args.learning_rate, seed=seed, threads=1)
        for others in (False, True):
            learned, asked = rows_of_users(seed, args.users, others)
            names = tuple(name for name in ARMS if name.endswith("_others") == others)
            click, user = array_of(asked["click"]), array_of(asked["user_id"])
            for name, p in predicted(learned, asked, names, how).items():
                gauc_parts[name].append(by_user(click, p))
                print(f"seed {seed}, {name}: AUC {auc(click, p):.4f}, GAUC {gauc(click, p, user):.4f}", flush=True)
    print(f"last seed: {rows_of(learned)} rows learned, {click.sum()} users asked")
    means = ((name, f"{np.mean([part.mean() for part in parts]):.4f}") for name, parts in gauc_parts.items())
    print(markdown(("arm", "GAUC"), means))
    rows = []
    for one, two in PAIRS:
        gaps = [a - b for a, b in zip(gauc_parts[one], gauc_parts[two], strict=True)]
        every = np.concatenate(gaps)
        drawn = np.random.default_rng(0).choice(every, (DRAWS, len(every))).mean(1)
        rows.append(gap_row(one, two, [float(g.mean()) for g in gaps], drawn))
    print(markdown(("difference", "GAUC", "over seeds", "over users"), rows))
    print(f"{time.process_time() - began:.0f} s of CPU")


def by_user(click: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(users,) AUC of each user's phone, which comes first, among its negatives."""
    assert click[:: NEGATIVES + 1].all()
    of = p.reshape(-1, NEGATIVES + 1)
    return ((of[:, 1:] < of[:, :1]) + 0.5 * (of[:, 1:] == of[:, :1])).mean(1)


if __name__ == "__main__":
    main()
