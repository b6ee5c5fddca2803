"""What has moved since the ranking model was trained: everything that the feed writes down, then and now.

The population stability index (PSI) compares the shares of bins: tenths of the training window for numbers, the groups
themselves for categories. Pages are compared, not rows, since the rows of a page are alike; how large an index would
come out by chance is found by mixing the pages of both times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.feed.items import CONDITIONS, CONTENT, category_code
from app.feed.live_feed import LiveFeed
from app.market.promotions import day_of
from app.ops.table import Table
from app.store.db import Store
from app.store.tables import FeedPageRow, FeedRow, ListingRow, now

RECENT = timedelta(days=3)
BEFORE = timedelta(days=14)  # what is compared with where no model serves that was trained on this store
PAGES, MIN_PAGES = 300, 30  # pages that are looked at, of each time; below so few nothing is said
BINS, GROUPS, MIXED = 10, 20, 40
MOVED, A_LITTLE = 0.2, 0.1
UNTRAINED = "no ranking model serves that was trained on earlier days of this store"
CODED = (*CONDITIONS[:4], " or ".join(CONDITIONS[4:]))  # conditions by their code


class Row(NamedTuple):
    """A seen row with what was known then."""

    page_id: str
    item: dict[str, Any]
    page: dict[str, Any]
    scores: dict[str, Any]
    reason: str


NUMBERS: dict[str, Callable[[Row], Any]] = {
    "price": lambda r: r.item["price"],
    "pieces left": lambda r: r.item["stock"],
    "age of the listing, hours": lambda r: r.item["item_age_h"],
    "clicks of the visitor before": lambda r: len(r.page["history_item"]),
    "hours since the visitor's last click": lambda r: (r.page["history_age_h"] or [None])[-1],
    "predicted click rate": lambda r: r.scores.get("pctr"),
    "predicted order rate": lambda r: r.scores.get("pcvr"),
    "score": lambda r: r.scores.get("score"),
    "bid": lambda r: r.scores.get("bid"),
}
GROUPED: dict[str, Callable[[Row], Any]] = {
    "price within its category, tenth": lambda r: int(r.item["price_bucket"]) + 1,
    "category": lambda r: int(r.item["category"]),
    "condition": lambda r: CODED[int(r.item["condition"])],
    "seller": lambda r: f"seller {r.item['seller_id']}",
    "one of a kind": lambda r: "single piece" if r.item["single"] else "several pieces",
    "hour of the day": lambda r: f"{int(r.page['hour']):02} h",
    "why it was shown": lambda r: r.reason,
}


@dataclass(frozen=True)
class Shift:
    """How far something moved. ``chance``: what 95 of 100 mixtures of the same pages stay below."""

    psi: float
    chance: float
    then: str
    now: str

    @property
    def reads(self) -> str:
        """In a word."""
        if self.psi <= self.chance or self.psi <= A_LITTLE:
            return "steady"
        return "moved" if self.psi > MOVED else "moved a little"


@dataclass(frozen=True)
class Drift:
    """What has moved, by name, and what was compared with what."""

    moves: dict[str, Shift]
    note: str

    @property
    def table(self) -> Table:
        """The most moved first."""
        headers = ("what", "reads", "PSI", "by chance up to", "then", "now")
        moves = sorted(self.moves.items(), key=lambda m: m[1].chance - m[1].psi)
        rows = tuple((name, m.reads, round(m.psi, 3), round(m.chance, 3), m.then, m.now) for name, m in moves)
        return Table(headers, rows, self.note)


class Comparison:
    """Rows of two times: the first ``then`` of them, and their pages, are of the earlier one."""

    def __init__(self, then: Sequence[Row], later: Sequence[Row]) -> None:
        self.rows, self.then = [*then, *later], len(then)
        _, self.page = np.unique([r.page_id for r in self.rows], return_inverse=True)
        is_later = np.zeros(self.page.max() + 1, bool)
        is_later[self.page[self.then :]] = True
        rng = np.random.default_rng(0)
        self.labels = np.stack([is_later, *(rng.permutation(is_later) for _ in range(MIXED))]).astype(float)

    def number(self, values: Sequence[Any]) -> Shift:
        """How far a number moved."""
        columns = np.array([np.nan if v is None else float(v) for v in values])
        psi, chance, _ = self._index([self._tenths(columns)])
        return Shift(psi, chance, _mean(columns[: self.then]), _mean(columns[self.then :]))

    def group(self, values: Sequence[Any]) -> Shift:
        """How far the shares of groups moved; rare groups share a bin. Named is the group that changed most."""
        before, after = Counter(values[: self.then]), Counter(values[self.then :])
        rank = {name: n for n, (name, _) in enumerate((before + after).most_common(GROUPS))}
        psi, chance, _ = self._index([np.array([rank.get(v, GROUPS) for v in values])])
        shares = {v: (before[v] / before.total(), after[v] / after.total()) for v in {*before, *after}}
        most = max(sorted(shares), key=lambda v: abs(shares[v][1] - shares[v][0]))
        then, later = (f"{most}: {100 * share:.0f} %" for share in shares[most])
        return Shift(psi, chance, then, later)

    def photos(self) -> Shift:
        """The axis of the content vectors that moved most, with the chance of the largest of all axes."""
        vectors = np.array([row.item["content"] or [0.0] * CONTENT for row in self.rows])
        psi, chance, axis = self._index([self._tenths(column) for column in vectors.T])
        then, later = _mean(vectors[: self.then, axis]), _mean(vectors[self.then :, axis])
        return Shift(psi, chance, f"axis {axis + 1}: {then}", later)

    def _index(self, columns: Sequence[np.ndarray]) -> tuple[float, float, int]:
        """Largest index of columns of bins, what mixing the pages gives in 95 of 100 cases, and the column's number."""
        every = []
        for bins in columns:
            size = int(bins.max()) + 1
            counts = np.bincount(self.page * size + bins, minlength=self.labels.shape[1] * size).reshape(-1, size)
            after = self.labels @ counts
            every.append(index(counts.sum(0) - after, after))
        largest = np.max(every, axis=0)
        return float(largest[0]), float(np.quantile(largest[1:], 0.95)), int(np.argmax([e[0] for e in every]))

    def _tenths(self, numbers: np.ndarray) -> np.ndarray:
        """Bin of each number: tenths of the earlier time; missing ones have a bin of their own."""
        before = numbers[: self.then][~np.isnan(numbers[: self.then])]
        edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1])) if len(before) else np.empty(0)
        return np.where(np.isnan(numbers), 0, 1 + np.searchsorted(edges, numbers, side="right"))


def index(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Population stability index of two counts by bin (the last axis); 0 for equal shares."""
    a, b = before + 0.5, after + 0.5
    a, b = a / a.sum(-1, keepdims=True), b / b.sum(-1, keepdims=True)
    return np.asarray(((b - a) * np.log(b / a)).sum(-1))


def measure_drift(store: Store, feed: LiveFeed) -> Drift:
    """What has moved between the days that the ranking model was trained on and the last days."""
    recent, loaded, against = now() - RECENT, feed.models.get("ranking"), ""
    with store.read() as session:
        later, then = _sample(session, recent, now()), []
        if loaded is not None:
            first, last = (day_of(int(day)) for day in loaded.manifest["train_days"])
            start, end = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (first, last + timedelta(days=1)))
            then = _sample(session, start, min(end, recent))
            against = f"the days that {loaded.name} was trained on, {first} to {last}"
        if _pages(then) < MIN_PAGES:  # no model, or one that was trained elsewhere or on the last days alone
            then = _sample(session, recent - BEFORE, recent)
            against = f"the {BEFORE.days} days before them, since {UNTRAINED}"
        categories = {category_code(c): c for c in session.scalars(select(ListingRow.category).distinct())}
    note = f"The last {RECENT.days} days ({_pages(later)} pages) against {against} ({_pages(then)} pages)."
    if min(_pages(then), _pages(later)) < MIN_PAGES:
        return Drift({}, f"{note} Below {MIN_PAGES} pages nothing is said.")
    both = Comparison(then, later)
    moves = {name: both.number([value(row) for row in both.rows]) for name, value in NUMBERS.items()}
    for name, value in GROUPED.items():
        names = categories if name == "category" else {}
        moves[name] = both.group([str(names.get(v, v)) for v in map(value, both.rows)])
    moves["what the photos show"] = both.photos()
    return Drift(moves, f"{note} Above {MOVED} and above chance: it moved.")


def _mean(numbers: np.ndarray) -> str:
    present = numbers[~np.isnan(numbers)]
    return f"mean {present.mean():.3g}" if len(present) else "none"


def _pages(rows: Sequence[Row]) -> int:
    return len({r.page_id for r in rows})


def _sample(session: Session, first: datetime, end: datetime) -> list[Row]:
    """Seen rows of at most ``PAGES`` pages of a time, drawn evenly."""
    viewed = select(FeedRow.page_id).where(FeedRow.seen_at.is_not(None))
    within = FeedPageRow.at >= first, FeedPageRow.at < end, FeedPageRow.id.in_(viewed)
    pages = sorted(session.scalars(select(FeedPageRow.id).where(*within)))
    if len(pages) > PAGES:
        pages = np.random.default_rng(0).choice(pages, PAGES, replace=False).tolist()
    query = select(FeedRow.page_id, FeedRow.known, FeedPageRow.known, FeedRow.scores, FeedRow.reason)
    query = query.join(FeedPageRow, FeedPageRow.id == FeedRow.page_id).order_by(FeedRow.id)
    return [Row(*r) for r in session.execute(query.where(FeedRow.page_id.in_(pages), FeedRow.seen_at.is_not(None)))]
