"""Listings whose words need a person: they are in nobody's view but their seller's until an operator approves them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.editing import edits
from app.market.messages import forget_reports
from app.market.orders import ON_SALE
from app.store import listing_repo
from app.store.db import Store
from app.store.outbox import Outbox
from app.store.tables import ListingRow, PhotoRow, ReviewRow, now
from app.views import AppError, Changed
from listing.safety.prohibited_goods import GoodsVerdict, load_groups
from listing.schema import Listing

REVIEW, REFUSED = "review", "refused"
HELD = (REVIEW, REFUSED)
REPORT = GoodsVerdict(listing_repo.REPORTED, "reported by somebody", "", "review")
REASON_LENGTH = 300
MAX_QUEUE = 500
NOT_WAITING = "There is no such listing in the queue; it may have been decided, changed or deleted."


@dataclass(frozen=True)
class WaitingListing:
    """A listing in the queue: what an operator decides by. ``version``: the listing's; ``name``: the policy group's."""

    listing_id: str
    version: int
    seller_id: str
    category: str
    title: str
    description: str
    attributes: dict[str, str]
    photos: int
    code: str
    name: str
    words: tuple[str, ...]
    at: datetime


class Reviews:
    """The queue of listings that wait for a person, and what is decided about them."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self.store, self.outbox = store, outbox

    def waiting(self) -> list[WaitingListing]:
        """The queue, the longest waiting first."""
        with self.store.read() as session:
            query = (
                select(ListingRow, ReviewRow)
                .join(ReviewRow, ReviewRow.listing_id == ListingRow.id)
                .where(ListingRow.status == REVIEW)
                .order_by(ReviewRow.at, ListingRow.id)
                .limit(MAX_QUEUE)
            )
            rows = session.execute(query).all()
            ids = [row.id for row, _ in rows]
            counted = select(PhotoRow.listing_id, func.count()).where(PhotoRow.listing_id.in_(ids))
            photos = {row[0]: row[1] for row in session.execute(counted.group_by(PhotoRow.listing_id))}
            return [_waiting(row, review, photos.get(row.id, 0)) for row, review in rows]

    def one(self, listing_id: str) -> tuple[Listing, WaitingListing | None]:
        """A listing that an operator looks at, and what it waits for, if it does. AppError 404: it is gone."""
        with self.store.read() as session:
            row, review = session.get(ListingRow, listing_id), session.get(ReviewRow, listing_id)
            if row is None:
                raise AppError("not_found", listing_repo.NOT_THERE, 404)
            listing = listing_repo.to_listing(session, row)
            held = _waiting(row, review, len(listing.photos)) if review is not None and row.status == REVIEW else None
            return listing, held

    def pull(self, listing_id: str) -> None:
        """Take a listing off the market until somebody has decided about it, as after a report of it."""
        with self.store.write() as session:
            row = session.get(ListingRow, listing_id, with_for_update=True)
            if row is None or row.status not in ON_SALE:
                raise AppError("not_found", "There is no such listing on sale; it may have been sold or deleted.", 404)
            hold(session, row, REPORT)
            row.version += 1
            listing_repo.to_index(session, row.id)
        self.outbox.follow()

    def close_reports(self, listing_id: str, until: datetime | None = None) -> None:
        """The reports of a listing and of its orders are dealt with; ``until``: those that came later stay."""
        with self.store.write() as session:
            if not forget_reports(session, listing_id, until):
                raise AppError("not_found", "There is no such report; somebody may have dealt with it already.", 404)

    def approve(self, listing_id: str, version: int) -> None:
        """Let a listing go live, as it was in this version."""
        with self.store.write() as session:
            row, review = _held(session, listing_id, version)
            release(session, row, review)
            forget_reports(session, row.id)
            row.version += 1
            listing_repo.to_index(session, row.id)
        self.outbox.follow()

    def refuse(self, listing_id: str, version: int, reason: str) -> None:
        """Keep a listing off the market; its seller sees the reason."""
        reason = edits.clean_text(reason, REASON_LENGTH, "The reason")
        if not reason:
            raise AppError("no_reason", "Say why it is refused: its seller reads the reason.", 422)
        with self.store.write() as session:
            row, review = _held(session, listing_id, version)
            row.status, row.version, review.reason = REFUSED, row.version + 1, reason
            forget_reports(session, row.id)
            listing_repo.note_change(session, row.id)


def hold(session: Session, row: ListingRow, verdict: GoodsVerdict) -> None:
    """Put a listing into the queue: it leaves feed, index and other people's view."""
    review = session.get(ReviewRow, row.id)
    if review is None:
        review = ReviewRow(listing_id=row.id, status_after=row.status)
        session.add(review)
    review.code, review.words, review.at = verdict.code, list(verdict.words), now()
    row.status = REVIEW


def release(session: Session, row: ListingRow, review: ReviewRow) -> None:
    """Take a listing out of the queue, with the status that it would have had."""
    row.status = review.status_after
    row.published_at = row.published_at or now()
    session.delete(review)


def after_edit(session: Session, row: ListingRow, verdict: GoodsVerdict | None) -> None:
    """After its words were changed and checked: what was reported, or once refused, waits for a person each time."""
    review = session.get(ReviewRow, row.id)
    reported = review is not None and review.code == listing_repo.REPORTED
    if verdict is not None and not reported:
        hold(session, row, verdict)
    elif review is not None and (reported or review.reason is not None):
        row.status, review.at = REVIEW, now()
    elif review is not None:
        release(session, row, review)


def _held(session: Session, listing_id: str, version: int) -> tuple[ListingRow, ReviewRow]:
    row = session.get(ListingRow, listing_id, with_for_update=True)
    review = session.get(ReviewRow, listing_id)
    if row is None or review is None or row.status != REVIEW:
        raise AppError("not_found", NOT_WAITING, 404)
    if row.version != version:
        raise Changed("listing")
    return row, review


def _waiting(row: ListingRow, review: ReviewRow, photos: int) -> WaitingListing:
    names = {REPORT.code: REPORT.name, **{group.code: group.name for group in load_groups()}}
    facts = {**row.attributes, **({"condition": row.condition} if row.condition else {})}
    same = ("version", "seller_id", "category", "title", "description")
    return WaitingListing(
        **{name: getattr(row, name) for name in same}, listing_id=row.id, attributes=facts, photos=photos,
        code=review.code, name=names.get(review.code, review.code), words=tuple(review.words), at=review.at,
    )  # fmt: skip
