"""Listings as the feed's models know them: numbers instead of names, a short content vector, a decile of the price."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.store.tables import Base, FeedItemRow, NumberRow
from recommend.cascade.catalog import Item
from recommend.cascade.logged import rounded

CONTENT = 16  # numbers of a content vector, as in the simulated world
CONDITIONS = ("new with tag", "new without tag", "very good", "good", "fair", "for parts")
UNGRADED = 3  # condition of a listing whose seller did not grade it: good
PART = 500  # rows that are looked up at once
INSERTS: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
FEW_PRICES = 10  # a category with fewer prices has no deciles of its own


def number(session: Session, kind: str, key: str) -> int:
    """The number of a listing, visitor or seller; a new one for who is not known yet."""
    query = select(NumberRow.id).where(NumberRow.kind == kind, NumberRow.key == key)
    row_id = session.scalar(query)
    if row_id is None:
        with contextlib.suppress(IntegrityError), session.begin_nested():  # another server may be faster
            session.add(NumberRow(kind=kind, key=key))
        row_id = session.scalars(query).one()
    return row_id


def _insert(session: Session, table: type[Base]) -> Any:
    """An insert that can pass over what is there."""
    return INSERTS[session.get_bind().dialect.name](table)


def numbers(session: Session, kind: str, keys: Iterable[str]) -> dict[str, int]:
    """Numbers of many at once."""
    ordered = sorted(set(keys))
    ids: dict[str, int] = {}
    for start in range(0, len(ordered), PART):
        among = NumberRow.key.in_(ordered[start : start + PART])
        rows = session.execute(select(NumberRow.key, NumberRow.id).where(NumberRow.kind == kind, among))
        ids.update((key, n) for key, n in rows)
    new = [{"kind": kind, "key": key} for key in ordered if key not in ids]
    if not new:
        return ids
    # Another server may be faster with some of them: they are there when we look again.
    session.execute(_insert(session, NumberRow).on_conflict_do_nothing(), new)
    return ids | numbers(session, kind, [row["key"] for row in new])


def still_there(session: Session, column: InstrumentedAttribute[str], keys: Sequence[str]) -> set[str]:
    """Those of the keys that rows of the store have now."""
    parts = (keys[start : start + PART] for start in range(0, len(keys), PART))
    return {key for part in parts for key in session.scalars(select(column).where(column.in_(part)))}


@dataclass(frozen=True)
class Projection:
    """Image vectors to content vectors: the main axes of the sample listings, kept in a file.

    The file is made once. Models are trained on what it gives, so that it must not change while they serve.
    """

    mean: np.ndarray  # (size,)
    axes: np.ndarray  # (size, CONTENT)

    def __call__(self, vector: Sequence[float] | None) -> np.ndarray:
        """(CONTENT,) of about unit variance; zeros without a vector or for one of another encoder."""
        if vector is None or len(vector) != len(self.mean):
            return np.zeros(CONTENT, np.float32)
        return ((np.asarray(vector, np.float32) - self.mean) @ self.axes).astype(np.float32)

    @staticmethod
    def fit(vectors: np.ndarray) -> Projection:
        """From (n, size) image vectors, n at least ``CONTENT``."""
        mean = vectors.mean(0)
        around = vectors - mean
        variances, axes = np.linalg.eigh(around.T @ around / len(vectors))  # ascending; faster than svd of the vectors
        spread = np.sqrt(np.maximum(variances[: -CONTENT - 1 : -1], 1e-12))
        return Projection(mean.astype(np.float32), (axes[:, : -CONTENT - 1 : -1] / spread).astype(np.float32))

    @staticmethod
    def load(file: Path, sample: Callable[[], np.ndarray | None]) -> Projection:
        """From the file, or fitted on ``sample`` and written there; without both, axes drawn at random."""
        from safetensors.numpy import load_file, save_file

        if file.is_file():
            return Projection(**load_file(file))
        vectors = sample()
        if vectors is None or len(vectors) < 2 * CONTENT:
            size = 1280 if vectors is None or not len(vectors) else vectors.shape[1]
            axes = np.random.default_rng(0).normal(size=(size, CONTENT)).astype(np.float32)
            return Projection(np.zeros(size, np.float32), axes)
        projection = Projection.fit(vectors)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".part")
        save_file({"mean": np.ascontiguousarray(projection.mean), "axes": np.ascontiguousarray(projection.axes)}, draft)
        draft.replace(file)
        return projection


@dataclass(frozen=True)
class Prices:
    """Sorted prices by category, and of all."""

    of: Mapping[str, np.ndarray]
    all: np.ndarray

    @staticmethod
    def read(pairs: Iterable[tuple[str, float]]) -> Prices:
        """From (category, price) of all listings."""
        prices: dict[str, list[float]] = {}
        for category, price in pairs:
            prices.setdefault(category, []).append(price)
        every = np.sort(np.array([p for of in prices.values() for p in of], np.float64))
        return Prices({c: np.sort(np.array(p)) for c, p in prices.items() if len(p) >= FEW_PRICES}, every)

    def bucket(self, category: str, price: float | None) -> int:
        """0..9: the decile of the price in its category; of all prices where the category has few; 5 without any."""
        among = self.of.get(category, self.all)
        if price is None or len(among) < FEW_PRICES:
            return 5
        return min(int(10 * np.searchsorted(among, price, side="right") / len(among)), 9)


def category_code(category: str) -> int:
    """A category's code: from its name, so that adding categories changes no other's."""
    return int.from_bytes(hashlib.sha256(category.encode()).digest()[:4], "big") >> 1


def condition_code(grade: str | None) -> int:
    """0 (new) .. 4 (worn), as in the log's schema."""
    codes = {name: min(place, 4) for place, name in enumerate(CONDITIONS)}
    return codes.get(grade or "", UNGRADED)


def milliseconds(at: datetime) -> int:
    """Milliseconds since 1970, the start of a live log."""
    return int(at.timestamp() * 1000)


def note_items(session: Session, items: Iterable[Item]) -> None:
    """Write items down as they came; of one that is known only a content vector that was missing is added."""
    by_id = {item.item_id: item for item in items}
    ids = sorted(by_id)
    insert = _insert(session, FeedItemRow)
    for start in range(0, len(ids), PART):
        part = ids[start : start + PART]
        rows = {row.item_id: row for row in session.scalars(select(FeedItemRow).where(FeedItemRow.item_id.in_(part)))}
        new = [{"item_id": i, "known": _facts(by_id[i])} for i in part if i not in rows]
        if new:  # another server may do the same at this moment
            session.execute(insert.on_conflict_do_nothing(), new)
        for item_id, row in rows.items():
            content = rounded(by_id[item_id].content)
            if any(content) and not any(row.known["content"]):
                row.known = {**row.known, "content": content}
    session.flush()


def _facts(item: Item) -> dict[str, Any]:
    names = ("seller_id", "category", "condition", "price", "price_bucket", "stock", "single", "listed_ms")
    return {**{name: getattr(item, name) for name in names}, "content": rounded(item.content)}
