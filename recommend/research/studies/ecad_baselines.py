"""Baselines of ECAD: other ways to learn effective conversion while labels are still to come.

All have DIN's body, the same bottom and one tower a head (``ecad.Towers``); they differ in which clicks they see when
(``samples``) and in their loss. Those made for one delay are applied stage by stage: clicks wait for their order,
orders for their refund, and ECVR = p_v (1 - p_r), with p_r learned from orders only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.data.delayed_labels import NEVER, ObservedClicks, Samples
from recommend.data.ragged import Batch, Column
from recommend.data.schema import DAY_MS
from recommend.features.feature_map import FeatureMap
from recommend.models.base import Logits, label
from recommend.models.ecad import (
    AGE,
    AGE_BEFORE,
    ECAD,
    FIRST_RATE,
    TIMES,
    Towers,
    after_click,
    bce_of_log,
    ripened,
    shares,
)  # fmt: skip

LABEL, STAGE, LATE = "seen", "stage", "late_share"
STAGES = ("order", "refund")


class OrdersAlone(ECAD):
    """ECAD's windows, but refunds are learned from orders alone, by the time since the order: the clicks that nobody
    ordered, most of ECAD's entire space, tell nothing of refunds. ``refund_edges``: days from the order.
    """

    def samples(self, observed: ObservedClicks, since: int) -> Samples:
        """Clicks that ripened for a window of orders after ``since``, and orders for one of refunds."""
        age, every = observed.now - observed.click_ms, torch.arange(len(observed.click_ms))
        rows = {AGE: age, AGE_BEFORE: since - observed.click_ms, **after_click(observed, every)}
        index = self._ripened(rows)[1].any(0).nonzero().squeeze(1)
        return Samples(index, {name: column[index] for name, column in rows.items()})

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """As ECAD's, but a refund's head is the rate of an order, and its mean over orders."""
        log_shares = torch.cat([shares(logits, names) for names in (self.order_names, self.refund_names)])
        return torch.stack([bce_of_log(*row) for row in zip(log_shares, *self._ripened(batch), strict=True)]).sum()

    def _ripened(self, batch: Mapping[str, Column]) -> tuple[Tensor, Tensor]:
        """(n + m, rows) targets and masks."""
        n, (age, before, order, refund) = len(self.order_ms), (label(batch, name) for name in TIMES)
        targets, masks = (of[:n] for of in ripened(batch, self.order_ms, self.refund_ms))
        ends = torch.tensor(self.refund_ms)[:, None]
        starts = torch.tensor([-1, *self.refund_ms[:-1]])[:, None]
        bought, back = order <= self.order_ms[-1], refund - order
        ripe = bought & (age - order >= ends) & (before - order < ends)
        return torch.cat([targets, (back > starts) & (back <= ends)]), torch.cat([masks, ripe])


@dataclass(frozen=True)
class Stage:
    """Units that wait for one kind of event: clicks for their order, or orders for their refund.

    Attributes:
        row: (units,) row of the click.
        start: (units,) since when it waits, ms.
        delay: (units,) until its event, ms; NEVER if none is known.
        window: what comes later does not count, ms.
        now, since: of this training and the one before.
    """

    row: Tensor
    start: Tensor
    delay: Tensor
    window: int
    now: int
    since: int

    def due(self, after: Tensor | int) -> Tensor:
        """Units whose moment ``start + after`` passed since the last training."""
        after = torch.as_tensor(after)
        waited, before = self.now - self.start, self.since - self.start
        return (waited >= after) & (before < after)

    @property
    def arrived(self) -> Tensor:
        """Units whose event came, within the window, since the last training."""
        return self.due(self.delay) & (self.delay <= self.window)

    def late_share(self, wait: int) -> float:
        """Share of events that come after ``wait``, among units aged over the window: P(h > wait | y = 1)."""
        settled = self.delay[(self.now - self.start >= self.window) & (self.delay <= self.window)]
        return float(((settled > wait).sum() + 0.5) / (len(settled) + 1))


class DEFER(Towers):
    """Real negatives (Gu et al., KDD 2021): every unit twice, after a wait and with its final label. p_v is learned
    from clicks, p_r from orders.

    Args:
        order_days, refund_days: attribution windows, click to order and order to refund.
        wait_days: before a first label.
    """

    def __init__(
        self,
        features: FeatureMap,
        sizes: Mapping[str, int],
        config: ModelConfig,
        order_days: float = 3.0,
        refund_days: float = 3.0,
        wait_days: float = 0.25,
    ) -> None:
        super().__init__(features, sizes, config, dict.fromkeys(STAGES, FIRST_RATE))
        self.order_ms, self.refund_ms, self.wait_ms = (round(d * DAY_MS) for d in (order_days, refund_days, wait_days))

    def samples(self, observed: ObservedClicks, since: int) -> Samples:
        click, order, refund = observed.click_ms, observed.order_ms, observed.refund_ms
        bought = (order - click <= self.order_ms).nonzero().squeeze(1)
        wait = torch.where(order < NEVER, order - click, NEVER)
        back = torch.where(refund[bought] < NEVER, refund[bought] - order[bought], NEVER)
        stages = (
            Stage(torch.arange(len(click)), click, wait, self.order_ms, observed.now, since),
            Stage(bought, order[bought], back, self.refund_ms, observed.now, since),
        )
        rows, columns = [], []
        for number, stage in enumerate(stages):
            late = stage.late_share(self.wait_ms)
            for units, labels in self._observations(stage):
                row = stage.row[units]
                rows.append(row)
                columns.append((labels[units], torch.full_like(row, number), torch.full((len(row),), late)))
        joined = [torch.cat(parts) for parts in zip(*columns, strict=True)]
        return Samples(torch.cat(rows), dict(zip((LABEL, STAGE, LATE), joined, strict=True)))

    def _observations(self, stage: Stage) -> list[tuple[Tensor, Tensor]]:
        """Units (mask) that enter the stream now, and the labels of all."""
        early = stage.delay <= self.wait_ms
        late = ~early & (stage.delay <= stage.window)
        return [
            (stage.due(self.wait_ms), early),
            (stage.arrived & ~early, ~early),
            (stage.due(stage.window) & ~late, early),
        ]

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """Mean over all rows, each in the loss of its stage."""
        stage, total = label(batch, STAGE), []
        for number, name in enumerate(STAGES):
            rows = stage == number
            if bool(rows.any()):
                z, labels, late = logits[name][rows], *(label(batch, n)[rows] for n in (LABEL, LATE))
                weight = doubled_weights(z.detach().sigmoid(), late, labels)
                losses = functional.binary_cross_entropy_with_logits(z, labels.float(), reduction="none")
                total.append(rows.float().mean() * (losses * weight).mean())
        return torch.stack(total).sum()

    def probabilities(self, logits: Logits) -> dict[str, Tensor]:
        order, rfr = (logits[name].sigmoid() for name in STAGES)
        return {"order": order, "refund": order * rfr, "rfr": rfr, "ecvr": order * (1 - rfr)}


def doubled_weights(p: Tensor, late: Tensor, labels: Tensor) -> Tensor:
    """Importance weights of a stream in which every unit comes twice, late positives once more.

    Args:
        p: (n,) conversion probabilities, without gradient.
        late: (n,) share of conversions that come after the wait.
        labels: (n,) as they stand in the stream.
    """
    missed = p * late / 2
    return torch.where(labels.bool(), 1 / (1 - late / 2), (1 - p) / (1 - p + missed))
