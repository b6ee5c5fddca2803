"""Questions about listings and their sellers' answers; what buyer and seller of an order write to each other; reports.
Contact data are taken out of all of them, of what is written about an order all but streets; none but a report may
name goods that are refused in listings.

A question is seen by who asked it and by the seller, and by everybody once it is answered; a report by operators alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.accounts.sellers import check_there
from app.editing import edits
from app.market import sellers_words
from app.market.notices import Notices
from app.market.orders import EVENT, STAYS, Role, check_blocked, is_blocked, order_of
from app.store import listing_repo
from app.store.db import Store, count_of
from app.store.draft_repo import new_id
from app.store.retention import STANDING
from app.store.tables import BlockRow, ListingRow, MessageRow, OrderRow, now
from app.views import AppError
from listing.safety.contacts import MASK, scrub

Kind = Literal["question", "report"]
QUESTION: Kind = "question"
REPORT: Kind = "report"
MESSAGE: Literal["message"] = "message"
SALE = (MESSAGE, EVENT)  # the kinds of a conversation's lines
LENGTH = 500
MAX_OPEN = 5  # questions of one sender about one listing that wait for an answer; reports of one sender
MAX_OF_LISTING = 100  # of each kind
MAX_UNREAD = 20  # messages of one side that the other has not read
MAX_LISTED = 200
NOT_THERE = "There is no such question; it may have been deleted with its listing."
GONE = "The listing of this order was deleted, and what was written about it with it."


@dataclass(frozen=True)
class Message:
    """A question with its answer, or a report. ``taken_out``: contact data that were in it when it was sent."""

    id: str
    listing_id: str
    title: str
    sender: str
    text: str
    answer: str | None
    at: datetime
    answered_at: datetime | None
    taken_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A message of one side of an order, or an event: ``completed``, ``cancelled`` or ``refunded`` by that side.

    new: who reads it now had not read it before. taken_out: contact data that were in it when it was sent.
    """

    id: str
    kind: Literal["message", "event"]
    sender: Role
    text: str
    at: datetime
    new: bool = False
    taken_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """What buyer and seller of an order wrote and did, the oldest first, at most the last ``MAX_LISTED`` lines.

    blocked: one of them has blocked the other. blocked_by_me: the reader has.
    """

    messages: list[Line]
    blocked: bool
    blocked_by_me: bool


class Messages:
    """Asking, answering, writing to the other side of an order, reporting and blocking."""

    def __init__(self, store: Store, notices: Notices) -> None:
        self.store, self.notices = store, notices

    def ask(self, sender: str, listing_id: str, text: str) -> Message:
        """Ask the seller of a public listing something; the same words again are the same question.

        Raises:
            AppError: too long, empty, refused goods, an own listing (422), too many wait already (429), no such
                listing (404), one of both has blocked the other (403).
        """
        return self._send(QUESTION, sender, listing_id, text, "The question")

    def report(self, sender: str, listing_id: str, text: str) -> Message:
        """Tell the operators what is wrong with a public listing; raises AppError as ``ask`` does."""
        return self._send(REPORT, sender, listing_id, text, "The report")

    def _send(self, kind: Kind, sender: str, listing_id: str, text: str, what: str) -> Message:
        clean, out = _clean(text, what, offers=kind == QUESTION)
        with self.store.write() as session:
            listing = session.get(ListingRow, listing_id, with_for_update=True)
            if listing is None or listing.status not in listing_repo.PUBLIC:
                raise AppError("not_found", listing_repo.NOT_THERE, 404)
            if listing.seller_id == sender:
                raise AppError("own", "This is your own listing.", 422)
            check_there(session, sender)
            if kind == QUESTION:
                check_blocked(session, sender, listing.seller_id)
            here = (MessageRow.listing_id == listing_id, MessageRow.kind == kind)
            earlier = select(MessageRow).where(*here, MessageRow.sender == sender, MessageRow.answer.is_(None))
            waiting = list(session.scalars(earlier))
            row = next((same for same in waiting if same.text == clean), None)
            if row is None:
                count = session.scalar(select(func.count()).select_from(MessageRow).where(*here)) or 0
                if len(waiting) >= MAX_OPEN or count >= MAX_OF_LISTING:
                    raise AppError("too_many", "There are many of these already; wait for an answer first.", 429)
                row = MessageRow(id=new_id(), listing_id=listing_id, sender=sender, kind=kind, text=clean, at=now())
                session.add(row)
                if kind == QUESTION:
                    self.notices.add(session, "question", listing.seller_id, listing_id)
            return _message(row, listing.title, out)

    def answer(self, seller: str, message_id: str, text: str) -> Message:
        """The seller's answer to a question about an own listing (else AppError 404); another one takes its place.

        Everybody can read it; where one of both has blocked the other, it is no news to who asked.
        """
        clean, out = _clean(text, "The answer", offers=True)
        with self.store.write() as session:
            row = session.get(MessageRow, message_id, with_for_update=True)
            listing = session.get(ListingRow, row.listing_id) if row is not None else None
            if row is None or listing is None or row.kind != QUESTION or listing.seller_id != seller:
                raise AppError("not_found", NOT_THERE, 404)
            at = now()
            if is_blocked(session, seller, row.sender):
                row.read_at = at
            elif clean != row.answer:
                self.notices.add(session, "answer", row.sender, listing.id)
                row.read_at = None
            row.answer, row.answered_at = clean, at
            return _message(row, listing.title, out)

    def visible(self, listing_id: str, sender: str) -> list[Message]:
        """Questions about a listing that ``sender`` sees: answered ones and their own, the oldest first."""
        visible = or_(MessageRow.answer.is_not(None), MessageRow.sender == sender)
        with self.store.read() as session:
            return _listed(session, MessageRow.listing_id == listing_id, MessageRow.kind == QUESTION, visible)

    def read_answers(self, sender: str, listing_id: str) -> None:
        """The sender of questions about a listing has seen the answers."""
        self._read(MessageRow.listing_id == listing_id, *_new_answers(sender))

    def write(self, who: str, order_id: str, text: str) -> Line:
        """A message to the other side of an order; the same words again, with none between, are the same message.

        Raises:
            AppError: too long, empty, refused goods (422), blocked (403), many are not read yet (429), no such order of
                theirs, or its listing is gone (404).
        """
        clean, out = _clean(text, "The message", offers=True, private=True)
        with self.store.write() as session:
            order = _with_listing(session, who, order_id)
            check_blocked(session, order.buyer, order.seller_id or "")
            lines = _lines(session, order)
            if lines and (lines[-1].text, lines[-1].kind, lines[-1].sender) == (clean, MESSAGE, who):
                return _line(lines[-1], order, who, out)
            if sum(line.sender == who and line.read_at is None for line in lines) >= MAX_UNREAD:
                raise AppError("too_many", "The other side has not read your last messages yet; wait for it.", 429)
            row = MessageRow(id=new_id(), sender=who, kind=MESSAGE, text=clean, at=now(), **_place(order))
            session.add(row)
            other = order.seller_id if order.buyer == who else order.buyer
            self.notices.add(session, "message", other, order.listing_id, order.id)
            return _line(row, order, who, out)

    def conversation(self, who: str, order_id: str, *, read: bool = True) -> Conversation:
        """What both sides of an order wrote and did, as one of them sees it. ``read``: from now on it is not new."""
        with self.store.read() as session:
            order = order_of(session, who, order_id)
            lines = [_line(row, order, who) for row in _lines(session, order)]
            pair = (order.buyer, order.seller_id)
            which = (BlockRow.blocker.in_(pair), BlockRow.blocked.in_(pair))
            blockers = set(session.scalars(select(BlockRow.blocker).where(*which)))
        new = [line.id for line in lines if line.new]
        if read and new:
            self._read(MessageRow.id.in_(new))
        return Conversation(lines, bool(blockers), who in blockers)

    def report_order(self, who: str, order_id: str, text: str) -> None:
        """Tell the operators what is wrong with the other side of an order; its last message is quoted."""
        clean, _ = _clean(text, "The report", offers=False)
        with self.store.write() as session:
            order = _with_listing(session, who, order_id)
            about = "seller" if order.buyer == who else "buyer"
            theirs = [row.text for row in _lines(session, order) if row.sender != who and row.kind == MESSAGE]
            words = f"About the {about}: {clean}" + (f" Their last message: “{theirs[-1]}”" if theirs else "")
            which = (MessageRow.order_id == order.id, MessageRow.kind == REPORT, MessageRow.sender == who)
            earlier = list(session.scalars(select(MessageRow.text).where(*which)))
            if words in earlier:
                return
            if len(earlier) >= MAX_OPEN:
                raise AppError("too_many", "There are many of these already; wait for an answer first.", 429)
            session.add(MessageRow(id=new_id(), sender=who, kind=REPORT, text=words, at=now(), **_place(order)))

    def block(self, who: str, order_id: str, blocked: bool) -> None:
        """Whether ``who`` wants no message, question or order of the other side of an order any more."""
        with self.store.write() as session:
            order = order_of(session, who, order_id, lock=True)
            other = order.seller_id if order.buyer == who else order.buyer
            row = session.get(BlockRow, (who, other))
            if blocked and row is None and other is not None:
                session.add(BlockRow(blocker=who, blocked=other))
            elif not blocked and row is not None:
                session.delete(row)

    def unread(self, who: str) -> dict[str, int]:
        """By order of theirs how many lines of its conversation ``who`` has not read."""
        query = select(MessageRow.order_id, func.count()).where(*_new_lines(who, OrderRow.buyer, OrderRow.seller_id))
        with self.store.read() as session:
            return {order: count for order, count in session.execute(query.group_by(MessageRow.order_id)) if order}

    def _read(self, *which: ColumnElement[bool]) -> None:
        """They are not new any more; nothing is written where they were not."""
        query = select(MessageRow.id).where(MessageRow.read_at.is_(None), *which)
        with self.store.read() as session:
            ids = list(session.scalars(query))
        if ids:
            with self.store.write() as session:
                session.execute(update(MessageRow).where(MessageRow.id.in_(ids)).values(read_at=now()))

    def of_listings(self, listing_ids: Collection[str]) -> dict[str, list[Message]]:
        """Questions about these listings, for their seller: by listing, those without an answer first."""
        with self.store.read() as session:
            of_these = MessageRow.listing_id.in_(listing_ids)
            listed = _listed(session, of_these, MessageRow.kind == QUESTION, first=MessageRow.answer.is_not(None))
        by_listing: dict[str, list[Message]] = {}
        for message in listed:
            by_listing.setdefault(message.listing_id, []).append(message)
        return by_listing

    def reports(self) -> list[Message]:
        """Reports, the oldest first; for operators."""
        with self.store.read() as session:
            return _listed(session, MessageRow.kind == REPORT)


def count_news(store: Store, seller: str) -> int:
    """The number of a seller's orders that stand, of questions without an answer, and of news of their orders."""
    orders = select(func.count()).select_from(OrderRow).where(OrderRow.seller_id == seller, *STANDING)
    open_question = (MessageRow.kind == QUESTION, MessageRow.answer.is_(None))
    of_seller = MessageRow.listing_id.in_(select(ListingRow.id).where(ListingRow.seller_id == seller))
    return _count(store, orders, _number(*open_question, of_seller), _number(*_new_lines(seller, OrderRow.seller_id)))


def count_buyers_news(store: Store, buyer: str) -> int:
    """The number of new answers to a buyer's questions, and of news of what they ordered."""
    return _count(store, _number(*_new_answers(buyer)), _number(*_new_lines(buyer, OrderRow.buyer)))


def _count(store: Store, *queries: Select[int]) -> int:
    with store.read() as session:
        return sum(session.scalar(query) or 0 for query in queries)


def _number(*which: ColumnElement[bool]) -> Select[int]:
    return select(func.count()).select_from(MessageRow).where(*which)


def _new_lines(who: str, *sides: InstrumentedAttribute[Any]) -> tuple[ColumnElement[bool], ...]:
    """Lines that others wrote in orders of which ``who`` is one of these sides, and that were not read."""
    orders = select(OrderRow.id).where(or_(*(side == who for side in sides)))
    unread = MessageRow.read_at.is_(None)
    return MessageRow.order_id.in_(orders), MessageRow.kind.in_(SALE), MessageRow.sender != who, unread


def _new_answers(sender: str) -> tuple[ColumnElement[bool], ...]:
    answered = MessageRow.answer.is_not(None)
    return MessageRow.kind == QUESTION, MessageRow.sender == sender, answered, MessageRow.read_at.is_(None)


def _with_listing(session: Session, who: str, order_id: str) -> OrderRow:
    """An order of theirs, locked, whose listing is there: a conversation goes with it. Else AppError 404."""
    order = order_of(session, who, order_id, lock=True)
    if session.get(ListingRow, order.listing_id, with_for_update=STAYS) is None:
        raise AppError("not_found", GONE, 404)
    return order


def _lines(session: Session, order: OrderRow) -> list[MessageRow]:
    """The latest lines about an order, the oldest first."""
    query = select(MessageRow).where(MessageRow.order_id == order.id, MessageRow.kind.in_(SALE))
    latest = session.scalars(query.order_by(MessageRow.at.desc(), MessageRow.id).limit(MAX_LISTED))
    return list(latest)[::-1]


def _place(order: OrderRow) -> dict[str, str]:
    return {"listing_id": order.listing_id, "order_id": order.id}


def _line(row: MessageRow, order: OrderRow, who: str, taken_out: tuple[str, ...] = ()) -> Line:
    sender: Role = "buyer" if row.sender == order.buyer else "seller"
    new = row.sender != who and row.read_at is None
    kind: Literal["message", "event"] = MESSAGE if row.kind == MESSAGE else "event"
    return Line(row.id, kind, sender, row.text, row.at, new, taken_out)


def forget_reports(session: Session, listing_id: str, until: datetime | None = None) -> int:
    """An operator has decided about the listing, or about its reports ``until`` a time; returns how many went.

    Their words go; who has reported a listing does not see it again.
    """
    which = [MessageRow.listing_id == listing_id, MessageRow.kind == REPORT]
    which += [MessageRow.at <= until] if until is not None else []
    return count_of(session, update(MessageRow).where(*which).values(kind=listing_repo.DEALT_WITH, text=""))


def _clean(text: str, what: str, *, offers: bool, private: bool = False) -> tuple[str, tuple[str, ...]]:
    """The text as it is stored, and the contact data that were taken out of it.

    offers: refused goods may not stand in it. private: it is about a sale, so that streets pass.
    """
    typed = edits.clean_text(text, LENGTH, what, lines=True)
    if not typed:
        raise AppError("empty", f"{what} is empty; write it first.", 422)
    if offers:
        sellers_words.check_offered(typed, private=private)
    clean, out = sellers_words.scrub_sale(typed) if private else (scrub(typed), sellers_words.taken_out([typed]))
    if not re.search(r"\w", clean.replace(MASK, "")):
        raise AppError("empty", f"{what} is contact data only, which is taken out; write what you want to say.", 422)
    return clean, tuple(out)


def _listed(session: Session, *which: ColumnElement[bool], first: ColumnElement[bool] | None = None) -> list[Message]:
    query = select(MessageRow, ListingRow.title).join(ListingRow, ListingRow.id == MessageRow.listing_id).where(*which)
    order = (MessageRow.at, MessageRow.id) if first is None else (first, MessageRow.at, MessageRow.id)
    return [_message(row, title) for row, title in session.execute(query.order_by(*order).limit(MAX_LISTED))]


def _message(row: MessageRow, title: str, taken_out: tuple[str, ...] = ()) -> Message:
    names = ("id", "listing_id", "sender", "text", "answer", "at", "answered_at")
    return Message(**{name: getattr(row, name) for name in names}, title=title, taken_out=taken_out)
