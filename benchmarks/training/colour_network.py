"""Train the network of ``listing.observe.colours``; ``benchmarks.training.colour`` is the command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from finetune.data.photosets import open_photo, per_photo
from listing.observe.colours import ColourHeads, Features
from listing.observe.networks.foreground import usable

FOLDS = 5
POWERS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5)
SECOND_SHARE = 0.25  # of the main colour's target where there is a second one: which is which is often unclear
GUESS_WEIGHT = 0.3
Row = dict[str, Any]


@dataclass(frozen=True)
class NetworkConfig:
    """AdamW with cosine decay; ``nets`` are trained alike from other seeds, and their answers averaged."""

    nets: int = 3
    hidden: int = 192
    epochs: int = 30
    batch_size: int = 128
    lr: float = 2e-3
    weight_decay: float = 0.05
    dropout_in: float = 0.3
    dropout: float = 0.5
    label_smoothing: float = 0.05
    second_weight: float = 0.4
    seed: int = 0


def features_of(rows: Sequence[Row], masks: Sequence[np.ndarray], model: Path, file: Path | None) -> np.ndarray:
    """float32 [rows, n] of every photo; ``file`` (.npz) stores them."""
    features = cache(lambda: Features(model))

    def describe(number: int) -> np.ndarray:
        mask = masks[number] if usable(masks[number]) else None
        return features()(open_photo(rows[number]["image"]), mask).astype(np.float16)

    return np.stack(per_photo(rows, file, "features", describe)).astype(np.float32)


def folds_of(rows: Sequence[Row], seed: int) -> np.ndarray:
    """Fold [rows] of each row's sender, about as many photos in each."""
    counts = Counter(row["sender_id"] for row in rows)
    senders = sorted(counts)
    np.random.default_rng(seed).shuffle(senders)
    sizes, fold = [0] * FOLDS, {}
    for sender in sorted(senders, key=lambda s: -counts[s]):
        fold[sender] = int(np.argmin(sizes))
        sizes[fold[sender]] += counts[sender]
    return np.array([fold[row["sender_id"]] for row in rows])


class Goals:
    """Targets ``first`` [n, names] (soft), ``second`` [n, names + 1], and the photos' weights [n]."""

    def __init__(self, rows: Sequence[Row], names: Sequence[str]) -> None:
        place = {name: i for i, name in enumerate(names)}
        self.main = np.array([place[row["colour"]] for row in rows])
        self.other = np.array([place.get(row["colour2"], len(names)) for row in rows])
        shared = torch.from_numpy(np.where(self.other < len(names), SECOND_SHARE, 0.0)).float()[:, None]
        self.second = torch.eye(len(names) + 1)[self.other]
        self.first = torch.eye(len(names))[self.main] * (1 - shared) + self.second[:, :-1] * shared
        self.sure = np.array(["colour" not in row["guess"] for row in rows])
        self.weight = torch.from_numpy(np.where(self.sure, 1.0, GUESS_WEIGHT)).float()


class _Net(nn.Module):
    def __init__(self, inputs: int, answers: int, cfg: NetworkConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, cfg.hidden)
        self.first, self.second = nn.Linear(cfg.hidden, answers), nn.Linear(cfg.hidden, answers + 1)
        self.before, self.behind = nn.Dropout(cfg.dropout_in), nn.Dropout(cfg.dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.behind(nn.functional.gelu(self.hidden(self.before(x))))
        return self.first(hidden), self.second(hidden)


def train(
    features: np.ndarray, goals: Goals, index: np.ndarray, names: Sequence[str], cfg: NetworkConfig
) -> ColourHeads:
    """The networks, trained on the photos ``index``; powers are 1."""
    mean, deviation = features[index].mean(0), features[index].std(0) + 1e-3
    x = torch.from_numpy((features - mean) / deviation).float().clamp(-4, 4)
    nets = [_one(x, goals, index, len(names), cfg, cfg.seed * 1000 + number) for number in range(cfg.nets)]
    stacked = {
        key: np.stack([net.state_dict()[name].numpy() for net in nets])
        for key, name in (
            ("weight", "hidden.weight"), ("bias", "hidden.bias"), ("first.weight", "first.weight"),
            ("first.bias", "first.bias"), ("second.weight", "second.weight"), ("second.bias", "second.bias"),
        )
    }  # fmt: skip
    powers = {f"{head}.power": np.ones(1) for head in ("first", "second")}
    return ColourHeads(tuple(names), {"mean": mean, "deviation": deviation, **powers, **stacked})


def _one(x: Tensor, goals: Goals, index: np.ndarray, answers: int, cfg: NetworkConfig, seed: int) -> _Net:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = _Net(x.shape[1], answers, cfg)
    batches = max(1, len(index) // cfg.batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), cfg.lr, weight_decay=cfg.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, cfg.epochs * batches)
    loss_of = nn.CrossEntropyLoss(reduction="none", label_smoothing=cfg.label_smoothing)
    net.train()
    for _ in range(cfg.epochs):
        for batch in np.array_split(rng.permutation(index), batches):
            first, second = net(x[batch])
            each = loss_of(first, goals.first[batch]) + cfg.second_weight * loss_of(second, goals.second[batch])
            optimizer.zero_grad()
            (each * goals.weight[batch]).mean().backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def crossed(
    features: np.ndarray, goals: Goals, folds: np.ndarray, names: Sequence[str], cfg: NetworkConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Answers of networks that did not see a sender to the sender's photos."""
    first, second = np.zeros((len(folds), len(names))), np.zeros((len(folds), len(names) + 1))
    for fold in range(FOLDS):
        held = np.flatnonzero(folds == fold)
        first[held], second[held] = train(features, goals, np.flatnonzero(folds != fold), names, cfg)(features[held])
    return first, second


def power(shares: np.ndarray, truth: np.ndarray) -> float:
    """The exponent at which the true answers are likeliest: calibration by one number."""

    def loss(exponent: float) -> float:
        raised = shares**exponent
        return float(-np.log(raised[np.arange(len(truth)), truth] / raised.sum(1) + 1e-9).mean())

    return min(POWERS, key=loss)


def measured(first: np.ndarray, second: np.ndarray, goals: Goals) -> dict[str, float]:
    """Shares of the likeliest answers that are right, on photos whose colour is no guess."""
    best, other, sure = first.argmax(1), second.argmax(1), goals.sure
    main = best == goals.main
    return {
        "photos": int(sure.sum()),
        "main colour": round(float(main[sure].mean()), 3),
        "main or second colour": round(float((main | (best == goals.other))[sure].mean()), 3),
        "second colour": round(float((other == goals.other)[sure].mean()), 3),
    }
