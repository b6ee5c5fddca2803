"""Listings on sale, for buyers: by words, by a photo, by filters and by seller, and the values to filter by."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from typing import Literal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.market.listings import Listings, near, query_text
from app.market.orders import BLOCKED, is_blocked
from app.market.search.conditions import ON_SALE, Wish, fact, of_kind, of_words, passes
from app.market.search.query import Query, understand
from app.market.search.ranking import Fit, Words, fit, ranked
from app.market.search.spelling import small_words
from app.store import full_text, listing_repo
from app.store.db import Store
from app.store.tables import ListingRow, OrderRow, PhotoRow, SellerRow
from app.views import AppError
from listing.intake.photos import Photo
from listing.schema import Listing

MOST = 600  # matches that are put in order
FROM_TEXT = 200  # of the full text
SIMILAR_WORDS = 8  # misspelt words that are looked for
MAX_CHOICES = 60  # of a filter
CHOICES_SECONDS = 30.0  # for so long what there is to filter by is remembered
NO_SELLER = "There is no such seller; they may have nothing to show, or have left."
_JUDGED = (ListingRow.id, ListingRow.category, ListingRow.title, ListingRow.description, ListingRow.attributes)
NEWEST_FIRST = (ListingRow.published_at.desc(), ListingRow.id)
Order = Literal["", "new", "low", "high"]
_ORDERS = {
    "new": NEWEST_FIRST,
    "low": (ListingRow.price.asc().nulls_last(), *NEWEST_FIRST),
    "high": (ListingRow.price.desc().nulls_last(), *NEWEST_FIRST),
}
Ranks = list[Sequence[str]]


@dataclass(frozen=True)
class Matches:
    """A part of the matches, the best first, and how many there are; ``MOST`` says how many are put in order.

    limits: what the words narrow the search to, by what can be taken off. name: what they call the thing. whole:
    whether any listing fits all of it. far: whether none fits any of it, and they are merely near in meaning.
    same_kind: the category of what stands there where nothing looks like the photo.
    """

    listings: Sequence[Listing]
    count: int
    limits: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    whole: bool = True
    same_kind: str = ""
    far: bool = False


Counts = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Choices:
    """Values of the listings on sale and how many have them, the most frequent first."""

    categories: Counts = ()
    sizes: Counts = ()
    colours: Counts = ()
    brands: Counts = ()
    conditions: Counts = ()


@dataclass(frozen=True)
class PublicSeller:
    """What everybody may know of a seller; the name is not in it, as people sign in with it.

    id: of their public page. sold: orders that they handed over. on_sale: number of listings. listings: a part of
    these, the newest first. blocked: a sentence where the reader and they cannot reach each other.
    """

    id: str
    since: datetime
    sold: int
    on_sale: int
    listings: Sequence[Listing] = ()
    blocked: str = ""


class Shop:
    """Reads listings that can be bought. Every method may be called from any thread.

    Args:
        glance: kind and main colour of what is on a photo (see ``DraftPipeline``).
    """

    def __init__(self, store: Store, listings: Listings, glance: Callable[[Photo], tuple[str, str]]) -> None:
        self.store, self._listings, self._glance = store, listings, glance
        self._choices = (float("-inf"), Choices())

    def find(
        self,
        wish: Wish,
        photo: Photo | None = None,
        *,
        first: int = 0,
        count: int = 24,
        order: Order = "",
        reader: str = "",
    ) -> Matches:
        """Listings that fit the wish and that the reader has not reported, ``count`` from the place ``first`` on.

        With a photo: almost the same photo first, then what looks like it, else the same kind of thing. With words:
        what fits all that they mean, else most of it; full text, meaning and photo in one list. Else the newest.
        """
        text = query_text(wish.text)
        if not text and photo is None:
            return self._all(passes(wish, reader=reader), first, count, order or "new")
        query = understand(text, wish.off) if text and not wish.exact else Query(words=tuple(text.split()))
        filters, spelt = passes(wish, query, reader), query.spelt or text
        in_meaning = self._listings.from_index(spelt, None) if text else []
        in_looks = self._listings.from_index("", photo) if photo is not None else []
        seen = self._glance(photo) if photo is not None else ("", "")
        with self.store.read() as session:
            ids: list[str] = []
            whole, kind, far = False, "", False
            if photo is not None:
                ids, whole, kind = self._by_photo(session, filters, photo, in_looks, seen)
            if text:
                ids, fit_all, far = self._by_words(
                    session, filters, query, spelt, [in_meaning, ids] if whole else [in_meaning]
                )
                whole, kind = whole if photo is not None else fit_all, ""
            if order and ids:
                ids = list(
                    session.scalars(select(ListingRow.id).where(ListingRow.id.in_(ids)).order_by(*_ORDERS[order]))
                )
            best = listing_repo.by_ids(session, ids[first : first + count])
            listings = listing_repo.to_listings(session, best)
        return Matches(listings, len(ids), query.limits, query.name, whole, kind, far)

    def _by_words(
        self, session: Session, filters: list[ColumnElement[bool]], query: Query, spelt: str, lists: Ranks
    ) -> tuple[list[str], bool, bool]:
        """Ids in their order, whether they fit all of the words, or none. lists: what was found by meaning or looks."""
        words = [word for word in spelt.lower().split() if word not in small_words()]
        texts = full_text.best_texts(session, words, filters, FROM_TEXT)
        lists = [texts, *lists]
        if not (query.kinds or query.facts or texts):
            lists += [
                full_text.similar_texts(session, word, filters, FROM_TEXT)
                for word in list(dict.fromkeys(query.words))[:SIMILAR_WORDS]
            ]
        named = bool(query.kinds)
        fits = _fits(session, query, filters, lists)
        order, whole = ranked(fits, lists, named=named)
        if not whole and named:
            fits |= _judged(session, query, [*filters, of_kind(query)])
            order, whole = ranked(fits, lists, named=named)
        literally = self._literally(session, query, filters)
        whole = whole or bool(literally)
        far = not (whole or any(fits[i].parts > 0 or (named and fits[i].closeness > 0) for i in order))
        if far:
            lists.append(self._listings.nearest(spelt))
            order, _ = ranked(_fits(session, query, filters, lists), lists, named=named)
        return list(dict.fromkeys([*literally, *order])), whole, far

    @staticmethod
    def _literally(session: Session, query: Query, filters: list[ColumnElement[bool]]) -> list[str]:
        """Ids of what is called as it was typed, where the words were read as others: a name may look like a slip."""
        literal = query.literal
        if literal is None:
            return []
        texts = full_text.best_texts(session, literal.words, filters, FROM_TEXT)
        fits = _judged(session, literal, [*filters, ListingRow.id.in_(texts)])
        return [i for i in texts if i in fits and fits[i].whole]

    def _by_photo(
        self,
        session: Session,
        filters: list[ColumnElement[bool]],
        photo: Photo,
        in_looks: list[str],
        seen: tuple[str, str],
    ) -> tuple[list[str], bool, str]:
        """Ids in their order, whether they look like it, and the category of things of the same kind instead.

        seen: kind and main colour of what is on the photo. Its colour comes first, then what looks most like it.
        """
        on_sale, (kind, colour) = select(ListingRow.id).where(*filters), seen
        alike = near(session, photo, PhotoRow.listing_id.in_(on_sale))
        rows = on_sale.with_only_columns(ListingRow.id, ListingRow.category)
        category = dict(session.execute(rows.where(ListingRow.id.in_([*in_looks, *alike]))).all())
        place = {i: n for n, i in enumerate(in_looks)}
        looks = sorted(category, key=lambda i: (alike.get(i, inf), category[i] != kind, place.get(i, 0), i))
        if looks:
            return looks, True, ""
        same = rows.with_only_columns(ListingRow.id, fact("colour")).where(ListingRow.category == kind)
        colours = dict(session.execute(same.order_by(*NEWEST_FIRST).limit(MOST)).all())
        by_looks = self._listings.by_looks(photo, list(colours)) if colours else []
        in_order = sorted(by_looks, key=lambda i: (colours[i] or "").split(", ")[0] != colour)
        return in_order, False, kind if in_order else ""

    def _all(self, filters: list[ColumnElement[bool]], first: int, count: int, order: Order) -> Matches:
        with self.store.read() as session:
            rows = select(ListingRow).where(*filters)
            total = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
            page = session.scalars(rows.order_by(*_ORDERS[order]).offset(first).limit(count))
            return Matches(listing_repo.to_listings(session, list(page)), total)

    def newest(self, category: str, without: str, count: int, reader: str = "") -> list[Listing]:
        """The newest of a category but one, and but what the reader has reported."""
        with self.store.read() as session:
            rows = select(ListingRow).where(*passes(Wish(category=category), reader=reader), ListingRow.id != without)
            return listing_repo.to_listings(session, list(session.scalars(rows.order_by(*NEWEST_FIRST).limit(count))))

    def seller_of(self, seller_id: str) -> PublicSeller | None:
        """What everybody may know of the seller of a listing; None once they are gone."""
        with self.store.read() as session:
            row = session.get(SellerRow, seller_id)
            return _public(session, row) if row is not None else None

    def seller(self, public_id: str, reader: str, *, first: int = 0, count: int = 24) -> PublicSeller:
        """A seller with ``count`` of what they have on sale. AppError 404: nobody, or nothing of theirs is public."""
        with self.store.read() as session:
            row = session.scalar(select(SellerRow).where(SellerRow.public_id == public_id))
            public = (ListingRow.seller_id == row.id, ListingRow.status.in_(listing_repo.PUBLIC)) if row else ()
            if row is None or session.scalar(select(ListingRow.id).where(*public).limit(1)) is None:
                raise AppError("not_found", NO_SELLER, 404)
            theirs = select(ListingRow).where(ListingRow.seller_id == row.id, *passes(Wish(), reader=reader))
            theirs = theirs.order_by(*NEWEST_FIRST)
            listings = listing_repo.to_listings(session, list(session.scalars(theirs.offset(first).limit(count))))
            blocked = BLOCKED if is_blocked(session, reader, row.id) else ""
            return replace(_public(session, row), listings=listings, blocked=blocked)

    def choices(self) -> Choices:
        """Values to filter by."""
        until, choices = self._choices
        if time.monotonic() < until:
            return choices
        names = ("size", "colour", "brand", "condition_grade")
        with self.store.read() as session:
            rows = session.execute(select(ListingRow.category, *map(fact, names)).where(*ON_SALE)).all()
        sizes, colours, brands, conditions = (_counted(row[n] for row in rows) for n in range(1, 5))
        categories = Counter(row[0] for row in rows).most_common()
        choices = Choices(categories, sizes, colours, brands, conditions)
        self._choices = (time.monotonic() + CHOICES_SECONDS, choices)
        return choices


def _counted(values: Iterable[str | None]) -> Counts:
    """Single values of facts, which may hold several ("navy, white")."""
    return Counter(one for value in values if value for one in value.split(", ")).most_common(MAX_CHOICES)


def _fits(session: Session, query: Query, filters: list[ColumnElement[bool]], lists: Ranks) -> dict[str, Fit]:
    """Fit of what is in the lists, and of the newest that are of the kind and as the words say."""
    fits = _judged(session, query, [*filters, ListingRow.id.in_({i for ids in lists for i in ids})])
    if query.kinds or query.limits:
        fits |= _judged(session, query, [*filters, *of_words(query)])
    return fits


def _public(session: Session, row: SellerRow) -> PublicSeller:
    handed_over = (OrderRow.completed_at.is_not(None), OrderRow.refunded_at.is_(None))
    sold = select(func.count()).select_from(OrderRow).where(OrderRow.seller_id == row.id, *handed_over)
    on_sale = select(func.count()).select_from(ListingRow).where(ListingRow.seller_id == row.id, *ON_SALE)
    return PublicSeller(row.public_id or "", row.created_at, session.scalar(sold) or 0, session.scalar(on_sale) or 0)


def _judged(session: Session, query: Query, which: Sequence[ColumnElement[bool]]) -> dict[str, Fit]:
    newest = session.execute(select(*_JUDGED).where(*which).order_by(*NEWEST_FIRST).limit(MOST))
    return {i: fit(query, Words(category, title, text, facts)) for i, category, title, text, facts in newest}
