"""A buyer's wish, and its conditions on listings as the database understands them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, literal, or_, true

from app.market.search.query import GRADE, Query
from app.market.search.ranking import BESIDE
from app.store import listing_repo
from app.store.tables import ListingRow

ON_SALE = (ListingRow.status == "active", ListingRow.stock > 0)


@dataclass(frozen=True)
class Wish:
    """A buyer's search; what is empty or None does not matter. Prices are in units of the currency.

    exact: the words as they are typed, whatever they mean. off: readings of the words that were taken off.
    """

    text: str = ""
    category: str = ""
    least: float | None = None
    most: float | None = None
    size: str = ""
    colour: str = ""
    brand: str = ""
    condition: str = ""
    exact: bool = False
    off: frozenset[str] = frozenset()


def fact(name: str) -> ColumnElement[str]:
    """A fact of a listing as text; NULL where it says nothing of it."""
    value: ColumnElement[str] = ListingRow.attributes[name].as_string()
    return value


def passes(wish: Wish, query: Query | None = None, reader: str = "") -> list[ColumnElement[bool]]:
    """Listings on sale that pass the filters, the prices that the words name, and what they bar.

    None that the reader has reported.
    """
    query = query or Query()
    which: list[ColumnElement[bool]] = [*ON_SALE, ListingRow.id.not_in(listing_repo.reported_by(reader))]
    which += [ListingRow.price <= most for most in (wish.most, query.most) if most is not None]
    which += [ListingRow.price >= least for least in (wish.least, query.least) if least is not None]
    which += [~_says(phrase.removesuffix("s"), meaning) for phrase, meaning in query.barred.items()]
    if wish.category:
        which.append(ListingRow.category == wish.category)
    chosen = {"size": wish.size, "colour": wish.colour, "brand": wish.brand, GRADE: wish.condition}
    return which + [_is_one_of(name, [value]) for name, value in chosen.items() if value]


def of_words(query: Query) -> list[ColumnElement[bool]]:
    """Of the kind, and of each fact what the words say, or nothing but the title does."""
    which = [of_kind(query)]
    for name, values in query.facts.items():
        which.append(_says(query.stated[name], {name: values}))
    if query.size:
        size = literal(" ") + func.replace(func.upper(fact("size")), "/", " ") + " "
        which.append(or_(*(size.contains(f" {one} ", autoescape=True) for one in query.sizes)))
    return which


def of_kind(query: Query) -> ColumnElement[bool]:
    """Of a category that is called so, or called so in the title."""
    if not query.kinds:
        return true()
    return or_(ListingRow.category.in_(query.kinds), ListingRow.title.icontains(query.name, autoescape=True))


def _says(phrase: str, meaning: Mapping[str, Collection[str]]) -> ColumnElement[bool]:
    """Whether a fact, or one beside it, has a value of what the phrase means, or the title has the phrase."""
    facts = ((one, values) for name, values in meaning.items() for one in (name, *BESIDE.get(name, ())))
    told = (_is_one_of(one, values) for one, values in facts)
    return or_(ListingRow.title.icontains(phrase, autoescape=True), *told)


def _is_one_of(name: str, values: Collection[str]) -> ColumnElement[bool]:
    """Whether a fact, which may hold several values ("navy, white"), has one of these."""
    all_of_it = literal(", ") + fact(name) + ", "
    return and_(
        fact(name).is_not(None), or_(*(all_of_it.icontains(f", {value}, ", autoescape=True) for value in values))
    )
