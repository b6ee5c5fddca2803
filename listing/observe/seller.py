"""The seller: their choice of a category, their answers, and what their note states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from listing.observe.note import read_note
from listing.observe.source import Context, Source
from listing.request import DraftRequest, Photo
from listing.schema import Observation

ANSWER, NOTE = "seller", "note"


class Seller(Source):
    """Answers (source ``seller``) and what the note states (source ``note``)."""

    name = ANSWER

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """All that the request holds of the seller's word."""
        return seller_observations(context.request)


def seller_observations(request: DraftRequest) -> Iterator[Observation]:
    """The seller's word in a request; every statement is sure."""
    answers = {**({"category": request.category} if request.category else {}), **request.facts}
    for source, statements in ((ANSWER, answers), (NOTE, read_note(request.note).facts)):
        for question, value in statements.items():
            yield Observation(source=source, question=question, probabilities={value: 1.0}, text=value)


def is_seller(observation: Observation) -> bool:
    """True if an observation is the seller's word, in whatever form."""
    return observation.source in (ANSWER, NOTE)
