"""A draft's photos: added, put in order, removed; each change is in the store, for every page that shows the draft.

While a draft is being written its photos stay as they are, so that what is written is about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.services import Services
from app.store import draft_repo
from app.store.tables import DraftRow
from app.views import AppError, DraftView
from listing.intake.photos import Photo, PhotoLimits
from listing.schema import PhotoRef


def add_photos(services: Services, seller: str, draft_id: str, photos: Sequence[Photo]) -> DraftView:
    """Add photos at the end: all of them or none.

    Raises:
        AppError: too many, or one that is there already (422), a full disk (507), and as ``set_photos``.
    """
    with photo_files(services, photos), services.store.write() as session:
        row = _changeable(session, seller, draft_id)
        have = draft_repo.photos_of(session, draft=draft_id)
        _check_new(have, [p.ref for p in photos])
        draft_repo.add_photos(session, row, [p.ref for p in photos], len(have))
        draft_repo.note_photos(session, row)
        return draft_repo.view(session, row, services.settings.currency)


def check_room(services: Services, seller: str, draft_id: str, count: int) -> None:
    """Raises AppError where ``add_photos`` of so many would, whatever they show: said before they are decoded."""
    with services.store.read() as session:
        draft_repo.check_at_rest(draft_repo.own_draft(session, seller, draft_id))
        _check_count(len(draft_repo.photos_of(session, draft=draft_id)), count)


def set_photos(services: Services, seller: str, draft_id: str, wanted: Sequence[str]) -> DraftView:
    """Let the draft's photos be those of these ids in this order; those left out are deleted, row and file.

    Raises:
        AppError: an id that is no photo of this draft, or twice (422); the draft is published or being written (409);
            somebody else's (404).
    """

    def chosen(have: list[str]) -> list[str]:
        if len(set(wanted)) != len(wanted) or not set(wanted) <= set(have):
            raise AppError("bad_photos", "Name photos of this draft, each once; further ones are uploaded.", 422)
        return list(wanted)

    return _arrange(services, seller, draft_id, chosen)


def remove_photo(services: Services, seller: str, draft_id: str, photo_id: str) -> DraftView:
    """Delete a photo, row and file; one that is gone already is passed over. Raises as ``set_photos``."""
    return _arrange(services, seller, draft_id, lambda have: [i for i in have if i != photo_id])


def move_photo(services: Services, seller: str, draft_id: str, photo_id: str, to: int) -> DraftView:
    """Move a photo to another place, counted from 0; one that is gone is passed over. Raises as ``set_photos``."""

    def shifted(have: list[str]) -> list[str]:
        if photo_id not in have:
            return have
        others = [i for i in have if i != photo_id]
        others.insert(min(max(to, 0), len(others)), photo_id)
        return others

    return _arrange(services, seller, draft_id, shifted)


@contextmanager
def photo_files(services: Services, photos: Sequence[Photo]) -> Iterator[None]:
    """The files of photos whose rows are written in the block; when it fails, those that this call wrote are deleted.

    Raises:
        AppError: a photo belongs to something else already (409), a full disk (507).
    """
    new = [p.ref.id for p in photos if not services.media.path(p.ref.id).is_file()]
    try:
        for photo in photos:
            services.media.save(photo.ref.id, photo.jpeg)
        yield
    except BaseException as error:
        services.publisher.deletions.discard(new, error)
        if isinstance(error, IntegrityError):
            raise AppError("photo_taken", "These photos belong to a draft already; add them again.", 409) from error
        raise


def _arrange(services: Services, seller: str, draft_id: str, order: Callable[[list[str]], list[str]]) -> DraftView:
    """Let ``order`` say which of the draft's photos stay, and where."""
    with services.store.write() as session:
        row = _changeable(session, seller, draft_id)
        have = [p.id for p in draft_repo.photos_of(session, draft=draft_id)]
        wanted = order(have)
        draft_repo.arrange_photos(session, row, wanted)
        if wanted != have:
            draft_repo.note_photos(session, row)
        view = draft_repo.view(session, row, services.settings.currency)
    services.publisher.deletions.after()
    return view


def _changeable(session: Session, seller: str, draft_id: str) -> DraftRow:
    row = draft_repo.own_draft(session, seller, draft_id, lock=True)
    draft_repo.check_at_rest(row)
    return row


def _check_count(have: int, new: int) -> None:
    most = PhotoLimits().count
    if have + new > most:
        raise AppError("too_many_photos", f"A listing has room for {most} photos; this one has {have} already.", 422)


def _check_new(have: Sequence[PhotoRef], new: Sequence[PhotoRef]) -> None:
    _check_count(len(have), len(new))
    looks = {p.phash for p in have}
    for ref in new:
        if ref.phash in looks:
            raise AppError("photo_twice", "One of these photos is there already; add each photo once.", 422)
        looks.add(ref.phash)
