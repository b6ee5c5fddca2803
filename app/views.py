"""Views of a draft for pages: plain values, free of any page library and of the database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from listing.errors import IplError
from listing.intake.photos import PhotoLimits
from listing.request import Event
from listing.schema import (
    AttributeValue,
    Candidate,
    Category,
    Draft,
    Flag,
    Listing,
    NeighbourRef,
    PhotoRef,
    PriceRange,
    Quality,
    Question,
    Tone,
)
from listing.taxonomy import load_taxonomy

INTERRUPTED = "interrupted"  # code of the problem of a draft whose server ended while it was being written
TEXT_FIELDS = ("title", "description")
FAR_FETCHED = 0.15  # below: a probability at which something that is no garment is not worth showing
TOO_LARGE = f"A photo may have {PhotoLimits().bytes // 10**6} MB; choose a smaller one."
_SHORT = 80  # characters of a value that is quoted in a message


class DraftState(StrEnum):
    """Where a draft stands; a press on a ready one is saved in one transaction. ``draft_repo.move`` changes it."""

    UPLOADING = "uploading"  # photos are chosen, nothing is written
    QUEUED = "queued"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"
    PUBLISHED = "published"


WRITING = (DraftState.QUEUED, DraftState.WORKING)
ENDED = (DraftState.READY, DraftState.FAILED, DraftState.STOPPED)


class AppError(IplError):
    """Something a person asked for cannot be done; the message is one sentence that says what to do.

    Args:
        code: a short name for programs.
        status: the HTTP status that the API answers with.
        retry_after: seconds after which the same request may succeed; None when asking again is no help.
    """

    def __init__(self, code: str, message: str, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(message, code=code)
        self.http_status, self.retry_after = status, retry_after


class Busy(AppError):
    """Too much is asked for at once (429); ``retry_after`` says after how many seconds to ask again."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__("busy", message, 429, retry_after)


class Changed(AppError):
    """Something is not what the caller was shown any more (409), so that their change would overwrite another one.

    what: a field's name, or "draft" or "listing" as a whole. present: the field's value now.
    """

    def __init__(self, what: str, present: str | None = None) -> None:
        name = what.replace("_", " ")
        if what in ("draft", "listing"):
            message = f"This {name} was changed elsewhere; read it again, then repeat what you wanted."
        elif not present:
            message = f"The {name} was removed elsewhere; fill it in again if you want to keep it."
        else:
            short = present if len(present) <= _SHORT else present[:_SHORT].rstrip() + "…"
            message = f"The {name} was changed elsewhere to “{short}”; look at it, and change it again if it is wrong."
        super().__init__("changed", message, 409)


def likely_candidates(category: Category) -> list[Candidate]:
    """The candidates that people are shown: the name that the text takes, garments, and what is not far-fetched."""
    categories, named = load_taxonomy().categories, {c.value for c in category.candidates} | {None}
    group = [Candidate(value=str(category.value), confidence=category.confidence)] * (category.value not in named)
    return [
        c
        for n, c in enumerate([*group, *category.candidates])
        if (n == 0 and category.value is not None)
        or c.confidence >= FAR_FETCHED
        or (c.value in categories and "Clothing" in categories[c.value].path)
    ]


def as_displayed(category: Category) -> Category:
    """The category with no candidate that is far-fetched."""
    return category.model_copy(update={"candidates": likely_candidates(category)[:3]})


def listing_facts(listing: Listing) -> dict[str, str]:
    """All facts of a listing, its condition among them."""
    return {**listing.attributes, **({"condition_grade": listing.condition} if listing.condition else {})}


def field_text(value: str | float | None) -> str | None:
    """A field's value as it stands in an input; None for no value."""
    return f"{value:.2f}".removesuffix(".00") if isinstance(value, float | int) else value


def field_version(text: str | None) -> str:
    """The version of a field with this value: a digest, as what a model wrote again has no edit of its own."""
    return hashlib.blake2b((text or "").encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Problem:
    """Reason why a draft failed: a short code and one sentence."""

    code: str
    message: str


@dataclass(frozen=True)
class DraftView:
    """A draft as its seller sees it: what the model wrote, with everything the seller changed laid over it.

    state: uploading, queued (``position`` counts the drafts before this one), working (``stage``, ``share``,
        ``seconds_left``), ready, failed or stopped (``problem`` says why; what had arrived stays), published.
    share: share of the usual work that is done, 0..1. seconds_left: estimate, None when unknown.
    event: the pipeline's event that led to this view; None for a tick of the clock, a queue position or an edit.
    locked: names of what the seller set: ``title``, ``description``, ``price``, ``category`` or an attribute's name.
    price: the range by comparable listings; asked: the seller's own price; both in ``currency``.
    draft: the finished draft with the seller's changes; None until the state is ready.
    written_from: ids of the photos that were looked at when it was written.
    version: grows with every change of the draft, whoever makes it.
    """

    draft_id: str
    state: DraftState
    photos: tuple[PhotoRef, ...] = ()
    note: str = ""
    tone: Tone = "plain"
    position: int = 0
    stage: str | None = None
    share: float = 0.0
    seconds_left: float | None = None
    event: Event | None = None
    category: Category | None = None
    attributes: tuple[AttributeValue, ...] = ()
    questions: tuple[Question, ...] = ()
    title: str = ""
    description: str = ""
    flags: tuple[Flag, ...] = ()
    price: PriceRange | None = None
    asked: float | None = None
    currency: str = "EUR"
    neighbours: tuple[NeighbourRef, ...] = ()
    quality: Quality | None = None
    model: str = ""
    locked: frozenset[str] = field(default_factory=frozenset)
    problem: Problem | None = None
    draft: Draft | None = None
    listing_id: str | None = None
    written_from: frozenset[str] = field(default_factory=frozenset)
    version: int = 0

    def value(self, name: str) -> str | None:
        """Value of a field, as text: ``title``, ``description``, ``price``, ``category`` or an attribute's name."""
        if name in TEXT_FIELDS:
            return str(getattr(self, name))
        if name == "price":
            return field_text(self.asked)
        if name == "category":
            return self.category.value if self.category is not None else None
        details = {f"detail:{d.phrase}": d.phrase for d in self.draft.details} if self.draft is not None else {}
        return details.get(name) or next((a.value for a in self.attributes if a.name == name), None)

    def field_version(self, name: str) -> str:
        """The version of a field, for whoever changes what they were shown."""
        return field_version(self.value(name))
