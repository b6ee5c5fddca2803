"""A person's request to the pipeline, and the events that it streams back while a draft is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from listing.languages import ENGLISH
from listing.schema import AttributeValue, Category, Draft, Model, PhotoRef, Question, Tone

if TYPE_CHECKING:
    from PIL import Image

TONES: tuple[Tone, ...] = ("plain", "shorter", "warmer")


@dataclass(frozen=True)
class Photo:
    """A clean photo, as ``listing.intake`` makes it.

    image: RGB, upright, longest side at most ``PhotoLimits.long_side``, no metadata.
    jpeg: the file that holds these pixels, no metadata.
    name: the original file name or "photo N"; for messages only, never stored or shown to others.
    """

    ref: PhotoRef
    image: Image.Image
    jpeg: bytes
    name: str


@dataclass(frozen=True)
class DraftRequest:
    """One item.

    photos: 1 to 8, already through intake, in the seller's order.
    note: the seller's own words, kept verbatim in the description.
    seller_id: whose past listings retrieval must leave out.
    category: the seller's choice; None lets the pipeline decide.
    facts: attribute name -> value that the seller stated or corrected (evidence: seller; locked).
    title, description: text that the seller edited; kept as it is.
    language: of the texts, one of ``listing.request``; a model that writes English alone says so.
    earlier_draft: of the same photos; its facts are reused, so that only the text is written again.
    again: somebody waits for the model that failed a moment ago, which is not asked now otherwise.
    """

    photos: tuple[Photo, ...]
    note: str = ""
    seller_id: str | None = None
    category: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    title: str | None = None
    description: str | None = None
    tone: Tone = "plain"
    language: str = ENGLISH
    earlier_draft: Draft | None = None
    again: bool = False


class DraftPipeline(Protocol):
    """Photos to a stream of events; the last one is a ``DraftEvent``. Closing the iterator stops the work.

    concurrency: how many runs it allows at the same time, each in a thread of its own.
    """

    concurrency: int

    def run(self, request: DraftRequest) -> Iterator[Event]: ...

    def glance(self, photo: Photo) -> tuple[str, str]:
        """Kind and main colour of what is on a photo, "" for what cannot be told; no server is asked."""
        ...


class StageEvent(Model):
    """A stage begins; ``share`` is how much of the usual work is done (0..1)."""

    kind: Literal["stage"] = "stage"
    stage: Literal["photos", "reading", "category", "similar", "facts", "text", "checks"]
    share: float


class CategoryEvent(Model):
    """The item's category."""

    kind: Literal["category"] = "category"
    category: Category


class AttributeEvent(Model):
    """A fact with what supports it."""

    kind: Literal["attribute"] = "attribute"
    attribute: AttributeValue


class QuestionEvent(Model):
    """A question that only the seller can answer."""

    kind: Literal["question"] = "question"
    question: Question


class TextEvent(Model):
    """A piece of decoded text. ``replace`` true: ``text`` is the whole field after the checks."""

    kind: Literal["text"] = "text"
    field: Literal["title", "description"]
    text: str
    replace: bool = False


class DraftEvent(Model):
    """The finished draft; always the last event."""

    kind: Literal["draft"] = "draft"
    draft: Draft


Event = StageEvent | CategoryEvent | AttributeEvent | QuestionEvent | TextEvent | DraftEvent
