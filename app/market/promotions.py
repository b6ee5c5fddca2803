"""The calendar of promotions: an operator declares their days, the feed knows of each moment whether one is on, and HDR
learns of the clicks of those that are over.

Days are those of the log: whole days in UTC. A promotion's number is its own and is never given again, so that a model
has never seen the number of one that is to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.editing import edits
from app.store.db import Store, alone_in
from app.store.tables import PromotionRow, now
from app.views import AppError
from recommend.cascade.request import DAY_MS, Moment

MAX_DAYS = 14
YEARS = 3  # into the past and the future
EPOCH = date(1970, 1, 1)
NONE_DECLARED = -1  # days to the next promotion when there is none
State = Literal["over", "on", "to come"]


@dataclass(frozen=True)
class Promotion:
    """Days of a promotion, both ends included; ``id`` is its number in the calendar."""

    id: int
    name: str
    first_day: date
    days: int

    @property
    def last_day(self) -> date:
        """Its last day."""
        return self.first_day + timedelta(days=self.days - 1)

    @property
    def numbers(self) -> range:
        """Its days as the log counts them."""
        first = day_number(self.first_day)
        return range(first, first + self.days)

    def state(self, today: date) -> State:
        """State on a day."""
        if today > self.last_day:
            return "over"
        return "on" if today >= self.first_day else "to come"


@dataclass(frozen=True)
class Calendar:
    """All promotions, the earliest first."""

    promotions: Sequence[Promotion] = ()

    def on(self, day: int) -> Promotion | None:
        """The promotion of a day."""
        return next((p for p in self.promotions if day in p.numbers), None)

    def moment(self, time_ms: int) -> Moment:
        """A moment with what the calendar says of it."""
        day = time_ms // DAY_MS
        here = self.on(day)
        if here is not None:
            return Moment(time_ms, here.id, 0)
        waits = [p.numbers[0] - day for p in self.promotions if p.numbers[0] > day]
        return Moment(time_ms, 0, min(waits, default=NONE_DECLARED))


class Promotions:
    """Declaring promotions and taking them back; ``changed`` is called after every change."""

    def __init__(self, store: Store, changed: Callable[[], object]) -> None:
        self.store, self._changed = store, changed

    def calendar(self) -> Calendar:
        """All that are declared."""
        return read_calendar(self.store)

    def declare(self, name: str, first_day: date, days: int) -> Promotion:
        """Put a promotion into the calendar."""
        wish = _wish(name, first_day, days)
        with self.store.write() as session:
            alone_in(session, PromotionRow)
            _refuse_overlap(session, wish)
            row = PromotionRow(name=wish.name, first_day=wish.first_day, days=wish.days)
            session.add(row)
            session.flush()
            wish = _promotion(row)
        self._changed()
        return wish

    def withdraw(self, number: int) -> Promotion:
        """Take a promotion off the calendar."""
        with self.store.write() as session:
            row = session.get(PromotionRow, number)
            if row is None:
                raise AppError("not_found", "There is no such promotion; it may have been withdrawn.", 404)
            gone = _promotion(row)
            session.delete(row)
        self._changed()
        return gone


def read_calendar(store: Store) -> Calendar:
    """The calendar as it stands in the store."""
    with store.read() as session:
        rows = session.scalars(select(PromotionRow).order_by(PromotionRow.first_day, PromotionRow.id))
        return Calendar(tuple(_promotion(row) for row in rows))


def day_number(day: date) -> int:
    """A date as the log counts days."""
    return (day - EPOCH).days


def day_of(number: int) -> date:
    """The log's day as a date."""
    return EPOCH + timedelta(days=number)


def today() -> date:
    """Today, in UTC."""
    return now().date()


def _wish(name: str, first_day: date, days: int) -> Promotion:
    name = edits.clean_text(name, 64, "The promotion's name")
    if not name:
        raise AppError("no_name", "A promotion needs a name.", 422)
    if not 1 <= days <= MAX_DAYS:
        raise AppError("bad_days", f"A promotion lasts 1 to {MAX_DAYS} days.", 422)
    if abs((first_day - today()).days) > 366 * YEARS:
        raise AppError("bad_day", f"{first_day} is more than {YEARS} years away; check the year.", 422)
    return Promotion(0, name, first_day, days)


def _refuse_overlap(session: Session, wish: Promotion) -> None:
    near = select(PromotionRow).where(
        PromotionRow.first_day <= wish.last_day, PromotionRow.first_day > wish.first_day - timedelta(days=MAX_DAYS)
    )
    for other in map(_promotion, session.scalars(near.order_by(PromotionRow.first_day))):
        if other.last_day >= wish.first_day:
            days = f"{other.first_day} to {other.last_day}"
            raise AppError("overlap", f"{other.name!r} is on {days}; a day has one promotion.", 409)


def _promotion(row: PromotionRow) -> Promotion:
    return Promotion(row.id, row.name, row.first_day, row.days)
