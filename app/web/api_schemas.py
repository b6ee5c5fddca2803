"""What the API takes and gives, as pydantic models; they are the OpenAPI schema."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.routing import Body
from app.views import DraftState, DraftView, Problem, as_displayed
from listing.intake.photos import PhotoLimits
from listing.schema import Draft, Listing, PhotoRef, Tone

Words = Annotated[str, StringConstraints(max_length=20_000)]
Short = Annotated[str, StringConstraints(max_length=2_000)]
DraftId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]


class DraftBody(Body):
    """A draft as its seller sees it; ``draft`` is null until it is done.

    Evidence names a photo by its place in ``photos``; evidence that was found in a photo, and names none, was found in
    one that has been removed.
    """

    id: str
    state: DraftState
    position: int = Field(description="Drafts before this one in the waiting line.")
    stage: str | None
    share: float = Field(description="Share of the usual work that is done, 0..1.")
    seconds_left: float | None = Field(description="Estimate.")
    note: str
    tone: Tone
    photos: list[PhotoRef]
    locked: list[str] = Field(
        description="What the seller set: title, description, price, category, a fact's name, `detail:` and a detail."
    )
    asked: float | None = Field(description="The seller's price.")
    currency: str
    draft: Draft | None
    problem: Problem | None
    listing_id: str | None

    @classmethod
    def of(cls, view: DraftView) -> DraftBody:
        """The body of a view."""
        same = {name: getattr(view, name) for name in cls.model_fields.keys() - {"id", "locked", "draft"}}
        draft = view.draft
        if draft is not None:  # what is far-fetched is shown nowhere
            draft = draft.model_copy(update={"category": as_displayed(draft.category)})
        return cls(id=view.draft_id, locked=sorted(view.locked), draft=draft, **same)


class PhotosBody(Body):
    """The photos that a draft is to have, in this order; those left out are deleted."""

    photos: list[Short] = Field(max_length=PhotoLimits().count, description="Ids of photos of this draft.")


class WriteBody(Body):
    """What is to change when a draft is written again; null or nothing: it stays."""

    note: Words | None = Field(default=None, description="The seller's words, kept verbatim.")
    tone: Tone | None = Field(default=None, description="How the text is written.")
    category: Short | None = Field(default=None, description="What it is.")


class ClaimsBody(Body):
    """What the seller says of the words of a draft's texts: all of it or nothing is done."""

    facts: dict[Short, Short | None] = Field(
        default_factory=dict,
        max_length=50,
        description="What it is instead, or the same value to confirm it; null leaves it out. By the span's attribute, "
        "`category`, or `detail:` and the span's value. What `offers` has is added in the same way.",
    )
    confirm: bool = Field(default=False, description="Everything that is still marked `check` is right.")


class PublishBody(Body):
    """Publish a finished draft. Fields that are given count as the seller's edits."""

    draft_id: DraftId
    title: Words | None = None
    description: Words | None = None
    category: Short | None = None
    price: float | None = Field(default=None, ge=0)
    facts: dict[str, Short] = Field(default_factory=dict, max_length=50, description="Attribute name to value.")


class ListingChanges(Body):
    """Fields to change; the others stay. ``attributes`` replaces all facts, a null price takes the price off."""

    title: Words | None = None
    description: Words | None = None
    price: float | None = Field(default=None, ge=0)
    stock: int | None = Field(default=None, ge=0)
    condition: Short | None = None
    status: Literal["active", "reserved", "sold", "removed"] | None = None
    attributes: dict[str, Short] | None = Field(default=None, max_length=50)

    def changes(self) -> dict[str, object]:
        """The fields that were given; null takes away only where that means something."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in sent.items() if value is not None or name in ("price", "condition")}


class ListingPage(Body):
    """Listings, best or newest first."""

    listings: list[Listing]


class Health(Body):
    """Whether the server can work."""

    status: Literal["ok"]
