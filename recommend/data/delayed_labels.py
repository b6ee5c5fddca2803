"""Clicks whose labels come later: what a log knows about them at a moment, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from recommend.data.ragged import Column

NEVER = torch.iinfo(torch.int64).max  # the moment of what did not happen, or is not known to


@dataclass(frozen=True)
class ObservedClicks:
    """The clicks until a moment, and which of them were ordered and refunded until then.

    Attributes:
        now: the moment, ms.
        click_ms, order_ms, refund_ms: (clicks so far,) moments in ms, NEVER for what has not happened by now.
    """

    now: int
    click_ms: Tensor
    order_ms: Tensor
    refund_ms: Tensor


@dataclass(frozen=True)
class Samples:
    """Training rows: (n,) rows of the clicks, repeated if seen twice, and (n, ...) columns for the loss."""

    index: Tensor
    columns: Mapping[str, Tensor]


@dataclass(frozen=True)
class ClickLog:
    """All clicks in order of time, with all that ever follows them. Training sees it only through ``observed``.

    Attributes:
        columns: encoded features, no labels.
        click_ms, order_ms, refund_ms: (clicks,) moments, NEVER where nothing follows.
    """

    columns: Mapping[str, Column]
    click_ms: Tensor
    order_ms: Tensor
    refund_ms: Tensor

    def __post_init__(self) -> None:
        if bool((self.click_ms.diff() < 0).any()):
            raise ValueError("the clicks of a log must come in order of time.")

    def observed(self, now: int, foresight: bool = False) -> ObservedClicks:
        """The log at a moment.

        Args:
            foresight: show what will follow the clicks so far; for the oracle alone.
        """
        count = self.count(now)
        order, refund = self.order_ms[:count], self.refund_ms[:count]
        if not foresight:
            order, refund = (torch.where(t <= now, t, NEVER) for t in (order, refund))
        return ObservedClicks(now, self.click_ms[:count], order, refund)

    def count(self, now: int) -> int:
        """Clicks before or at a moment."""
        return int(torch.searchsorted(self.click_ms, torch.tensor(now), right=True))
