"""What is on sale, for buyers: by words, by a photo and by filters, and what there is to filter by."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, literal, or_, select

from app.market.listings import Listings, has_words, near, query_text
from app.store import listing_repo
from app.store.db import Store
from app.store.tables import ListingRow, PhotoRow
from listing.intake.photos import Photo
from listing.schema import Listing

MOST = 1_000  # matches that are put in order
MAX_CHOICES = 60  # of a filter
CHOICES_SECONDS = 5.0  # for so long what there is to filter by is remembered
ON_SALE = (ListingRow.status == "active", ListingRow.stock > 0)


@dataclass(frozen=True)
class Wish:
    """What a buyer looks for; what is empty or None does not matter. Prices are in units of the currency."""

    text: str = ""
    category: str = ""
    least: float | None = None
    most: float | None = None
    size: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Matches:
    """A part of what was found, the best first, and how many there are; ``MOST`` says how many are put in order."""

    listings: Sequence[Listing]
    count: int


@dataclass(frozen=True)
class Choices:
    """What things on sale have, the most frequent first."""

    categories: tuple[str, ...]
    sizes: tuple[str, ...]
    colours: tuple[str, ...]


class Shop:
    """Reads listings that can be bought. Every method may be called from any thread."""

    def __init__(self, store: Store, listings: Listings) -> None:
        self.store, self._listings = store, listings
        self._choices = (float("-inf"), Choices((), (), ()))

    def find(self, wish: Wish, photo: Photo | None = None, *, first: int = 0, count: int = 24) -> Matches:
        """What fits the wish, ``count`` from the place ``first`` on.

        With a photo: almost the same photo first, then what the index finds; with words: whatever has them all, the
        newest first, then what the index finds; else the newest first.
        """
        text = query_text(wish.text)
        index = self._listings.from_index(text, photo) if text or photo is not None else []
        with self.store.read() as session:
            query = _query(wish)
            if not text and photo is None:
                total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
                page = session.scalars(query.offset(first).limit(count))
                return Matches(listing_repo.to_listings(session, list(page)), total)
            alike = near(session, photo, PhotoRow.listing_id.in_(_ids(query))) if photo is not None else {}
            ways = [ListingRow.id.in_({*index, *alike}), *([has_words(text)] if text else [])]
            ids = list(session.scalars(_ids(query.where(or_(*ways))).limit(MOST)))
            worded = set(session.scalars(_ids(query.where(has_words(text))).limit(MOST))) if text else set()
            place = {listing_id: n for n, listing_id in enumerate(index)}

            def rank(listing_id: str) -> tuple[int, bool, int]:
                return alike.get(listing_id, 99), listing_id not in worded, place.get(listing_id, len(place))

            wanted = sorted(ids, key=rank)[first : first + count]
            return Matches(listing_repo.to_listings(session, listing_repo.by_ids(session, wanted)), len(ids))

    def newest(self, category: str, without: str, count: int) -> list[Listing]:
        """The newest of a category but one."""
        with self.store.read() as session:
            query = _query(Wish(category=category)).where(ListingRow.id != without)
            return listing_repo.to_listings(session, list(session.scalars(query.limit(count))))

    def choices(self) -> Choices:
        """What there is to filter by."""
        until, known = self._choices
        if time.monotonic() < until:
            return known
        with self.store.read() as session:
            rows = session.execute(select(ListingRow.category, _fact("size"), _fact("colour")).where(*ON_SALE)).all()
        categories = Counter(row[0] for row in rows)
        sizes, colours = (_counted(row[n] for row in rows) for n in (1, 2))
        known = Choices(tuple(name for name, _ in categories.most_common()), sizes, colours)
        self._choices = (time.monotonic() + CHOICES_SECONDS, known)
        return known


def _counted(values: Iterable[str | None]) -> tuple[str, ...]:
    """Single values of facts, which may hold several ("navy, white")."""
    counts = Counter(one for value in values if value for one in value.split(", "))
    return tuple(name for name, _ in counts.most_common(MAX_CHOICES))


def _fact(name: str) -> ColumnElement[str]:
    fact: ColumnElement[str] = ListingRow.attributes[name].as_string()
    return fact


def _query(wish: Wish) -> Select[ListingRow]:
    """Listings on sale that pass the filters, the newest first."""
    which: list[ColumnElement[bool]] = [*ON_SALE]
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
    return select(ListingRow).where(*which).order_by(ListingRow.published_at.desc(), ListingRow.id)


def _ids(query: Select[ListingRow]) -> Select[str]:
    return query.with_only_columns(ListingRow.id)
