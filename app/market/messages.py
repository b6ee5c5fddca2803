"""Questions about listings and their sellers' answers; reports of listings. Contact data are taken out of all of them;
questions and answers may not offer goods that are refused in listings, while a report may name them.

A question is seen by who asked it and by the seller, and by everybody once it is answered; a report by operators alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from app.editing import edits
from app.market import sellers_words
from app.store import listing_repo
from app.store.db import Store
from app.store.draft_repo import new_id
from app.store.retention import STANDING
from app.store.tables import ListingRow, MessageRow, OrderRow, now
from app.views import AppError
from listing.safety.contacts import MASK, scrub

Kind = Literal["question", "report"]
QUESTION: Kind = "question"
REPORT: Kind = "report"
LENGTH = 500
MAX_OPEN = 5  # questions of one sender about one listing that wait for an answer; reports of one sender
MAX_OF_LISTING = 100  # of each kind
MAX_LISTED = 200
NOT_THERE = "There is no such question; it may have been deleted with its listing."


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


class Messages:
    """Asking, answering, reporting."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def ask(self, sender: str, listing_id: str, text: str) -> Message:
        """Ask the seller of a public listing something; the same words again are the same question.

        Raises:
            AppError: too long, empty, refused goods, an own listing (422), too many wait already (429), no such
                listing (404).
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
            return _message(row, listing.title, out)

    def answer(self, seller: str, message_id: str, text: str) -> Message:
        """The seller's answer to a question about an own listing (else AppError 404); another one takes its place."""
        clean, out = _clean(text, "The answer", offers=True)
        with self.store.write() as session:
            row = session.get(MessageRow, message_id, with_for_update=True)
            listing = session.get(ListingRow, row.listing_id) if row is not None else None
            if row is None or listing is None or row.kind != QUESTION or listing.seller_id != seller:
                raise AppError("not_found", NOT_THERE, 404)
            row.answer, row.answered_at = clean, now()
            return _message(row, listing.title, out)

    def visible(self, listing_id: str, sender: str) -> list[Message]:
        """Questions about a listing that ``sender`` sees: answered ones and their own, the oldest first."""
        visible = or_(MessageRow.answer.is_not(None), MessageRow.sender == sender)
        with self.store.read() as session:
            return _listed(session, MessageRow.listing_id == listing_id, MessageRow.kind == QUESTION, visible)

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
    """The number of a seller's orders that stand and of questions to them without an answer."""
    orders = select(func.count()).select_from(OrderRow).where(OrderRow.seller_id == seller, *STANDING)
    open_question = (MessageRow.kind == QUESTION, MessageRow.answer.is_(None))
    of_seller = MessageRow.listing_id.in_(select(ListingRow.id).where(ListingRow.seller_id == seller))
    questions = select(func.count()).select_from(MessageRow).where(*open_question, of_seller)
    with store.read() as session:
        return (session.scalar(orders) or 0) + (session.scalar(questions) or 0)


def forget_reports(session: Session, listing_id: str) -> None:
    """An operator has decided about the listing."""
    which = (MessageRow.listing_id == listing_id, MessageRow.kind == REPORT)
    session.execute(delete(MessageRow).where(*which))


def _clean(text: str, what: str, *, offers: bool) -> tuple[str, tuple[str, ...]]:
    """The text as it is stored, and the contact data that were taken out of it.

    offers: it is somebody's offer or answer, in which refused goods may not stand.
    """
    typed = edits.clean_text(text, LENGTH, what, lines=True)
    if not typed:
        raise AppError("empty", f"{what} is empty; write it first.", 422)
    if offers:
        sellers_words.check_offered(typed)
    clean = scrub(typed)
    if not re.search(r"\w", clean.replace(MASK, "")):
        raise AppError("empty", f"{what} is contact data only, which is taken out; write what you want to say.", 422)
    return clean, tuple(sellers_words.taken_out([typed]))


def _listed(session: Session, *which: ColumnElement[bool], first: ColumnElement[bool] | None = None) -> list[Message]:
    query = select(MessageRow, ListingRow.title).join(ListingRow, ListingRow.id == MessageRow.listing_id).where(*which)
    order = (MessageRow.at, MessageRow.id) if first is None else (first, MessageRow.at, MessageRow.id)
    return [_message(row, title) for row, title in session.execute(query.order_by(*order).limit(MAX_LISTED))]


def _message(row: MessageRow, title: str, taken_out: tuple[str, ...] = ()) -> Message:
    names = ("id", "listing_id", "sender", "text", "answer", "at", "answered_at")
    return Message(**{name: getattr(row, name) for name in names}, title=title, taken_out=taken_out)
