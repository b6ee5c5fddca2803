"""Listings in the store. Every function works inside the caller's transaction."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from app.store import draft_repo
from app.store.tables import (
    DraftRow,
    EditRow,
    KeyRow,
    ListingRow,
    MessageRow,
    OutboxRow,
    PhotoRow,
    PostRow,
    ReviewRow,
    Topic,
    now,
)
from app.views import AppError, Changed, DraftState, field_text, field_version
from listing.request import Photo
from listing.safety.prohibited_goods import load_groups
from listing.schema import Draft, Listing

ID_PREFIX = "ipl-"
INDEXED = ("active", "reserved", "sold")
PUBLIC = INDEXED
REBUILD = "rebuild"  # in the outbox: no listing, but the wish for an index whose files keep no traces
CONDITION = "condition_grade"
PART = 1_000  # rows that are looked up at once
DEALT_WITH = "dealt_with"  # the kind of a message of which a report's words are gone
REPORTED = "reported"  # a review's code where no words of the listing led to it
_COLUMNS = tuple(Listing.model_fields.keys() & ListingRow.__table__.columns.keys())  # the same in both
NOT_THERE = "There is no such listing; it may have been deleted."


def new_listing_id() -> str:
    """A random id whose beginning tells our own listings from samples in a shared index."""
    return ID_PREFIX + secrets.token_hex(12)


def listing_of_seller(session: Session, seller: str, listing_id: str, *, lock: bool = False) -> ListingRow:
    """The seller's listing. Raises AppError (404), also for somebody else's."""
    query = select(ListingRow).where(ListingRow.id == listing_id, ListingRow.seller_id == seller)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise AppError("not_found", NOT_THERE, 404)
    return row


def visible_listing(session: Session, seller: str, listing_id: str) -> ListingRow:
    """A listing of the seller's own, or a public one. Raises AppError (404)."""
    row = session.get(ListingRow, listing_id)
    if row is None or (row.seller_id != seller and row.status not in PUBLIC):
        raise AppError("not_found", NOT_THERE, 404)
    return row


def reported_by(who: str) -> Select[str]:
    """Ids of the listings that somebody has reported: they are not shown to them again."""
    kinds = MessageRow.kind.in_(("report", DEALT_WITH))
    return select(MessageRow.listing_id).where(MessageRow.sender == who, kinds, MessageRow.order_id.is_(None))


def check_versions(
    row: ListingRow, changes: Mapping[str, Any], version: int | None, versions: Mapping[str, str]
) -> None:
    """Raises Changed (409) when the listing, or a field that is to be changed, is not what was shown any more."""
    if version is not None and version != row.version:
        raise Changed("listing")
    for field in changes.keys() & versions.keys():
        present = field_text(getattr(row, field))
        if versions[field] != field_version(present) and field_text(changes[field]) != present:
            raise Changed(field, present)


def to_listing(session: Session, row: ListingRow) -> Listing:
    """The row as the listing that others see."""
    return to_listings(session, [row])[0]


def to_listings(session: Session, rows: Sequence[ListingRow]) -> list[Listing]:
    """Rows as listings, their photos read at once."""
    photos: dict[str | None, list[PhotoRow]] = {}
    reviews: dict[str, ReviewRow] = {}
    for start in range(0, len(rows), PART):
        ids = [row.id for row in rows[start : start + PART]]
        for photo in session.scalars(select(PhotoRow).where(PhotoRow.listing_id.in_(ids)).order_by(PhotoRow.place)):
            photos.setdefault(photo.listing_id, []).append(photo)
        for review in session.scalars(select(ReviewRow).where(ReviewRow.listing_id.in_(ids))):
            reviews[review.listing_id] = review
    return [
        Listing(
            **{name: getattr(row, name) for name in _COLUMNS},
            review=review_sentence(reviews[row.id], row.status) if row.id in reviews else None,
            photos=[draft_repo.photo_ref(p) for p in photos.get(row.id, [])],
        )
        for row in rows
    ]


def review_sentence(review: ReviewRow, status: str) -> str:
    """What the seller is told about a listing that waits for a person, or that a person has refused."""
    if status == "refused" and review.reason is not None:
        return (
            f"A person looked at this listing and refused it: {review.reason.rstrip('.')}. "
            "Change its words, and a person looks again, or delete it."
        )
    if review.code == REPORTED:
        return "Somebody reported this listing. A person looks at it; until then nobody else sees it."
    names = {group.code: group.name for group in load_groups()}
    words = ", ".join(f"“{word}”" for word in review.words)
    return (
        "A person looks at this listing before it goes live, usually because its words are like those of "
        f"{names.get(review.code, 'goods that may not be listed')}{f' ({words})' if words else ''}."
    )


def add_listing(session: Session, draft: DraftRow, view: Draft, price: float | None, currency: str) -> ListingRow:
    """A new listing from the draft as its seller sees it (``view``); the photos become the listing's.

    Raises:
        AppError: no photo, no title or no category (422).
    """
    photos = session.scalars(select(PhotoRow).where(PhotoRow.draft_id == draft.id)).all()
    if not photos:
        raise AppError("no_photo", "The listing has no photo; add one and publish again.", 422)
    if not view.title.strip():
        raise AppError("no_title", "The listing has no title; write one and publish again.", 422)
    if not view.category.value:
        raise AppError("no_category", "The listing has no category yet; choose one and publish again.", 422)
    facts = {a.name: a.value for a in view.attributes if a.value is not None}
    text = {"category": view.category.value, "title": view.title, "description": view.description, "attributes": facts}
    row = ListingRow(
        id=new_listing_id(),
        seller_id=draft.seller_id,
        draft_id=draft.id,
        status="active",
        price=price,
        currency=currency,
        stock=1,
        condition=facts.get(CONDITION),
        origin="user",
        created_at=now(),
        published_at=now(),
        generated=draft.generated,
        published=text,
        **text,
    )
    session.add(row)
    for photo in photos:
        photo.listing_id = row.id
    draft_repo.move(draft, DraftState.PUBLISHED)
    session.flush()
    return row


def to_index(session: Session, listing_id: str) -> None:
    """Note that a listing has changed: the index follows after the commit, and other servers take it in."""
    session.add(OutboxRow(topic=Topic.INDEX, key=listing_id))
    note_change(session, listing_id)


def to_index_again(session: Session, listing_id: str) -> None:
    """Ask for the listing's place in the index to be brought up to date, though nothing has changed in the store."""
    session.add(OutboxRow(topic=Topic.INDEX, key=listing_id))


def to_index_anew(session: Session) -> None:
    """Ask for the index to be rebuilt once all that waits is in it: then nothing of what left it is in its files."""
    session.add(OutboxRow(topic=Topic.INDEX, key=REBUILD))


def note_change(session: Session, listing_id: str) -> None:
    """Let other servers take the listing in again."""
    session.add(OutboxRow(topic=Topic.CHANGE, key=listing_id))


def add_photos(session: Session, row: ListingRow, photos: Sequence[Photo], first: int) -> None:
    """Further photos of a listing; ``first``: the place of the first one."""
    draft_repo.add_photos(session, row, photos, first)
    _photos_changed(session, row)


def arrange_photos(session: Session, row: ListingRow, order: Sequence[str]) -> None:
    """Let the listing's photos be these in this order; the others are forgotten (see ``draft_repo.forget_photos``)."""
    draft_repo.keep_photos(session, session.scalars(select(PhotoRow).where(PhotoRow.listing_id == row.id)), order)
    _photos_changed(session, row)


def _photos_changed(session: Session, row: ListingRow) -> None:
    row.version += 1
    to_index(session, row.id)
    session.flush()


def delete_listing(session: Session, row: ListingRow) -> list[str]:
    """Delete a listing, its draft's history and its photos (``draft_repo.forget_photos``); returns the photos' ids."""
    photos = list(session.scalars(select(PhotoRow.id).where(PhotoRow.listing_id == row.id)))
    draft_repo.forget_photos(session, photos)
    session.execute(delete(KeyRow).where(KeyRow.listing_id == row.id))
    if row.draft_id is not None:
        session.execute(delete(EditRow).where(EditRow.draft_id == row.draft_id))
        photos += draft_repo.delete_drafts(session, [row.draft_id])
    to_index(session, row.id)
    session.delete(row)
    session.flush()
    return photos


def newest(seller: str) -> Select[Any]:
    """The seller's listings, newest first."""
    query = select(ListingRow).where(ListingRow.seller_id == seller)
    return query.order_by(ListingRow.created_at.desc(), ListingRow.id)


def indexed_ids(session: Session) -> set[str]:
    """Ids of the listings that belong into the index."""
    query = select(ListingRow.id).where(ListingRow.status.in_(INDEXED), ListingRow.origin == "user")
    return set(session.scalars(query))


def by_ids(session: Session, listing_ids: Iterable[str]) -> list[ListingRow]:
    """The public listings of these ids in that order; ids that are gone are left out."""
    ids = list(dict.fromkeys(listing_ids))
    rows: dict[str, ListingRow] = {}
    for start in range(0, len(ids), PART):
        part = ListingRow.id.in_(ids[start : start + PART])
        rows |= {row.id: row for row in session.scalars(select(ListingRow).where(part, ListingRow.status.in_(PUBLIC)))}
    return [rows[i] for i in ids if i in rows]


def count_waiting(session: Session) -> int:
    """How many wishes for the index are open."""
    return session.scalar(select(func.count()).where(OutboxRow.topic == Topic.INDEX)) or 0


def photo_visible(session: Session, photo_id: str, seller: str | None) -> bool:
    """Whether the photo is the seller's own or belongs to a public listing or a post."""
    row: Any = session.get(PhotoRow, photo_id)
    if row is None:
        return False
    if seller is not None and row.seller_id == seller:
        return True
    if session.scalar(select(PostRow.id).where(PostRow.photo_id == photo_id)) is not None:
        return True
    listing = session.get(ListingRow, row.listing_id) if row.listing_id else None
    return listing is not None and listing.status in PUBLIC
