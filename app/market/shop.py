"""Listings on sale, for buyers: by words, by a photo and by filters, and the values to filter by."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select, true
from sqlalchemy.orm import Session

from app.market.listings import Listings, has_words, near, query_text
from app.market.query import Fit, Query, Words, fit, understand
from app.store import listing_repo
from app.store.db import Store
from app.store.tables import ListingRow, PhotoRow
from listing.intake.photos import Photo
from listing.schema import Listing

MOST = 1_000  # matches that are put in order
MAX_WORDS = 12  # that are looked for one by one
MAX_CHOICES = 60  # of a filter
CHOICES_SECONDS = 5.0  # for so long what there is to filter by is remembered
_JUDGED = (ListingRow.id, ListingRow.category, ListingRow.title, ListingRow.description, ListingRow.attributes)
NEWEST_FIRST = (ListingRow.published_at.desc(), ListingRow.id)
ON_SALE = (ListingRow.status == "active", ListingRow.stock > 0)


@dataclass(frozen=True)
class Wish:
    """A buyer's search; what is empty or None does not matter. Prices are in units of the currency."""

    text: str = ""
    category: str = ""
    least: float | None = None
    most: float | None = None
    size: str = ""
    colour: str = ""
    exact: bool = False  # the words as they are typed, whatever they mean


@dataclass(frozen=True)
class Matches:
    """A part of the matches, the best first, and how many there are; ``MOST`` says how many are put in order.

    summary: what the words were understood to mean. whole: whether any listing fits all of it.
    """

    listings: Sequence[Listing]
    count: int
    summary: Sequence[str] = ()
    whole: bool = True


@dataclass(frozen=True)
class Choices:
    """Values of the listings on sale, the most frequent first."""

    categories: tuple[str, ...]
    sizes: tuple[str, ...]
    colours: tuple[str, ...]


class Shop:
    """Reads listings that can be bought. Every method may be called from any thread."""

    def __init__(self, store: Store, listings: Listings) -> None:
        self.store, self._listings = store, listings
        self._choices = (float("-inf"), Choices((), (), ()))

    def find(self, wish: Wish, photo: Photo | None = None, *, first: int = 0, count: int = 24) -> Matches:
        """Listings that fit the wish, ``count`` from the place ``first`` on.

        With a photo: almost the same photo first, then what the index finds. With words: what fits all that they mean
        first, then what fits most of it. Else the newest first.
        """
        text = query_text(wish.text)
        if not text and photo is None:
            return self._newest(wish, first, count)
        query = understand(text) if text and not wish.exact else Query(words=tuple(text.split()))
        index = {listing_id: n for n, listing_id in enumerate(self._listings.from_index(query.spelt or text, photo))}
        with self.store.read() as session:
            rows = _query(wish, query.most)
            alike = near(session, photo, PhotoRow.listing_id.in_(_ids(rows))) if photo is not None else {}
            sure = [ListingRow.id.in_({*index, *alike}), *([has_words(text)] if text else [])]
            scores = _scores(session, rows, query, sure, index)
            order = sorted(scores, key=lambda i: (alike.get(i, 99), not scores[i].whole, -scores[i].total))
            whole = [i for i in order if scores[i].whole] if photo is None else []
            if photo is None:
                order = whole or [i for i in order if scores[i].total > 0]
            best = listing_repo.by_ids(session, order[first : first + count])
            listings = listing_repo.to_listings(session, best)
        return Matches(listings, len(order), summary=query.summary, whole=bool(whole) or not text)

    def _newest(self, wish: Wish, first: int, count: int) -> Matches:
        with self.store.read() as session:
            rows = _query(wish)
            total = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
            page = session.scalars(rows.offset(first).limit(count))
            return Matches(listing_repo.to_listings(session, list(page)), total)

    def newest(self, category: str, without: str, count: int) -> list[Listing]:
        """The newest of a category but one."""
        with self.store.read() as session:
            query = _query(Wish(category=category)).where(ListingRow.id != without)
            return listing_repo.to_listings(session, list(session.scalars(query.limit(count))))

    def choices(self) -> Choices:
        """Values to filter by."""
        until, choices = self._choices
        if time.monotonic() < until:
            return choices
        with self.store.read() as session:
            rows = session.execute(select(ListingRow.category, _fact("size"), _fact("colour")).where(*ON_SALE)).all()
        categories = Counter(row[0] for row in rows)
        sizes, colours = (_counted(row[n] for row in rows) for n in (1, 2))
        choices = Choices(tuple(name for name, _ in categories.most_common()), sizes, colours)
        self._choices = (time.monotonic() + CHOICES_SECONDS, choices)
        return choices


def _counted(values: Iterable[str | None]) -> tuple[str, ...]:
    """Single values of facts, which may hold several ("navy, white")."""
    counts = Counter(one for value in values if value for one in value.split(", "))
    return tuple(name for name, _ in counts.most_common(MAX_CHOICES))


def _fact(name: str) -> ColumnElement[str]:
    fact: ColumnElement[str] = ListingRow.attributes[name].as_string()
    return fact


def _scores(
    session: Session, rows: Select[ListingRow], query: Query, sure: list[ColumnElement[bool]], index: Mapping[str, int]
) -> dict[str, Fit]:
    """Fit of the newest candidates, those of ``sure`` among them. ``index``: places in its hits."""
    matching = rows.with_only_columns(*_JUDGED).where(or_(*sure, *_ways(query)))
    sure_first = case((or_(*sure), 0), else_=1)
    candidates = session.execute(matching.order_by(None).order_by(sure_first, *NEWEST_FIRST).limit(MOST))
    return {i: fit(query, Words(*row), index.get(i)) for i, *row in candidates}


def _ways(query: Query) -> list[ColumnElement[bool]]:
    """Further conditions for candidates: of the kind, or with one of the words."""
    if query.is_limits_alone:
        return [true()]
    words = [] if query.kinds else [*query.words, *query.stated.values()][:MAX_WORDS]
    of_kind: list[ColumnElement[bool]] = [ListingRow.category.in_(query.kinds)] if query.kinds else []
    return [*of_kind, *map(has_words, words), *([has_words(query.name)] if query.name else [])]


def _query(wish: Wish, most: float | None = None) -> Select[ListingRow]:
    """Listings on sale that pass the filters, the newest first."""
    which: list[ColumnElement[bool]] = [*ON_SALE]
    if most is not None:
        which.append(ListingRow.price <= most)
    if wish.category:
        which.append(ListingRow.category == wish.category)
    if wish.least is not None:
        which.append(ListingRow.price >= wish.least)
    if wish.most is not None:
        which.append(ListingRow.price <= wish.most)
    for name, value in (("size", wish.size), ("colour", wish.colour)):
        if value:
            all_of_it = literal(", ") + _fact(name) + ", "
            which.append(all_of_it.icontains(f", {value}, ", autoescape=True))
    return select(ListingRow).where(*which).order_by(*NEWEST_FIRST)


def _ids(query: Select[ListingRow]) -> Select[str]:
    return query.with_only_columns(ListingRow.id)
