"""Training day by day while labels ripen: at each midnight a model learns from what is known then, and is asked for the
clicks of the day that begins.

A model is a ``Ranker`` that also chooses, of the observed clicks, what to train on (``samples``). It never gets the
log itself; ``ClickLog.observed`` hides what has not happened yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recommend.config import TrainConfig
from recommend.data.delayed_labels import NEVER, ClickLog
from recommend.data.oracle import no_oracle
from recommend.data.ragged import select_batch, slice_batch
from recommend.data.schema import DAY_MS
from recommend.models.ecad import Towers
from recommend.training.optim import optimizers

ASKED_ROWS = 4_096


@dataclass(frozen=True)
class Asked:
    """Predictions: (rows,) probabilities by name of the clicks ``rows``, each before its own day."""

    rows: np.ndarray
    probabilities: dict[str, np.ndarray]
    steps: int
    trained: int


def stream(
    model: Towers,
    log: ClickLog,
    days: Sequence[int],
    asked_from: int,
    config: TrainConfig,
) -> Asked:
    """Train at the beginning of each day on what has become known, then predict the day's clicks.

    Args:
        model: trained in place.
        days: ascending; the first one trains on nothing.
        asked_from: first day of which the clicks are predicted.
        config: ``epochs`` passes over the samples of each day, in a random order within the day.
    """
    torch.set_num_threads(config.threads or 1)
    steps = optimizers(model, config)
    since, count, trained = days[0] * DAY_MS - 1, 0, 0
    probabilities: dict[str, list[np.ndarray]] = {}
    with no_oracle():
        for day in days:
            now = day * DAY_MS - 1
            observed = log.observed(now)
            samples = model.samples(observed, since)
            if len(samples.index) and int(samples.index.max()) >= len(observed.click_ms):
                raise ValueError("a model asked for clicks of the future.")
            rows = {**select_batch(log.columns, samples.index), **samples.columns}
            model.train()
            for epoch in range(config.epochs if len(samples.index) else 0):
                chance = torch.Generator().manual_seed(config.seed * 1_000_003 + day * 101 + epoch)
                order = torch.randperm(len(samples.index), generator=chance)
                for part in order.split(config.batch_rows):
                    batch = select_batch(rows, part)
                    for optimizer in steps:
                        optimizer.zero_grad(set_to_none=True)
                    model.loss(model(batch), batch).backward()
                    for optimizer in steps:
                        optimizer.step()
                    count, trained = count + 1, trained + len(part)
            since = now
            if day >= asked_from:
                start, stop = log.count(now), log.count(now + DAY_MS)
                for at in range(start, stop, ASKED_ROWS):
                    asked = model.predict(slice_batch(log.columns, at, min(at + ASKED_ROWS, stop)))
                    for name, p in asked.items():
                        probabilities.setdefault(name, []).append(p.numpy())
    first, last = log.count(asked_from * DAY_MS - 1), log.count((days[-1] + 1) * DAY_MS - 1)
    return Asked(np.arange(first, last), {n: np.concatenate(p) for n, p in probabilities.items()}, count, trained)


def settled(log: ClickLog, rows: np.ndarray, order_days: float, refund_days: float) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) whether each click was ordered, and refunded, within the windows: the final labels."""
    click, order, refund = (t[torch.from_numpy(rows)] for t in (log.click_ms, log.order_ms, log.refund_ms))
    bought = order - click <= order_days * DAY_MS
    back = bought & (refund < NEVER) & (refund - order <= refund_days * DAY_MS)
    return bought.numpy(), back.numpy()
