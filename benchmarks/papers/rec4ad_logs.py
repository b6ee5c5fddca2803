"""Selection bias in two real logs, and the smallest effect that each could show.

``IPL_DATA=... python -m benchmarks.papers.rec4ad_logs [coat] [open_bandit]``. Coat holds ratings of coats that people
chose and of coats drawn at random; Open Bandit holds impressions of Thompson sampling and of a uniform policy. Neither
has a second system with a selection of its own, so that Rec4Ad itself cannot be tried: what can be is the bias (is a
model of selected rows worse on uniform ones than one of as many uniform rows?) and its correction by inverse
propensities.

One model throughout: a logistic regression on ids, attributes and, for Coat, a product of two vectors of 8, fitted on
all rows at once. Uniform rows are parted into two halves; every model is judged on one. Whatever is learned from
uniform rows, a model or Coat's propensities, is learned from the other; then the other way round.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommend.data.schema import POLICIES
from recommend.imports.maps import log_files, read_map
from recommend.metrics.calibration import pcoc
from recommend.metrics.ranks import auc
from recommend.research.events import read_events

SEEDS = range(2)
STEPS, RATE, DECAY = 80, 0.05, 1e-3


@dataclass(frozen=True)
class Rows:
    """(n, fields) codes, labels, weights."""

    codes: np.ndarray
    label: np.ndarray
    weight: np.ndarray

    def of(self, which: np.ndarray) -> Rows:
        return Rows(self.codes[which], self.label[which], self.weight[which])


class Model(nn.Module):
    """Sum of a number for each code, and the product of the first two fields' vectors."""

    def __init__(self, sizes: list[int], width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(-1.0))
        self.one = nn.ModuleList(nn.Embedding(n, 1) for n in sizes)
        self.two = nn.ModuleList(nn.Embedding(n, max(width, 1)) for n in sizes[:2])
        self.width = width
        for table in self.one:
            nn.init.zeros_(table.weight)
        for table in self.two:
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, codes: Tensor) -> Tensor:
        logit = self.bias + torch.cat([t(codes[:, i]) for i, t in enumerate(self.one)], 1).sum(1)
        return logit + (self.two[0](codes[:, 0]) * self.two[1](codes[:, 1])).sum(1) if self.width else logit


def fit(rows: Rows, sizes: list[int], width: int, seed: int) -> Callable[[Rows], np.ndarray]:
    """The fitted model's probabilities."""
    torch.manual_seed(seed)
    model = Model(sizes, width)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    codes, label = torch.from_numpy(rows.codes), torch.from_numpy(rows.label).float()
    weight = torch.from_numpy(rows.weight / rows.weight.mean()).float()
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(model(codes), label, weight)
        penalty = sum((p.square().sum() for p in model.parameters()), torch.zeros(()))
        (loss + 2 * penalty / len(label)).backward()
        optimizer.step()
    return lambda asked: model(torch.from_numpy(asked.codes)).sigmoid().detach().numpy()


def compare(
    name: str,
    chosen: Rows,
    uniform: Rows,
    sizes: list[int],
    width: int,
    inverse: Callable[[np.ndarray], np.ndarray],
) -> None:
    """Arms on the uniform rows' halves; the bootstrap's standard error of a difference says what could be seen.

    Args:
        chosen, uniform: rows of weight 1.
        inverse: places of the uniform rows that may be looked at, to the chosen rows' inverse propensities.
    """
    predictions: dict[str, list[np.ndarray]] = {
        n: [] for n in ("chosen", "chosen, as few", "inverse propensity", "uniform")
    }
    labels = []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(uniform.label))
        for half, other in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            few = np.random.default_rng(seed).permutation(len(chosen.label))[: len(half)]
            learned = {
                "chosen": chosen,
                "chosen, as few": chosen.of(few),
                "inverse propensity": Rows(chosen.codes, chosen.label, inverse(half)),
                "uniform": uniform.of(half),
            }
            for arm, rows in learned.items():
                predictions[arm].append(fit(rows, sizes, width, seed)(uniform.of(other)))
            labels.append(uniform.label[other])
    print(f"{name}: {len(chosen.label)} chosen rows ({chosen.label.mean():.4f} positive), {len(uniform.label)} uniform")
    for arm, arm_predictions in predictions.items():
        pairs = list(zip(labels, arm_predictions, strict=True))
        area, rate = (np.mean([f(y, p) for y, p in pairs]) for f in (auc, pcoc))
        print(f"  {arm}: AUC {area:.4f}, PCOC {rate:.2f}")
    rng, spread = np.random.default_rng(0), []
    whole = [np.concatenate(x[:2]) for x in (labels, predictions["inverse propensity"], predictions["chosen"])]
    for _ in range(200):
        at = rng.integers(0, len(whole[0]), len(whole[0]))
        spread.append([auc(whole[0][at], whole[i][at]) for i in (1, 2)])
    one, pair = np.std(spread, axis=0)[1], np.std(np.diff(spread, axis=1))
    print(f"  standard error of an AUC {one:.4f}, of the difference of two arms {pair:.4f}: seen is {2.8 * pair:.4f}")


def attributes(what: str) -> list[np.ndarray]:
    """Coat's one-hot attributes of users or items as codes, one array an attribute; 0: none is set."""
    folder = log_files(read_map("coat")[0])[0].parent
    groups = [line.split(":")[0] for line in (folder / f"{what}_features_map.txt").read_text().splitlines() if line]
    hot = np.loadtxt(folder / f"{what}_features.csv", delimiter=",", dtype=int, ndmin=2)
    parts = [hot[:, [g == name for g in groups]] for name in dict.fromkeys(groups)]
    return [np.where(part.any(1), part.argmax(1) + 1, 0) for part in parts]


def coats() -> None:
    """Positive: 3 of 5 or better (a quarter to a half of the rows). Propensities by rating, from uniform rows."""
    table = read_events("coat")
    columns = [table["user_id"], table["item_id"]]
    for what in ("user", "item"):
        columns += [code[table[f"{what}_id"]] for code in attributes(what)]
    codes = np.stack(columns, 1).astype(np.int64)
    uniform, rating = table["policy"] == POLICIES.index("uniform"), table["rating"]
    chosen_rating, uniform_rating = rating[~uniform], rating[uniform]

    def inverse(places: np.ndarray) -> np.ndarray:
        # 1 / P(chosen | rating) by Bayes, up to a factor (Schnabel et al., 2016).
        chosen, every = (np.bincount(r, minlength=6) / len(r) for r in (chosen_rating, uniform_rating[places]))
        return np.asarray((every / np.maximum(chosen, 1e-9))[chosen_rating])

    rows = Rows(codes, rating >= 3, np.ones(len(rating)))
    compare("Coat", rows.of(~uniform), rows.of(uniform), [int(c.max()) + 1 for c in columns], 8, inverse)


def bandit() -> None:
    """All campaigns; items are told by campaign and id."""
    plain = read_events("open_bandit")
    columns = [plain["item_id"], plain["position"], *(plain[f"user_feature_{i}"] + 1 for i in range(4))]
    codes = np.stack(columns, 1).astype(np.int64)
    rows = Rows(codes, plain["click"].astype(bool), np.ones(len(codes)))
    uniform = plain["policy"] == POLICIES.index("uniform")
    weight = np.minimum(1 / plain["propensity"], 1_000)[~uniform]  # logged, so that no uniform row has a say
    sizes = [int(c.max()) + 1 for c in columns]
    compare("Open Bandit", rows.of(~uniform), rows.of(uniform), sizes, 0, lambda _: weight)


if __name__ == "__main__":
    torch.set_num_threads(1)
    logs = {"coat": coats, "open_bandit": bandit}
    for name in sys.argv[1:] or logs:
        logs[name]()
