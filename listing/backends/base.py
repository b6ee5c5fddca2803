"""The interface of a multimodal LLM. The real ones: ``embedded``, ``local`` (transformers), ``openai`` (by URL)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from listing.errors import IplError


class BackendError(IplError, RuntimeError):
    """The model cannot be used; the message is one sentence that says what to do."""

    code = "model"
    http_status = 503


class ServerError(BackendError):
    """The model's server did not do what a request asks for.

    status: of HTTP, 0 where there is none; ``away``: nobody is there for the moment.
    """

    def __init__(self, message: str, status: int = 0, *, away: bool = False) -> None:
        super().__init__(message)
        self.status, self.away = status, away


class RepliesUnreadable(BackendError):
    """Nothing that the model replied about an item can be read."""

    code = "unreadable"


@dataclass(frozen=True)
class ChoiceQuestion:
    """A closed question: ``answers`` are the texts that are scored as the assistant's reply."""

    name: str
    prompt: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Form:
    """Everything about one item in one request, or claims about it, answered by one JSON object.

    prompt: all keys in words. choices: answers by key; ``also``: other words for them, by key. words: keys of what is
    read or named freely. phrases: the key of a list of free phrases. value_key: of an answer, where the prompt says
    itself in which form each is given, and how sure ("" where the form is to say it).
    """

    prompt: str
    choices: Mapping[str, Sequence[str]]
    also: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    words: Sequence[str] = ()
    phrases: str = ""
    value_key: str = ""


@dataclass(frozen=True)
class Words:
    """Free words of a model, how sure it is (0..1), and the photo where they are read, from 0 on (None: not said)."""

    text: str
    sure: float
    photo: int | None = None


@dataclass(frozen=True)
class Filled:
    """A filled form. A key that was not answered, or whose answer is none of its own, is missing (phrases: None)."""

    choices: Mapping[str, Mapping[str, float]]
    words: Mapping[str, Words] = field(default_factory=dict)
    phrases: Sequence[Words] | None = None


class Backend(Protocol):
    """A multimodal LLM. ``concurrency``: how many drafts it may work on at the same time."""

    name: str
    concurrency: int

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """Decode an answer to ``prompt`` about photos of one item (none at all, too), piece by piece.

        A model that takes one photo at a time gets the first.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Model id, device, precision: for ``doctor`` and the draft's ``model`` field."""
        ...


@runtime_checkable
class QuestionBackend(Protocol):
    """A model that answers closed questions about one photo."""

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        """Probability of every answer of every question, by the question's name; each sums to 1.

        A question that was not answered is missing. All share the prefix of the photo, which is computed once.
        """
        ...


@runtime_checkable
class FormBackend(Protocol):
    """A model that fills in a whole form at once."""

    def fill(self, images: Sequence[Image.Image], form: Form) -> Filled | None:
        """The form about the item that all photos show; None: what it replied is no such form."""
        ...


def has_bfloat16() -> bool:
    """True if the processor has 16-bit arithmetic of its own; elsewhere it is slower than 32 bits."""
    import torch

    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
