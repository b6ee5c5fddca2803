"""The rows that every library gets: a user, an hour, a target item and a history of clicked items, all as ids from 1.

Item popularity has a long tail, users have three favourite categories, half of a history follows them, and a click
depends on how many clicks of the history share the target's category, so that attention has something to find. 0 is
padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONTEXT = ("user_id", "hour")


@dataclass(frozen=True)
class Workload:
    """Sizes of the task and of the model that all libraries build."""

    rows: int = 60_000
    longest: int = 20
    users: int = 50_000
    items: int = 100_000
    categories: int = 500
    embedding: int = 16
    attention: tuple[int, ...] = (64,)
    mlp: tuple[int, ...] = (200, 80)
    batch_rows: int = 1024
    learning_rate: float = 1e-3
    train_share: float = 0.9
    full: bool = False  # every history of the longest length
    seed: int = 7

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each embedding table, padding included."""
        return {"user_id": self.users, "hour": 25, "item_id": self.items, "category": self.categories}


@dataclass(frozen=True)
class Part:
    """Columns of some rows; ``history`` and ``history_category`` are (rows, longest), padded with 0 on the right."""

    columns: dict[str, np.ndarray]
    length: np.ndarray
    click: np.ndarray

    def cut(self, start: int, stop: int) -> Part:
        """Rows start..stop."""
        rows = slice(start, stop)
        return Part({n: c[rows] for n, c in self.columns.items()}, self.length[rows], self.click[rows])


def make(work: Workload) -> tuple[Part, Part]:
    """Training rows and test rows."""
    rng = np.random.default_rng(work.seed)
    shape = (work.rows, work.longest)

    def draw_items(size: int | tuple[int, ...]) -> np.ndarray:
        return np.minimum((50 * rng.pareto(1.1, size)).astype(np.int64) + 1, work.items - 1)

    category_of = rng.integers(1, work.categories, work.items)
    favourites = rng.integers(1, work.categories, (work.users, 3))
    user, item = rng.integers(1, work.users, work.rows), draw_items(work.rows)
    length = rng.integers(1, work.longest + 1, work.rows)
    if work.full:
        length[:] = work.longest
    history = draw_items(shape)
    liked = favourites[user[:, None], rng.integers(0, 3, shape)]
    history_category = np.where(rng.random(shape) < 0.5, liked, category_of[history])
    # Half of the targets come from a favourite category, or hardly any history would speak about its target.
    category = np.where(rng.random(work.rows) < 0.5, favourites[user, rng.integers(0, 3, work.rows)], category_of[item])
    real = np.arange(work.longest) < length[:, None]
    history, history_category = history * real, history_category * real
    share = (history_category == category[:, None]).sum(1) / length
    hour = rng.integers(1, 25, work.rows)
    click = rng.random(work.rows) < 1 / (1 + np.exp(2.2 - 5 * share - 0.4 * np.sin(hour)))
    columns = {"user_id": user, "hour": hour, "item_id": item, "category": category}
    columns |= {"history": history, "history_category": history_category}
    whole = Part(columns, length, click)
    middle = int(work.rows * work.train_share)
    return whole.cut(0, middle), whole.cut(middle, work.rows)
