"""A person's request to the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from listing.events import Event
from listing.languages import ENGLISH
from listing.schema import Draft, PhotoRef

if TYPE_CHECKING:
    from PIL import Image

Tone = Literal["plain", "shorter", "warmer"]
TONES: tuple[Tone, ...] = ("plain", "shorter", "warmer")


@dataclass(frozen=True)
class Photo:
    """A clean photo, as ``listing.intake`` makes it.

    image: RGB, upright, longest side at most ``PhotoLimits.long_side``, no metadata.
    jpeg: the same pixels encoded again, no metadata.
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
    language: of the texts, one of ``listing.languages``; a model that writes English alone says so.
    earlier_draft: of the same photos; its facts are reused, so that only the text is written again.
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


class DraftPipeline(Protocol):
    """Photos to a stream of events; the last one is a ``DraftEvent``. Closing the iterator stops the work.

    concurrency: how many runs it allows at the same time, each in a thread of its own.
    """

    concurrency: int

    def run(self, request: DraftRequest) -> Iterator[Event]: ...
