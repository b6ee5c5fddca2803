"""A draft's photos: added, put in order, removed; each change is in the store, for every page that shows the draft.

While a draft is being written its photos stay as they are, so that what is written is about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.store import draft_repo
from app.store.db import Store
from app.store.deletions import Deletions
from app.store.media import Media
from app.store.tables import DraftRow
from app.views import AppError, DraftState, DraftView
from listing.intake.photos import Photo, PhotoLimits
from listing.schema import PhotoRef

MAX_PHOTOS = PhotoLimits().count
MAX_UNFINISHED = 50  # drafts of one seller, from which on no further one is begun with photos alone


class DraftPhotos:
    """Every method that changes a draft raises AppError for one that is published or being written (409), 404."""

    def __init__(self, store: Store, media: Media, deletions: Deletions, currency: str) -> None:
        self.store, self.media, self.deletions, self.currency = store, media, deletions, currency

    def begin(self, seller: str, photos: Sequence[Photo]) -> DraftView:
        """A new draft of these photos, of which nothing is written yet. Raises AppError (429): they have too many."""
        draft = draft_repo.new_id()
        check_new([], [p.ref for p in photos])
        with self.store.read() as session:  # before any file is written
            if len(draft_repo.unfinished(session, seller, MAX_UNFINISHED)) == MAX_UNFINISHED:
                message = f"You have {MAX_UNFINISHED} unfinished drafts; throw away or publish some of them first."
                raise AppError("too_many_drafts", message, 429)
        with self.files(photos), self.store.write() as session:
            row = draft_repo.add_draft(
                session, draft, seller, photos, note="", tone="plain", state=DraftState.UPLOADING
            )
            return draft_repo.view(session, row, self.currency)

    def add(self, seller: str, draft_id: str, photos: Sequence[Photo]) -> DraftView:
        """Add photos at the end: all of them or none."""
        with self.files(photos), self.store.write() as session:
            row = _changeable(session, seller, draft_id)
            present = draft_repo.photos_of(session, draft=draft_id)
            check_new(present, [p.ref for p in photos])
            draft_repo.add_photos(session, row, photos, len(present))
            draft_repo.note_photos(session, row)
            return draft_repo.view(session, row, self.currency)

    def check_room(self, seller: str, draft_id: str, count: int) -> None:
        """Raises AppError where ``add`` of so many would, whatever they show: before they are decoded."""
        with self.store.read() as session:
            draft_repo.check_at_rest(draft_repo.draft_of_seller(session, seller, draft_id))
            check_count(len(draft_repo.photos_of(session, draft=draft_id)), count)

    def arrange(self, seller: str, draft_id: str, photo_ids: Sequence[str]) -> DraftView:
        """Let the draft's photos be those of these ids in this order; those left out are deleted, row and file."""

        def chosen(present: list[str]) -> list[str]:
            check_order(present, photo_ids, "draft")
            return list(photo_ids)

        return self._reorder(seller, draft_id, chosen)

    def remove(self, seller: str, draft_id: str, photo_id: str) -> DraftView:
        """Delete a photo, row and file; one that is gone already is passed over."""
        return self._reorder(seller, draft_id, lambda present: [i for i in present if i != photo_id])

    def move(self, seller: str, draft_id: str, photo_id: str, to: int) -> DraftView:
        """Move a photo to another place, counted from 0; one that is gone is passed over."""
        return self._reorder(seller, draft_id, lambda present: moved_photo(present, photo_id, to))

    @contextmanager
    def files(self, photos: Sequence[Photo]) -> Iterator[None]:
        """The files of photos whose rows are written in the block; when it fails, those written here are deleted."""
        new = [p.ref.id for p in photos if not self.media.path(p.ref.id).is_file()]
        try:
            for photo in photos:
                self.media.save(photo.ref.id, photo.jpeg)
            yield
        except BaseException as error:
            self.deletions.discard(new, error)
            if isinstance(error, IntegrityError):
                message = "These photos belong to a draft already; add them again."
                raise AppError("photo_taken", message, 409) from error
            raise

    def _reorder(self, seller: str, draft_id: str, order: Callable[[list[str]], list[str]]) -> DraftView:
        """Let ``order`` decide which of the draft's photos stay, and where."""
        with self.store.write() as session:
            row = _changeable(session, seller, draft_id)
            present = [p.id for p in draft_repo.photos_of(session, draft=draft_id)]
            photo_ids = order(present)
            draft_repo.arrange_photos(session, row, photo_ids)
            if photo_ids != present:
                draft_repo.note_photos(session, row)
            view = draft_repo.view(session, row, self.currency)
        self.deletions.after()
        return view


def _changeable(session: Session, seller: str, draft_id: str) -> DraftRow:
    row = draft_repo.draft_of_seller(session, seller, draft_id, lock=True)
    draft_repo.check_at_rest(row)
    return row


def check_count(present: int, new: int) -> None:
    """Raises AppError (422) when so many photos are too many for one item."""
    if present + new > MAX_PHOTOS:
        message = f"A listing has room for {MAX_PHOTOS} photos; this one has {present} already."
        raise AppError("too_many_photos", message, 422)


def check_order(present: Sequence[str], photo_ids: Sequence[str], what: str) -> None:
    """Raises AppError (422) when they are not all photos of the item, each once."""
    if len(set(photo_ids)) != len(photo_ids) or not set(photo_ids) <= set(present):
        raise AppError("bad_photos", f"Name photos of this {what}, each once; further ones are uploaded.", 422)


def moved_photo(present: list[str], photo_id: str, to: int) -> list[str]:
    """The photos with one at another place, counted from 0; unchanged without it."""
    if photo_id not in present:
        return present
    others = [i for i in present if i != photo_id]
    others.insert(min(max(to, 0), len(others)), photo_id)
    return others


def check_new(present: Sequence[PhotoRef], new: Sequence[PhotoRef]) -> None:
    """Raises AppError (422) when they are too many, or one of them is there already."""
    check_count(len(present), len(new))
    hashes = {p.phash for p in present}
    for ref in new:
        if ref.phash in hashes:
            raise AppError("photo_twice", "One of these photos is there already; add each photo once.", 422)
        hashes.add(ref.phash)
