"""What has moved since the ranking model was trained: everything that the feed writes down, then and now.

The population stability index (PSI) compares the shares of bins: tenths of the training window for numbers, the groups
themselves for categories. Pages are compared, not rows, since the rows of a page are alike; how large an index would
come out by chance is found by mixing the pages of both times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.feed.items import CONDITIONS, CONTENT, category_code
from app.feed.live_feed import LiveFeed
from app.market.promotions import EPOCH
from app.ops.table import Table, rounded
from app.store.db import Store
from app.store.tables import FeedPageRow, FeedRow, ListingRow, now

RECENT = timedelta(days=3)
BEFORE = timedelta(days=14)  # what is compared with where no model serves that was trained on this store
PAGES, MIN_PAGES = 300, 30  # pages that are looked at, of each time; below so few nothing is said
BINS, GROUPS, MIXED = 10, 20, 40
MOVED, A_LITTLE = 0.2, 0.1
MISSING = "none"
CODED = (*CONDITIONS[:4], " or ".join(CONDITIONS[4:]))  # conditions by their code


@dataclass(frozen=True)
class Row:
    """A seen row with what was known then."""

    item: dict[str, Any]
    page: dict[str, Any]
    scores: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class Watched:
    """Something that is written down: its name for people, its value in a row, and whether it is a number."""

    name: str
    value: Callable[[Row], Any]
    number: bool = True
    digits: int = 1


@dataclass(frozen=True)
class Sample:
    """Rows of some pages; ``page`` is the place of each row's page among them."""

    rows: list[Row]
    page: np.ndarray
    pages: int


@dataclass(frozen=True)
class Moved:
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


def watched(categories: dict[int, str]) -> tuple[Watched, ...]:
    """All that is watched, but for the photos."""
    return (
        Watched("price", lambda r: r.item["price"], digits=2),
        Watched("price within its category, tenth", lambda r: int(r.item["price_bucket"]) + 1, number=False),
        Watched(
            "category", lambda r: categories.get(int(r.item["category"]), f"no. {r.item['category']}"), number=False
        ),
        Watched("condition", lambda r: CODED[int(r.item["condition"])], number=False),
        Watched("seller", lambda r: f"seller {r.item['seller_id']}", number=False),
        Watched("one of a kind", lambda r: "single piece" if r.item["single"] else "several pieces", number=False),
        Watched("pieces left", lambda r: r.item["stock"]),
        Watched("age of the listing, hours", lambda r: r.item["item_age_h"]),
        Watched("hour of the day", lambda r: f"{int(r.page['hour']):02} h", number=False),
        Watched("clicks of the visitor before", lambda r: len(r.page["history_item"])),
        Watched("hours since the visitor's last click", lambda r: _last(r.page["history_age_h"])),
        Watched("why it was shown", lambda r: r.reason, number=False),
        Watched("predicted click rate", lambda r: r.scores.get("pctr"), digits=4),
        Watched("predicted order rate", lambda r: r.scores.get("pcvr"), digits=4),
        Watched("score", lambda r: r.scores.get("score"), digits=4),
        Watched("bid", lambda r: r.scores.get("bid"), digits=2),
    )


def drift_by_feature(store: Store, feed: LiveFeed) -> Table:
    """What has moved, the most first."""
    headers = ("what", "reads", "PSI", "by chance up to", "then", "now")
    with store.read() as session:
        first, last, against = _window(feed)
        recent = now() - RECENT
        then = _sample(session, first, min(last, recent))
        if then.pages < MIN_PAGES and against:  # trained elsewhere, or on the last days alone
            against = ""
            then = _sample(session, recent - BEFORE, recent)
        later = _sample(session, recent, now())
        categories = {category_code(c): c for c in session.scalars(select(ListingRow.category).distinct())}
    other = "the two weeks before them, since no ranking model serves that was trained on earlier days of this store"
    span = against or other
    note = f"The last {RECENT.days} days ({later.pages} pages) against {span} ({then.pages} pages)."
    if min(then.pages, later.pages) < MIN_PAGES:
        return Table(headers, (), f"{note} Below {MIN_PAGES} pages nothing is said.")
    moves = {w.name: moved(w, then, later) for w in watched(categories)}
    moves["what the photos show"] = photos_moved(then, later)
    rows = [(name, m.reads, rounded(m.psi, 3), rounded(m.chance, 3), m.then, m.now) for name, m in moves.items()]
    rows.sort(key=lambda row: -(moves[row[0]].psi - moves[row[0]].chance))
    return Table(headers, tuple(rows), f"{note} Above {MOVED} and above chance: it moved.")


def index(before: np.ndarray, after: np.ndarray) -> float:
    """Population stability index of two counts by bin; 0 for equal shares."""
    a, b = before + 0.5, after + 0.5
    a, b = a / a.sum(), b / b.sum()
    return float(((b - a) * np.log(b / a)).sum())


def moved(what: Watched, then: Sample, later: Sample) -> Moved:
    """How far one value moved."""
    values = [what.value(row) for row in (*then.rows, *later.rows)]
    of_then = len(then.rows)
    bins = _tenths(values, of_then) if what.number else _groups(values)
    psi, chance = _index(bins[:, None], then, later)
    words = _means(values, of_then, what.digits) if what.number else _shares(values, of_then)
    return Moved(psi, chance, *words)


def photos_moved(then: Sample, later: Sample) -> Moved:
    """The axis of the content vectors that moved most, with the chance of the largest of all axes."""
    vectors = np.array([row.item["content"] or [0.0] * CONTENT for row in (*then.rows, *later.rows)])
    of_then = len(then.rows)
    bins = np.column_stack([_tenths(list(axis), of_then) for axis in vectors.T])
    each = [index(np.bincount(b[:of_then], minlength=b.max() + 1), np.bincount(b[of_then:], minlength=b.max() + 1))
            for b in bins.T]  # fmt: skip
    psi, chance = _index(bins, then, later)
    axis = int(np.argmax(each))
    before, after = vectors[:of_then, axis].mean(), vectors[of_then:, axis].mean()
    return Moved(psi, chance, f"axis {axis + 1}: mean {before:.2f}", f"mean {after:.2f}")


def _index(bins: np.ndarray, then: Sample, later: Sample) -> tuple[float, float]:
    """Largest index over the columns of (rows, columns) bins, and what mixing the pages gives in 95 of 100 cases."""
    page = np.concatenate([then.page, then.pages + later.page])
    is_later = np.arange(then.pages + later.pages) >= then.pages
    size = int(bins.max()) + 1

    def largest(labels: np.ndarray) -> float:
        after = labels[page]
        return max(index(np.bincount(b[~after], minlength=size), np.bincount(b[after], minlength=size)) for b in bins.T)

    rng = np.random.default_rng(0)
    mixed = [largest(rng.permutation(is_later)) for _ in range(MIXED)]
    return largest(is_later), float(np.quantile(mixed, 0.95))


def _tenths(values: Sequence[Any], of_then: int) -> np.ndarray:
    """Bin of each value: tenths of the first ``of_then``; missing ones have a bin of their own."""
    present = np.array([v is not None for v in values])
    numbers = np.array([0.0 if v is None else float(v) for v in values])
    before = numbers[:of_then][present[:of_then]]
    if not len(before):
        return present.astype(np.int64)
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(present, 1 + np.searchsorted(edges, numbers, side="right"), 0)


def _groups(values: Sequence[Any]) -> np.ndarray:
    """Number of each value's group, by frequency; rare groups share the last one."""
    names, place, count = np.unique([str(v) for v in values], return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(names))
    return np.minimum(rank[place], GROUPS)


def _means(values: Sequence[Any], of_then: int, digits: int) -> tuple[str, str]:
    def text(part: Sequence[Any]) -> str:
        numbers = [float(v) for v in part if v is not None]
        return f"mean {np.mean(numbers):.{digits}f}" if numbers else MISSING

    return text(values[:of_then]), text(values[of_then:])


def _shares(values: Sequence[Any], of_then: int) -> tuple[str, str]:
    """Shares of the group that changed most."""
    names = [str(v) for v in values]
    before, after = names[:of_then], names[of_then:]
    change = {n: after.count(n) / len(after) - before.count(n) / len(before) for n in set(names)}
    most = max(sorted(change), key=lambda n: abs(change[n]))
    then, later = (f"{most}: {100 * part.count(most) / len(part):.0f} %" for part in (before, after))
    return then, later


def _last(ages: Sequence[float]) -> float | None:
    return ages[-1] if ages else None


def _window(feed: LiveFeed) -> tuple[datetime, datetime, str]:
    """Training window of the ranking model that serves, and in words; no words without one."""
    loaded = feed.models.get("ranking")
    if loaded is None:
        return now() - RECENT - BEFORE, now() - RECENT, ""
    first, last = (EPOCH + timedelta(days=int(day)) for day in loaded.manifest["train_days"])
    start, end = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (first, last + timedelta(days=1)))
    return start, end, f"the days that {loaded.name} was trained on, {first} to {last}"


def _sample(session: Session, first: datetime, end: datetime) -> Sample:
    """Seen rows of at most ``PAGES`` pages of a time, drawn evenly."""
    viewed = select(FeedRow.page_id).where(FeedRow.seen_at.is_not(None))
    query_pages = select(FeedPageRow.id).where(
        FeedPageRow.at >= first, FeedPageRow.at < end, FeedPageRow.id.in_(viewed)
    )
    pages = sorted(session.scalars(query_pages))
    if len(pages) > PAGES:
        pages = [pages[i] for i in sorted(np.random.default_rng(0).choice(len(pages), PAGES, replace=False))]
    place = {page: n for n, page in enumerate(pages)}
    query = (
        select(FeedRow.page_id, FeedRow.known, FeedPageRow.known, FeedRow.scores, FeedRow.reason)
        .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
        .where(FeedRow.page_id.in_(pages), FeedRow.seen_at.is_not(None))
        .order_by(FeedRow.id)
    )
    rows = session.execute(query).all()
    where = np.array([place[r[0]] for r in rows], np.int64)
    return Sample([Row(r[1], r[2], r[3], r[4]) for r in rows], where, len(pages))
