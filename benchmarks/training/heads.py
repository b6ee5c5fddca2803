"""Fit heads of the evidence tower to its frozen features: logistic regressions, and the curves of what they are worth.

    python -m benchmarks.training.heads --data PHOTOS --features FILE [--write]

Features are pooled over the four views of serving (``EvidenceTower.pooled``); FILE (.npz) stores them. Curves fit
the answers of heads of the other senders to each sender's photos. A head with one answer that the tower has already
is the mean of both. Validation senders take no part; their figures are printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.training.curves import Fitted
from benchmarks.training.questions import (
    ANY_OF,
    ONE_OF,
    TUNED,
    annotate,
    measure,
    save,
    targets,
    types_by_category,
    vocabularies,
)
from finetune.data.details import read_details
from finetune.data.photosets import open_photo, per_photo
from finetune.data.splits import sender_folds, split_rows
from finetune.embedded.assemble import WEIGHTS
from listing.home import ipl_home
from listing.observe.towers import CALIBRATION, EvidenceTower

FOLDS = 4
# Of the ridge penalty, for heads with one answer and with several; half or twice as much loses next to nothing.
STRENGTH, STRENGTH_OF_ANY = 0.03, 0.15
Row = dict[str, Any]
Head = tuple[Tensor, Tensor]  # weight [answers, n], bias [answers]


def features_of(rows: Sequence[Row], tower: EvidenceTower, file: Path) -> np.ndarray:
    """float16 [photos, 4 views, n]; ``file`` stores them."""

    def pooled(number: int) -> np.ndarray:
        return tower.pooled(*tower.item(open_photo(rows[number]["image"]))).numpy().astype(np.float16)

    return np.stack(per_photo(rows, file, "features", pooled))


@dataclass(frozen=True)
class Problem:
    """One head's task: inputs [photos, n] of mean 0 and deviation 1, goal and weights as ``targets`` gives them."""

    inputs: Tensor
    goal: Tensor
    weight: Tensor
    answers: int

    def part(self, index: np.ndarray) -> Problem:
        """The task of some photos alone."""
        return Problem(self.inputs[index], self.goal[index], self.weight[index], self.answers)

    def loss(self, head: Head) -> Tensor:
        """Mean log loss a photo, in nats; of independent answers their sum."""
        logits = self.inputs @ head[0].T + head[1]
        if self.goal.ndim == 1:
            each = F.cross_entropy(logits, self.goal, reduction="none") * self.weight
        else:
            each = (F.binary_cross_entropy_with_logits(logits, self.goal, reduction="none") * self.weight).sum(1)
        return each.mean()

    def fitted(self, strength: float) -> Head:
        """The head of the least penalised loss."""
        weight = torch.zeros(self.answers, self.inputs.shape[1], requires_grad=True)
        bias = base_rates(self.goal, self.weight, self.answers).requires_grad_()
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=60, history_size=8, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self.loss((weight, bias)) + strength / 2 * (weight**2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return weight.detach(), bias.detach()

    def crossed(self, views: Tensor, folds: np.ndarray, strength: float) -> Tensor:
        """Probabilities of each photo by heads of the other folds (``head_shares``)."""
        out = torch.zeros(len(views), self.answers)
        for fold in range(FOLDS):
            out[folds == fold] = head_shares(
                self.part(folds != fold).fitted(strength), views[folds == fold], self.goal.ndim > 1
            )
        return out


def head_shares(head: Head, views: Tensor, several: bool) -> Tensor:
    """Probabilities [photos, answers], the mean over the views [photos, 4, n]; ``several``: of independent answers."""
    logits = views @ head[0].T + head[1]
    return (logits.sigmoid() if several else logits.softmax(-1)).mean(1)


def base_rates(goal: Tensor, weight: Tensor, answers: int) -> Tensor:
    """Log odds [answers] of each answer, or log shares of one of them."""
    if goal.ndim == 1:
        counts = torch.bincount(goal, weight, answers) + 1
        return (counts / counts.sum()).log()
    share = ((goal * weight).sum(0) + 0.5) / (weight.sum(0) + 1)
    return (share / (1 - share)).log()


def main() -> None:
    """Fit, print what validation says, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the photos in images/")
    parser.add_argument("--model", type=Path, default=ipl_home() / "models" / "ipl-mini")
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--heads", nargs="+", default=[*ONE_OF, *ANY_OF], help="others stay")
    parser.add_argument("--write", action="store_true", help="write the tower with these heads into finetune/weights")
    args = parser.parse_args()
    torch.manual_seed(0)
    tower = EvidenceTower(args.model, raw=True)
    rows = [row for row in read_details(args.data) if row["label"] in TUNED]
    annotate(rows)
    train, validation = split_rows(rows)
    views = torch.from_numpy(features_of([*train, *validation], tower, args.features)).float()
    mean, deviation = views[: len(train)].mean((0, 1)), views[: len(train)].mean(1).std(0) + 1e-3
    views = (views - mean) / deviation
    values = vocabularies(train) | {n: v for n, v in tower.values.items() if n not in args.heads}
    goal, weight = targets(train, values)
    heads, curves = dict(tower.heads), dict[str, Any]()
    answers = {
        name: head_shares(normed(head, mean, deviation), views[len(train) :], name in ANY_OF)
        for name, head in heads.items()
    }
    for name in args.heads:
        problem = Problem(views[: len(train)].mean(1), goal[name], weight[name], len(values[name]))
        strength = STRENGTH_OF_ANY if name in ANY_OF else STRENGTH
        head = problem.fitted(strength)
        if tower.values.get(name) == values[name] and name not in ANY_OF:
            old = normed(tower.heads[name], mean, deviation)
            head = (head[0] + old[0]) / 2, (head[1] + old[1]) / 2
        answers[name] = head_shares(head, views[len(train) :], name in ANY_OF)
        heads[name] = (head[0] / deviation, head[1] - head[0] @ (mean / deviation))
        if name in ANY_OF:
            crossed = problem.crossed(views[: len(train)], np.array(sender_folds(train, FOLDS)), strength).numpy()
            curves[name] = Fitted(crossed, goal[name].numpy(), weight[name].numpy()).curves(values[name])
    print(json.dumps(measure(validation, answers, values)))
    if args.write:
        save(tower.state(heads), values, types_by_category(train, values), tower.side, WEIGHTS)
        file = WEIGHTS / CALIBRATION
        calibration = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**calibration, **curves}) + "\n", encoding="utf-8")


def normed(head: Head, mean: Tensor, deviation: Tensor) -> Head:
    """A head as one of normed inputs."""
    return head[0] * deviation, head[1] + head[0] @ mean


if __name__ == "__main__":
    main()
