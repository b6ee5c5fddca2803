"""The shelf: pieces left of each item, and who gets the last one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from recommend.data.world.chance import Ints

UNSOLD = np.iinfo(np.int64).max


@dataclass(slots=True)
class Wishes:
    """Wishes to buy, in the future or settled: row of the click, item, moment."""

    row: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    item: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    time: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def take(self, which: np.ndarray) -> Wishes:
        """The wishes at ``which`` (mask or indices)."""
        return Wishes(self.row[which], self.item[which], self.time[which])

    def plus(self, other: Wishes) -> Wishes:
        """Both together."""
        return Wishes(
            np.concatenate([self.row, other.row]),
            np.concatenate([self.item, other.item]),
            np.concatenate([self.time, other.time]),
        )


class Shelf:
    """Stock over time. With ``sold_leave`` off, every wish becomes an order and nothing ever leaves."""

    def __init__(self, stock: Ints, sold_leave: bool) -> None:
        self.left = stock.copy()
        self.sold_ms = np.full(len(stock), UNSOLD)
        self.pending = Wishes()
        self.orders: list[Wishes] = []
        self.lost: list[Wishes] = []
        self._sold_leave = sold_leave

    def settle(self, new: Wishes, until: int) -> None:
        """Decide all wishes before ``until`` in order of time: the first get the pieces, the others come too late."""
        wishes = self.pending.plus(new)
        due = wishes.time < until
        self.pending, due_now = wishes.take(~due), wishes.take(due)
        if not len(due_now.row):
            return
        if not self._sold_leave:
            self.orders.append(due_now)
            return
        now = due_now.take(np.lexsort((due_now.row, due_now.time, due_now.item)))
        first = np.searchsorted(now.item, now.item, side="left")
        served = np.arange(len(now.item)) - first < self.left[now.item]
        last = served & (np.arange(len(now.item)) - first == self.left[now.item] - 1)
        self.sold_ms[now.item[last]] = now.time[last]
        np.subtract.at(self.left, now.item[served], 1)
        self.orders.append(now.take(served))
        self.lost.append(now.take(~served))

    def forget(self, dropped_rows: Ints) -> None:
        """Take back wishes whose click did not happen, since the thing had left the page."""
        gone = np.isin(self.pending.row, dropped_rows)
        self.pending = self.pending.take(~gone)

    def all_orders(self) -> Wishes:
        """Every order so far, in order of time."""
        return _in_time(self.orders)

    def all_lost(self) -> Wishes:
        """Every wish that came too late, in order of time."""
        return _in_time(self.lost)


def _in_time(parts: list[Wishes]) -> Wishes:
    total = Wishes()
    for part in parts:
        total = total.plus(part)
    return total.take(np.lexsort((total.row, total.time)))
