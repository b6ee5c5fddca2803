"""What the pages do, as plain functions: no page library, no HTTP.

Each takes the ``Services`` (built once by ``app.services.build_services``) and the id of the signed-in seller. A draft
or a listing of somebody else is answered like one that does not exist. Whatever cannot be done raises ``AppError`` (or
``PhotoError`` for photos) with one sentence for the person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.views import DraftView, Refused
from listing.request import Tone
from listing.schema import Listing

if TYPE_CHECKING:
    from app.services import Services
    from listing.photos import Photo


def take_photos(
    services: Services, files: Sequence[tuple[str, Path | bytes]]
) -> tuple[tuple[Photo, ...], tuple[Refused, ...]]:
    """Clean photos of (name, file) pairs, each judged alone: those that passed in their order, those that did not."""
    raise NotImplementedError


def start_draft(
    services: Services,
    seller: str,
    photos: Sequence[Photo],
    note: str = "",
    *,
    tone: Tone = "plain",
    category: str | None = None,
) -> Iterator[DraftView]:
    """Write a draft: first the positions in the waiting line, then every event, last a view that is ready or failed.

    A view comes at least every half second, so that a clock can tick. Closing the iterator (a lost connection) stops
    the work; the draft then is ``stopped``. The photos are stored before the first view.

    Raises:
        AppError: no photos, too many, a note that is too long, or a full waiting line (code ``busy``, status 429).
    """
    raise NotImplementedError


def regenerate(
    services: Services, seller: str, draft_id: str, *, tone: Tone | None = None, category: str | None = None
) -> Iterator[DraftView]:
    """Write a draft again, in the waiting line like ``start_draft``; what the seller touched stays.

    With the same category the facts are kept and only the text is written again; another category looks again.
    """
    raise NotImplementedError


def stop_draft(services: Services, seller: str, draft_id: str) -> None:
    """Stop the writing of a draft; its iterator ends with a ``stopped`` view. Nothing happens when none is running."""
    raise NotImplementedError


def get_draft(services: Services, seller: str, draft_id: str) -> DraftView:
    """The draft with the seller's changes. Raises AppError (404) for somebody else's."""
    raise NotImplementedError


def edit_field(services: Services, seller: str, draft_id: str, field: str, value: str | None) -> DraftView:
    """Set ``title``, ``description``, ``price`` or a fact by its attribute's name, and lock it.

    For a fact, None means "leave it out"; for the price, None or "" means no price. A fact's question disappears.

    Raises:
        AppError: too long, not a number, no such field, somebody else's draft (404).
    """
    raise NotImplementedError


def answer_question(services: Services, seller: str, draft_id: str, attribute: str, value: str) -> DraftView:
    """The seller's answer to a question: a fact with the evidence "seller", locked; the question disappears."""
    raise NotImplementedError


def unlock_field(services: Services, seller: str, draft_id: str, field: str) -> DraftView:
    """Undo what the seller changed in a field: back to what the model wrote."""
    raise NotImplementedError


def remove_claim(
    services: Services, seller: str, draft_id: str, field: str, words: str, *, start: int = 0
) -> DraftView:
    """Take unsupported words out of the title or the description (the occurrence nearest to ``start``)."""
    raise NotImplementedError


def confirm_claim(services: Services, seller: str, draft_id: str, field: str, words: str) -> DraftView:
    """The seller says that the flagged words are true: they stay, their flag goes."""
    raise NotImplementedError


def abandon(services: Services, seller: str, draft_id: str) -> None:
    """Throw a draft away: stopped, its photos and history deleted; an event with its id remains."""
    raise NotImplementedError


def publish(services: Services, seller: str, draft_id: str, *, key: str) -> Listing:
    """Publish the draft as the seller sees it. The same ``key`` twice gives the same listing, never two.

    Raises:
        AppError: no title, no category, a price that is no price, a disk that is full (507), somebody else's (404).
    """
    raise NotImplementedError


def my_listings(
    services: Services, seller: str, *, text: str = "", photo: Photo | None = None, limit: int = 100
) -> list[Listing]:
    """The seller's listings, newest first; with words or a photo: the best matches first."""
    raise NotImplementedError


def get_listing(services: Services, seller: str, listing_id: str) -> Listing:
    """One listing of the seller's own. Raises AppError (404) otherwise."""
    raise NotImplementedError


def edit_listing(services: Services, seller: str, listing_id: str, changes: Mapping[str, Any]) -> Listing:
    """Change ``title``, ``description``, ``price``, ``stock``, ``condition``, ``status`` or ``attributes``."""
    raise NotImplementedError


def mark_sold(services: Services, seller: str, listing_id: str) -> Listing:
    """Sold: out of the feed, kept as a comparable."""
    raise NotImplementedError


def relist(services: Services, seller: str, listing_id: str) -> Listing:
    """Sell again: active."""
    raise NotImplementedError


def delete(services: Services, seller: str, listing_id: str) -> None:
    """Delete a listing with its photos, vectors and draft history; events keep its id."""
    raise NotImplementedError


def comparables(services: Services, listing_ids: Sequence[str]) -> list[Listing]:
    """Public listings by id in that order, for "like these"; ids that are gone are left out."""
    raise NotImplementedError


def photo_file(services: Services, seller: str | None, photo_id: str) -> Path:
    """The JPEG of an own photo or of an active or sold listing. Raises AppError (404) otherwise."""
    raise NotImplementedError
