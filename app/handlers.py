"""What the pages do, as plain functions: no page library, no HTTP.

Each takes the ``Services`` (built once by ``app.services.build_services``) and the id of the signed-in seller. A draft
or a listing of somebody else is answered like one that does not exist. Whatever cannot be done raises ``AppError`` (or
``PhotoError`` for photos) with one sentence for the person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.drafting.draft_photos import add_photos, check_room, move_photo, remove_photo, set_photos  # noqa: F401
from app.drafting.draft_start import category_name as _category
from app.drafting.draft_start import regenerate, start_draft, write_again  # noqa: F401
from app.editing import edits
from app.market import own_search
from app.services import Services
from app.store import draft_repo, listing_repo
from app.store.db import store_away
from app.store.tables import DraftRow, ListingRow
from app.views import TEXT_FIELDS, AppError, DraftView, Refused
from listing.intake.photos import Photo, PhotoError, intake
from listing.schema import Listing
from listing.taxonomy import load_taxonomy


def take_photos(
    services: Services, files: Sequence[tuple[str, Path | bytes]]
) -> tuple[tuple[Photo, ...], tuple[Refused, ...]]:
    """Clean photos of (name, file) pairs, each judged alone: those that passed in their order, those that did not."""
    taken: list[Photo] = []
    refused: list[Refused] = []
    for name, file in files:
        try:
            taken += intake([file])
        except PhotoError as error:
            message = str(error).replace("photo 1", name) if isinstance(file, bytes) else str(error)
            refused.append(Refused(name, error.code, message))
    return tuple(taken), tuple(refused)


def stop_draft(services: Services, seller: str, draft_id: str) -> None:
    """Stop the writing of a draft; its iterator ends with a ``stopped`` view. Nothing happens when none is running."""
    with services.store.read() as session:
        draft_repo.own_draft(session, seller, draft_id)
    services.queue.cancel(draft_id)


def get_draft(services: Services, seller: str, draft_id: str) -> DraftView:
    """The draft with the seller's changes. Raises AppError (404) for somebody else's."""
    with services.store.read() as session:
        row = draft_repo.own_draft(session, seller, draft_id)
        return _view(services, session, row)


def edit_field(
    services: Services,
    seller: str,
    draft_id: str,
    field: str,
    value: str | None,
    *,
    version: edits.Version = None,
) -> DraftView:
    """Set ``title``, ``description``, ``price`` or a fact by its attribute's name, and lock it.

    For a fact, None means "leave it out"; for the price, None or "" means no price. A fact's question disappears.
    ``version``: what the seller was shown, see ``editing.check_version``.

    Raises:
        AppError: too long, not a number, no such field, changed elsewhere (409), somebody else's draft (404).
    """
    limits = services.settings
    edit = edits.Edit("set", field, value)
    if field in TEXT_FIELDS:
        most = limits.title_length if field == "title" else limits.description_length
        clean = edits.clean_text(value or "", most, f"The {field}", lines=field == "description")
        edit = edits.Edit("set", field, clean)
    elif field == "price":
        price = edits.parse_price(value)
        edit = edits.Edit("set", field, None if price is None else f"{price:.2f}")
    elif field == "category":
        edit = edits.Edit("set", field, _category(value or ""))
    elif field in load_taxonomy().attributes:
        clean = edits.clean_text(value or "", limits.fact_length, "This fact")
        edit = edits.Edit("set", field, clean) if clean else edits.Edit("drop", field)
    else:
        raise AppError("bad_field", f"There is no field {field[:60]!r}.", 422)
    return _edit(services, seller, draft_id, edit, version)


def answer_question(
    services: Services, seller: str, draft_id: str, attribute: str, value: str, *, version: edits.Version = None
) -> DraftView:
    """The seller's answer to a question: a fact with the evidence "seller", locked; the question disappears."""
    if attribute not in load_taxonomy().attributes:
        raise AppError("bad_field", f"There is no question about {attribute[:60]!r}.", 422)
    return edit_field(services, seller, draft_id, attribute, value, version=version)


def unlock_field(
    services: Services, seller: str, draft_id: str, field: str, *, version: edits.Version = None
) -> DraftView:
    """Undo what the seller changed in a field: back to what the model wrote."""
    return _edit(services, seller, draft_id, edits.Edit("undo", field[:64]), version)


def remove_claim(
    services: Services,
    seller: str,
    draft_id: str,
    field: str,
    words: str,
    *,
    start: int = 0,
    version: str | None = None,
) -> DraftView:
    """Take unsupported words out of the title or the description (the occurrence nearest to ``start``).

    ``version``: that of the text in which ``start`` was counted; in another one nothing is taken out (AppError 409).
    """
    seen = _with_words(services, seller, draft_id, field, words, version)
    text = edits.without(seen.value(field) or "", words, start)
    return edit_field(services, seller, draft_id, field, text, version=seen.field_version(field))


def confirm_claim(
    services: Services, seller: str, draft_id: str, field: str, words: str, *, version: str | None = None
) -> DraftView:
    """The seller says that the flagged words are true: they stay, their flag goes, until they are changed."""
    seen = _with_words(services, seller, draft_id, field, words, version)
    return _edit(services, seller, draft_id, edits.Edit("confirm", field, words), seen.field_version(field))


def abandon(services: Services, seller: str, draft_id: str) -> None:
    """Throw a draft away: stopped, its photos and history deleted; an event with its id remains."""
    stop_draft(services, seller, draft_id)
    services.publisher.abandon(seller, draft_id)


def publish(services: Services, seller: str, draft_id: str, *, key: str, version: int | None = None) -> Listing:
    """Publish the draft as the seller sees it. The same ``key`` twice gives the same listing, never two.

    ``version``: the draft's, as the seller was shown it.

    Raises:
        AppError: no title, no category, changed since it was shown (409), a full disk (507), somebody else's (404).
    """
    return services.publisher.publish(seller, draft_id, key, version)


def edit_and_publish(
    services: Services, seller: str, draft_id: str, values: Mapping[str, str], *, key: str, version: int | None = None
) -> Listing:
    """Set fields, then publish. For a key that was used already nothing is set any more.

    ``version``: the draft's, as it was read; one that was changed since is refused (AppError 409).
    """
    known = services.publisher.published_by(seller, draft_id, key)
    if known is not None:
        return known
    try:
        if version is not None:
            edits.check_version(get_draft(services, seller, draft_id), version)
        for field, value in values.items():
            view = edit_field(services, seller, draft_id, field, value, version=version)
            version = None if version is None else view.version
    except AppError as error:
        if error.code != "published":
            raise
        version = None  # the same wish runs elsewhere as well and was faster: the answer is its listing
    return publish(services, seller, draft_id, key=key, version=version)


def my_listings(
    services: Services, seller: str, *, text: str = "", photo: Photo | None = None, limit: int = 100
) -> list[Listing]:
    """The seller's listings, newest first; with words or a photo: the best matches first."""
    return own_search.own_listings(services, seller, text=text, photo=photo, limit=limit)


def get_listing(services: Services, seller: str, listing_id: str) -> Listing:
    """One listing of the seller's own. Raises AppError (404) otherwise."""
    with services.store.read() as session:
        return listing_repo.to_listing(session, listing_repo.own_listing(session, seller, listing_id))


def shown_listing(services: Services, seller: str, listing_id: str) -> Listing:
    """A listing that they may look at: an own one in any state, or a public one. Raises AppError (404) otherwise."""
    with services.store.read() as session:
        return listing_repo.to_listing(session, listing_repo.shown_listing(session, seller, listing_id))


def versioned_listing(services: Services, seller: str, listing_id: str) -> tuple[Listing, int]:
    """``get_listing``, and its version: it grows with every change."""
    with services.store.read() as session:
        row = listing_repo.own_listing(session, seller, listing_id)
        return listing_repo.to_listing(session, row), row.version


def edit_listing(
    services: Services,
    seller: str,
    listing_id: str,
    changes: Mapping[str, Any],
    *,
    version: int | None = None,
    shown: Mapping[str, str] | None = None,
) -> Listing:
    """Change ``title``, ``description``, ``price``, ``stock``, ``condition``, ``status`` or ``attributes``.

    ``version``: the listing's, as it was read. ``shown``: versions of the single fields that the seller was shown.
    """
    return services.publisher.change(seller, listing_id, changes, version=version, shown=shown)


def mark_sold(services: Services, seller: str, listing_id: str) -> Listing:
    """Sold: out of the feed, kept as a comparable."""
    return services.publisher.change(seller, listing_id, {"status": "sold", "stock": 0})


def relist(services: Services, seller: str, listing_id: str) -> Listing:
    """Sell again: active, with the pieces that are left, or one. Raises AppError (409) while its last order stands."""
    more = {"stock": 1} if get_listing(services, seller, listing_id).stock == 0 else {}
    return services.publisher.change(seller, listing_id, {"status": "active", **more})


def delete(services: Services, seller: str, listing_id: str) -> None:
    """Delete a listing with its photos, vectors and draft history; events and ended orders keep its id."""
    services.publisher.delete(seller, listing_id)


def comparables(services: Services, listing_ids: Sequence[str]) -> list[Listing]:
    """Public listings by id in that order, for "like these"; ids that are gone are left out."""
    with services.store.read() as session:
        return listing_repo.to_listings(session, listing_repo.by_ids(session, listing_ids))


def photo_file(services: Services, seller: str | None, photo_id: str) -> Path:
    """The JPEG of an own photo or of an active or sold listing. Raises AppError (404) otherwise."""
    path = services.media.path(photo_id)
    with services.store.read() as session:
        shown = listing_repo.photo_shown(session, photo_id, seller)
    if not shown or not path.is_file():
        raise AppError("not_found", "There is no such photo; it may have been deleted.", 404)
    return path


def check_store(services: Services) -> None:
    """Raises AppError (503) when the store does not answer."""
    try:
        with services.store.read() as session:
            session.execute(select(1))
    except DBAPIError as error:
        raise store_away() from error


def _view(services: Services, session: Session, row: DraftRow) -> DraftView:
    listing = session.scalar(select(ListingRow.id).where(ListingRow.draft_id == row.id))
    return draft_repo.view(session, row, services.settings.currency, listing)


def _edit(services: Services, seller: str, draft_id: str, edit: edits.Edit, version: edits.Version = None) -> DraftView:
    with services.store.write() as session:
        row = draft_repo.own_draft(session, seller, draft_id, lock=True)
        if row.state == "published":
            raise AppError("published", "This draft is published already; edit its listing instead.", 409)
        if not edits.holds(_view(services, session, row), edit, version):
            draft_repo.add_edit(session, row, edit)
        return _view(services, session, row)


def _with_words(
    services: Services, seller: str, draft_id: str, field: str, words: str, version: str | None
) -> DraftView:
    """The draft, whose text holds these words, in the version that was shown."""
    if field not in TEXT_FIELDS:
        raise AppError("bad_field", f"There is no text {field[:60]!r}.", 422)
    seen = get_draft(services, seller, draft_id)
    edits.check_version(seen, version, field)
    if not words or words not in (seen.value(field) or ""):
        raise AppError("bad_words", "These words do not stand in the text any more.", 409)
    return seen
