"""What the pipeline needs of a multimodal LLM. Two real ones: ``local`` (transformers), ``openai`` (by URL)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

from listing.errors import IplError


class BackendError(IplError, RuntimeError):
    """The model cannot be used; the message is one sentence that says what to do."""

    code = "model"
    http_status = 503


@dataclass(frozen=True)
class ChoiceQuestion:
    """A closed question: ``answers`` are the texts that are scored as the assistant's reply."""

    name: str
    prompt: str
    answers: tuple[str, ...]


class Backend(Protocol):
    """A multimodal LLM."""

    name: str

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        """Probability of every answer of every question, by the question's name; each sums to 1.

        All questions share the prefix of the photo, which is computed once.
        """
        ...

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """Decode an answer to ``prompt`` about photos of one item (none at all, too), piece by piece.

        A model that takes one photo at a time gets the first.
        """
        ...

    def opinions(self, image: Image.Image) -> dict[str, dict[str, float]]:
        """The *classifier* source: probabilities of the vision tower's own heads by question; {} without heads."""
        ...

    def describe(self) -> dict[str, Any]:
        """Model id, device, precision: for ``doctor`` and the draft's ``model`` field."""
        ...
