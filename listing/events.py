"""Events that the pipeline streams while a draft is being made, in order of usefulness to the person who waits."""

from __future__ import annotations

from typing import Literal

from listing.schema import AttributeValue, Category, Draft, Model, Question


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
