"""Drafts, their edits and photos in the store. Every function works inside the caller's transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.editing import evidence_places, prices
from app.store.db import make_room
from app.store.tables import DraftRow, EditRow, EventRow, ListingRow, OutboxRow, PhotoRow, Topic, now
from app.views import WRITING, AppError, DraftState, DraftView, Problem
from listing.observe.seller import Edit, SellerWord, word_of
from listing.request import Photo
from listing.revise import regenerated, revise
from listing.rules import PressRules
from listing.schema import Draft, PhotoRef, Tone


def new_id() -> str:
    """A random id of 32 hex digits."""
    return secrets.token_hex(16)


def note_event(
    session: Session,
    kind: str,
    seller: str,
    *,
    draft: str | None = None,
    listing: str | None = None,
    field: str | None = None,
) -> None:
    """Write an assistant event; ids and a field's name only."""
    session.add(EventRow(kind=kind, seller_id=seller, draft_id=draft, listing_id=listing, field=field))


def add_draft(
    session: Session,
    draft_id: str,
    seller: str,
    photos: Sequence[Photo],
    *,
    note: str,
    tone: Tone,
    state: DraftState = DraftState.QUEUED,
) -> DraftRow:
    """A new draft that waits, with its photos in their order; ``UPLOADING``: it waits for its seller."""
    row = DraftRow(id=draft_id, seller_id=seller, note=note, tone=tone, state=state)
    session.add(row)
    add_photos(session, row, photos)
    return row


def add_photos(session: Session, row: DraftRow | ListingRow, photos: Sequence[Photo], first: int = 0) -> None:
    """Photos of a draft or a listing, in their order; ``first``: the place of the first one."""
    owner = {"draft_id" if isinstance(row, DraftRow) else "listing_id": row.id}
    for place, photo in enumerate(photos, first):
        session.add(photo_row(photo, row.seller_id, place=place, **owner))
    session.flush()


def photo_row(photo: Photo, seller: str, **more: Any) -> PhotoRow:
    """The row of a photo whose file is stored."""
    return PhotoRow(**photo.ref.model_dump(), seller_id=seller, sha256=hashlib.sha256(photo.jpeg).hexdigest(), **more)


def keep_photos(session: Session, photos: Iterable[PhotoRow], order: Sequence[str]) -> list[str]:
    """Let these photos stand in this order; returns the ids of the others, now forgotten."""
    rows = {photo.id: photo for photo in photos}
    for place, photo_id in enumerate(order):
        rows.pop(photo_id).place = place
    forget_photos(session, list(rows))
    return list(rows)


def arrange_photos(session: Session, row: DraftRow, order: Sequence[str]) -> list[str]:
    """Let the draft's photos be these in this order; returns the ids of the others, now forgotten."""
    gone = keep_photos(session, session.scalars(select(PhotoRow).where(PhotoRow.draft_id == row.id)), order)
    # What it looked like goes as well: its reference in what was written keeps nothing but its id and size.
    row.generated, row.settled = (_forgotten(kept, gone) for kept in (row.generated, row.settled))
    return gone


def _forgotten(kept: dict[str, Any] | None, gone: Collection[str]) -> dict[str, Any] | None:
    if not kept or not gone:
        return kept
    return {**kept, "photos": [{**ref, "phash": ""} if ref["id"] in gone else ref for ref in kept["photos"]]}


def note_photos(session: Session, row: DraftRow) -> None:
    """The draft's photos have changed."""
    row.version += 1
    row.updated_at = now()
    note_event(session, "edited", row.seller_id, draft=row.id, field="photos")
    session.flush()


def check_at_rest(row: DraftRow) -> None:
    """Raises AppError (409) for a draft that is published, or being written right now."""
    if row.state == DraftState.PUBLISHED:
        raise AppError("published", "This draft is published already; edit its listing instead.", 409)
    if row.state in WRITING:
        raise AppError("running", "This draft is being written right now; wait until it is done, or stop it.", 409)


def start_again(session: Session, row: DraftRow, *, note: str, tone: Tone) -> None:
    """The draft waits to be written, again or for the first time."""
    if (note, tone) != (row.note, row.tone):
        row.version += 1
    row.note, row.tone = note, tone
    move(row, DraftState.QUEUED)
    if row.generated is not None:
        note_event(session, "regenerated", row.seller_id, draft=row.id, field=tone)
    session.flush()


def draft_of_seller(session: Session, seller: str, draft_id: str, *, lock: bool = False) -> DraftRow:
    """The seller's draft. Raises AppError (404), also for somebody else's."""
    query = select(DraftRow).where(DraftRow.id == draft_id, DraftRow.seller_id == seller)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise AppError("not_found", "There is no such draft; it may have been deleted.", 404)
    return row


def unfinished(session: Session, seller: str, limit: int) -> list[DraftRow]:
    """The seller's drafts that are not published, the one that was changed last first."""
    query = select(DraftRow).where(DraftRow.seller_id == seller, DraftRow.state != DraftState.PUBLISHED)
    return list(session.scalars(query.order_by(DraftRow.updated_at.desc(), DraftRow.id).limit(limit)))


def photos_of(session: Session, *, draft: str | None = None, listing: str | None = None) -> list[PhotoRef]:
    """The photos of a draft or of a listing, in their order."""
    column = PhotoRow.draft_id == draft if draft is not None else PhotoRow.listing_id == listing
    rows = session.scalars(select(PhotoRow).where(column).order_by(PhotoRow.place))
    return [photo_ref(row) for row in rows]


def photo_ref(row: PhotoRow) -> PhotoRef:
    """The row as the rest of the program knows it."""
    return PhotoRef(id=row.id, width=row.width, height=row.height, phash=row.phash)


def word_on(session: Session, draft_id: str) -> SellerWord:
    """The seller's word on a draft: the outcome of all edits."""
    return word_of(edit_rows(session, draft_id))


def edit_rows(session: Session, draft_id: str) -> list[Edit]:
    """All edits of a draft in their order."""
    rows = session.scalars(select(EditRow).where(EditRow.draft_id == draft_id).order_by(EditRow.id))
    return [Edit(row.kind, row.field, row.value) for row in rows]


def add_edit(session: Session, row: DraftRow, edit: Edit) -> None:
    """Write an edit and its event."""
    session.add(EditRow(draft_id=row.id, kind=edit.kind, field=edit.field, value=edit.value))
    row.updated_at, row.version = now(), row.version + 1
    note_event(session, "edited", row.seller_id, draft=row.id, field=edit.field)
    session.flush()


def settle(session: Session, row: DraftRow, rules: PressRules) -> None:
    """Keep the draft as its seller sees it, with what they said last."""
    written, word = generated(row), word_on(session, row.id)
    told = written is not None and word.locked
    row.settled = revise(written, word, rules.of(written)).model_dump(mode="json") if written and told else None


def settle_older(session: Session, rules: PressRules) -> None:
    """``settle`` the drafts of earlier versions, which kept what was written and the edits alone."""
    edited = select(EditRow.draft_id).where(EditRow.draft_id == DraftRow.id).exists()
    older = DraftRow.settled.is_(None), DraftRow.generated.is_not(None)
    for row in session.scalars(select(DraftRow).where(*older, edited)):
        settle(session, row, rules)


def settled(row: DraftRow) -> Draft | None:
    """The draft with the seller's word, in its version; None before it is done."""
    kept = row.settled or row.generated
    return Draft.model_validate(kept) if kept is not None else None


def generated(row: DraftRow) -> Draft | None:
    """What the model wrote, or None before it is done."""
    return Draft.model_validate(row.generated) if row.generated is not None else None


def view(session: Session, row: DraftRow, currency: str, listing_id: str | None = None) -> DraftView:
    """The draft as its seller sees it."""
    word, draft = word_on(session, row.id), settled(row)
    problem = Problem(row.problem_code, row.problem or "") if row.problem_code else None
    shell = DraftView(
        draft_id=row.id,
        state=row.state,
        photos=tuple(photos_of(session, draft=row.id)),
        note=row.note,
        tone=row.tone,
        currency=currency,
        locked=word.locked,
        asked=prices.parse_price(word.values.get("price")),
        problem=problem,
        listing_id=listing_id,
        version=row.version,
    )
    if draft is None:
        return shell
    shell = replace(shell, written_from=frozenset(photo.id for photo in draft.photos))
    return _filled(shell, evidence_places.moved(draft, shell.photos))


def _filled(shell: DraftView, draft: Draft) -> DraftView:
    """The view with everything that the finished draft says.

    What the model wrote is kept under the id by which its text was rendered, so that it can be rendered again.
    """
    return replace(
        shell,
        share=1.0,
        category=draft.category,
        attributes=tuple(draft.attributes),
        questions=tuple(draft.questions),
        title=draft.title,
        description=draft.description,
        flags=tuple(draft.flags),
        price=draft.price,
        neighbours=tuple(draft.neighbours),
        quality=draft.quality,
        model=draft.model,
        draft=draft.model_copy(update={"id": shell.draft_id}),
    )


def finish(session: Session, draft_id: str, written: Draft, rules: PressRules) -> DraftRow | None:
    """Keep what the model wrote; None when the draft was deleted or published meanwhile."""
    row = session.get(DraftRow, draft_id, with_for_update=True)
    if row is None or row.state == DraftState.PUBLISHED:
        return None
    word, old = word_on(session, draft_id), generated(row)
    # What stays of the earlier one was found in its photos, in their order of then.
    old = old and evidence_places.moved(old, written.photos)
    row.generated = regenerated(written, old, word, rules.of(written)).model_dump(mode="json")
    settle(session, row, rules)
    move(row, DraftState.READY)
    row.version += 1
    return row


def move(row: DraftRow, to: DraftState, problem: Problem | None = None) -> None:
    """The one change of a draft's state; from published there is none.

    One that was finished before and could not be written again is ready: what was written before stands.
    """
    if row.state == DraftState.PUBLISHED:
        return
    if problem is not None and row.generated is not None:
        to, problem = DraftState.READY, None
    row.state, row.updated_at = to, now()
    row.problem_code, row.problem = (problem.code, problem.message) if problem else (None, None)


def forget_photos(session: Session, photo_ids: Sequence[str]) -> None:
    """Delete photos' rows and note that their files have to go, which ``Deletions.after`` does after commit."""
    make_room(session)
    session.execute(delete(PhotoRow).where(PhotoRow.id.in_(photo_ids)))
    session.add_all(OutboxRow(topic=Topic.PHOTO, key=photo_id) for photo_id in photo_ids)


def delete_drafts(session: Session, draft_ids: Sequence[str]) -> list[str]:
    """Delete drafts with their history and photos (see ``forget_photos``); returns the photos' ids."""
    photos = list(session.scalars(select(PhotoRow.id).where(PhotoRow.draft_id.in_(draft_ids))))
    forget_photos(session, photos)
    retire_drafts(session, draft_ids)
    return photos


def retire_drafts(session: Session, draft_ids: Sequence[str]) -> dict[str, str]:
    """Delete drafts with their history; returns the ids of their photos, whose files stay, with their owners'."""
    of_drafts = PhotoRow.draft_id.in_(draft_ids)
    photos = session.execute(select(PhotoRow.id, PhotoRow.seller_id).where(of_drafts)).all()
    make_room(session)
    session.execute(delete(PhotoRow).where(of_drafts))
    session.execute(delete(EditRow).where(EditRow.draft_id.in_(draft_ids)))
    session.execute(delete(DraftRow).where(DraftRow.id.in_(draft_ids)))
    return {row.id: row.seller_id for row in photos}
