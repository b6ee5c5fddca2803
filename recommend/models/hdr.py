"""HDR: Capturing Conversion Rate Fluctuation during Sales Promotions: A Novel Historical Data Reuse Approach (KDD 2023,
arXiv 2305.12837).

A promotion changes how often clicks convert, and its own labels come too late. HDR takes the complete labels of similar
earlier days (``nearest``), weighs their positives so that their conversion level becomes today's (``prevalence``), and
fine-tunes a small block on top of a copy of the production model (``TransBlock``, ``fine_tune``).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recommend.config import ConfigError, ModelConfig
from recommend.data.delayed_labels import NEVER
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, read_moments, read_table
from recommend.data.ragged import Batch, Column, select_batch, tensor_of
from recommend.data.schema import CALENDAR, DAY_MS, columns_of
from recommend.features.feature_map import FeatureMap
from recommend.metrics.calibration import edges_of
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN
from recommend.models.run_config import RunConfig
from recommend.models.training_log import Train, TrainingLog

FLOOR = 0.1  # the block takes at most nine tenths of a class's probability
WEIGHTS = (0.2, 5.0)  # a conversion level further off than that is not believed
SPREAD = 0.3  # how far two similar promotions' conversion rates are apart, relative: the prior of the correction
WINDOW = 7  # days after a click in which its order comes
FEWEST_CLICKS, FEWEST_ORDERS = 100, 10  # of earlier promotions; below them the block would learn chance
STAGE = "production"  # folder of the first stage's checkpoint
RIPE = "ripe"  # column: share of the conversions of a click of that age that is in by now
Floats = NDArray[np.float64]


class TransBlock(nn.Module):
    """Moves probability between the two classes, by two numbers that one linear layer reads off the hidden state.

    As in the authors' main program, ``p1' = p1 + (w p0 + b)``, ``w = 2 sigmoid(w~) - 1``.
    The layer starts at zero, which is the identity. What leaves (0, 1) is cut off; the authors cut at 0 and 1 and
    add 1e-8, where a single conversion then costs as much logloss as a hundred usual ones.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: Tensor, p: Tensor) -> Tensor:
        """(n, width) and (n,) probabilities to (n,), inside (0, 1); what is cut off gives the block no gradient."""
        first, second = self.linear(hidden).unbind(1)
        moved = p + (2 * first.sigmoid() - 1) * (1 - p) + second
        return torch.minimum(torch.maximum(moved, FLOOR * p), 1 - FLOOR * (1 - p))


class HDR(DIN):
    """The production model (DIN on clicks, one label: the conversion) with a TransBlock on its probability.

    Trained on a log, the production part learns of all clicks; then the block alone learns of those of earlier
    promotions whose orders are in (``docs/papers/hdr.md`` says what of the paper is not in this).
    """

    usual = ("order",)
    only = "click"
    needs = ("impression.impression_id", "click.impression_id", "order.impression_id")

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        if len(features.labels) != 1 or not config.mlp:
            raise ConfigError("hdr needs one label, the conversion, and a hidden layer.")
        self.block = TransBlock(config.mlp[-1])
        self.converted = (features.labels[0], features.labels[0])

    def moved(self, log_odds: float) -> HDR:
        """A copy whose probabilities have other log-odds, by one number."""
        model = copy.deepcopy(self)
        last = model.top.layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.bias.add_(log_odds)
        return model

    @classmethod
    def reads(cls, usual: FeatureMap, run: RunConfig) -> FeatureMap:
        """Without counts, which grow with the log: the promotions that the block learns of lie far apart."""
        return usual.model_copy(update={"features": tuple(f for f in usual.features if f.kind != "count")})

    def first_stage(self, source: TrainingLog, out: Path, train: Train) -> None:
        """Train the production part on all clicks."""
        self.requires_grad_(True).block.requires_grad_(False)
        rows = MemoryStream(self._clicks(source)[0], source.run.train.batch_rows)
        train(self, rows, source.run.train, folder=out / STAGE)
        self._freeze()

    def stream(self, source: TrainingLog) -> MemoryStream:
        """The clicks of earlier promotions, in their order; from now on the block alone learns.

        Raises:
            DataError: there are too few of them, or of their orders.
        """
        rows, promoted = self._clicks(source)
        earlier = select_batch(rows, promoted.nonzero().squeeze(1))
        orders = int(tensor_of(earlier[self.features.labels[0]]).sum())
        if int(promoted.sum()) < FEWEST_CLICKS or orders < FEWEST_ORDERS:
            raise DataError(
                f"the promotions in {source.log} that are over for {WINDOW} days have {int(promoted.sum())} clicks and "
                f"{orders} orders, too few to learn from; hdr learns of earlier promotions (POST /v1/promotions)."
            )
        self._freeze()
        return MemoryStream(earlier, source.run.train.batch_rows)

    def _freeze(self) -> None:
        self.requires_grad_(False).block.requires_grad_(True)
        self.zero_grad()

    def _clicks(self, source: TrainingLog) -> tuple[dict[str, Column], Tensor]:
        """Clicks on items with what was known of their orders at the end of the training days, and which of them are of
        a promotion whose orders are all in by then."""
        end, there = (source.run.train_days[1] + 1) * DAY_MS, columns_of(source.log)
        names = [n for n in ("impression_id", "day", "promotion", "entity") if n in there]
        raw = read_table(source.log, "impression", names, *source.run.train_days)
        ids, day = tensor_of(raw["impression_id"]), tensor_of(raw["day"])
        first, last = source.run.train_days
        click, order = (read_moments(source.log, table, ids, NEVER, first, last) for table in ("click", "order"))
        entity = tensor_of(raw["entity"]) if "entity" in raw else torch.zeros_like(ids)
        promoted = torch.isin(day, torch.tensor(declared_days(source.log), dtype=day.dtype))
        promoted |= tensor_of(raw["promotion"]) != 0 if "promotion" in raw else False
        promoted &= click <= end - WINDOW * DAY_MS
        index = ((click < end) & (entity == 0)).nonzero().squeeze(1)
        rows = {**source.impressions(), self.features.labels[0]: order < end}
        return select_batch(rows, index), promoted[index]

    def forward(self, batch: Batch) -> Logits:
        layers = self.top.layers
        hidden = layers[:-1](self.body(self.inputs(batch)))
        p = layers[-1](hidden).squeeze(1).float().sigmoid()
        return {self.features.labels[0]: torch.logit(self.block(hidden.float(), p), 1e-7)}

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """Cross-entropy; where labels are still coming in (column ``ripe``), of ``p ripe``, what can be in by now."""
        name = self.features.labels[0]
        y, z = label(batch, name).to(logits[name].dtype), logits[name]
        share = label(batch, RIPE) if RIPE in batch else torch.ones_like(z)
        return -(y * nn.functional.logsigmoid(z) + (1 - y) * torch.log1p(-share * z.sigmoid())).mean()


def declared_days(log: Path) -> list[int]:
    """Days of a log on which a declared promotion was on, also of those that were declared afterwards."""
    try:
        return [int(day) for day in json.loads((log / CALENDAR).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def corrected_loss(logits: Tensor, labels: Tensor, ratio: float) -> Tensor:
    """``ratio L_pos + L_neg`` (eq. 6), both parts over all rows; ratio = today's over the retrieved conversion rate."""
    y = labels.to(logits.dtype)
    positive, negative = nn.functional.logsigmoid(logits), nn.functional.logsigmoid(-logits)
    return -(ratio * y * positive + (1 - y) * negative).mean()


def answers(scores: Floats, edges: Floats) -> Floats:
    """(n, bins) one-hot bins of the scores; the published answer is soft, [1 - p, p]."""
    return np.eye(len(edges) + 1)[np.searchsorted(edges, scores, side="right")]


def prevalence(confusion: Floats, today: Floats, strength: float, history: Floats) -> Floats:
    """``argmin_p |C p - q|^2 + strength |p - h'|^2 = (C'C + sI)^-1 (C'q + s h')`` (eq. 7, its solution eq. 14).

    Args:
        confusion: (bins, 2), column y = mean answer to historical clicks of class y.
        today: (bins,) mean answer to today's clicks, whose labels nobody knows.
        strength: what holds the estimate at ``history``. At 1, and with a few percent of conversions, little moves.
        history: (2,) class shares of the historical clicks.

    Returns:
        (2,) class shares of today, brought back into the simplex.
    """
    left = confusion.T @ confusion + strength * np.eye(2)
    shares = np.linalg.lstsq(left, confusion.T @ today + strength * history, rcond=None)[0]
    shares = shares.clip(0)
    return shares / shares.sum() if shares.sum() > 0 else history


@dataclass(frozen=True)
class Correction:
    """Result of the correction: conversion rates of the historical and of today's first hours."""

    history: float
    today: float

    @property
    def ratio(self) -> float:
        """Weight of the positives, eq. 6; 1 where history has no conversion."""
        return float(np.clip(self.today / self.history, *WEIGHTS)) if self.history > 0 else 1.0


def balanced(answer: Floats, clicks: float, rate: float) -> float:
    """The strength at which sampling noise and prior weigh alike: variance of an answer over (SPREAD rate)^2.

    With a hundred clicks it is about 1 and nothing moves; with a hundred thousand 1e-3 and the scores decide. A small
    fixed strength takes the noise of a hundred clicks for a change of the rate.
    """
    return float((answer * (1 - answer)).mean() / clicks / (SPREAD * rate) ** 2)


def correct(scores: Floats, labels: Floats, today: Floats, bins: int = 10, strength: float | None = None) -> Correction:
    """Today's conversion rate from unlabelled scores, if today's clicks differ by their class shares alone.

    A change of p(conversion | click) leaves the scores where they are and is not seen.

    Args:
        scores, labels: (n,) of the historical clicks, in the same hours of the day as today's.
        today: (m,) scores of today's clicks, by the same frozen model.
        bins: score bins of the confusion.
        strength: of ``prevalence``; None: ``balanced``.
    """
    y = labels.astype(bool)
    rate = float(y.mean()) if len(y) else 0.0
    if not len(today) or y.all() or not y.any():
        return Correction(rate, rate)
    edges = edges_of(scores, bins)
    answered = answers(scores, edges)
    confusion = np.column_stack([answered[~y].mean(0), answered[y].mean(0)])
    answer = answers(today, edges).mean(0)
    if strength is None:
        strength = balanced(answer, 1 / (1 / len(scores) + 1 / len(today)), rate)
    shares = prevalence(confusion, answer, strength, np.array([1 - rate, rate]))
    return Correction(rate, float(shares[1]))


def nearest(today: Sequence[Floats], history: Sequence[Floats], count: int) -> NDArray[np.int64]:
    """Numbers of the ``count`` historical days whose vectors have the largest cosine with today's, best first.

    Args:
        today: blocks of the day's vector (recent conversion rates, shares of categories), each (size,).
        history: the same blocks of the historical days, each (days, size). Every number is standardised over these
            days and every block weighs alike: raw shares would swamp the conversion rates.
    """
    parts = []
    for now, before in zip(today, history, strict=True):
        scale = before.std(0)
        rows = (np.vstack([now[None], before]) - before.mean(0)) / np.where(scale > 0, scale, 1)
        parts.append(rows / np.sqrt(rows.shape[1]))
    rows = np.concatenate(parts, axis=1)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.argsort(-(rows[1:] @ rows[0]), kind="stable")[:count]


@dataclass(frozen=True)
class Rates:
    """Learning rates of a fine-tuning. The production net gets the small one, the block the large one; not the other
    way round. Embedding tables hold ids of another time and stay as they are unless ``tables`` says otherwise."""

    net: float = 1e-5
    block: float = 1e-3
    tables: float = 0.0


def optimizer(model: HDR, rates: Rates) -> torch.optim.Adam:
    """Adam (0.9, 0.999, 1e-8) over the parts with a rate above 0; the other parts stay frozen."""
    parts = [(list(model.inputs.tables.parameters()), rates.tables), (list(model.block.parameters()), rates.block)]
    taken = {id(p) for group, _ in parts for p in group}
    parts.append(([p for p in model.parameters() if id(p) not in taken], rates.net))
    return torch.optim.Adam([{"params": group, "lr": rate} for group, rate in parts if rate > 0])


def fine_tune(model: HDR, batches: Iterable[Batch], rates: Rates, ratio: float) -> HDR:
    """A copy of the model, trained on the batches with ``corrected_loss``; the model itself is not touched.

    Args:
        batches: of clicks alone.
    """
    tuned = copy.deepcopy(model).train()
    adam = optimizer(tuned, rates)
    logit, name = tuned.converted
    for batch in batches:
        tuned.zero_grad(set_to_none=True)
        corrected_loss(tuned(batch)[logit], label(batch, name), ratio).backward()
        adam.step()
    return tuned.eval()
