"""What to ask the seller, what to say of the model, and how good the draft is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from listing.facts.ensemble import Calibration
from listing.schema import AttributeValue, Category, Flag, Quality, Question
from listing.taxonomy import Taxonomy

if TYPE_CHECKING:
    from listing.request import DraftRequest
    from listing.text.compose import Text

MAX_QUESTIONS = 5


def questions(category: Category, facts: Sequence[AttributeValue], taxonomy: Taxonomy) -> list[Question]:
    """What only the seller can answer, the most useful first; nothing that is already known."""
    if category.value is None:
        return []
    known = {fact.name for fact in facts if fact.value is not None}
    open_ones = {
        attribute.name: attribute
        for attribute in taxonomy.schema(category.value)
        if attribute.name not in known and attribute.can_be("seller-only")
    }
    first = [open_ones[name] for name in taxonomy.seller_order(open_ones)]
    return [Question(attribute=a.name, text=a.question, choices=list(a.seller_choices)) for a in first[:MAX_QUESTIONS]]


def model_flags(calibration: Calibration) -> list[Flag]:
    """What is to be said of the model that saw the photos."""
    if calibration.fitted:
        return []
    message = "This model is not calibrated: what it saw, the category too, is a guess for you to check."
    return [Flag(code="uncalibrated", message=message)]


def quality(
    request: DraftRequest, category: Category, facts: Sequence[AttributeValue], text: Text, taxonomy: Taxonomy
) -> Quality:
    """See ``listing.intake.quality.assess``."""
    from listing.intake.quality import assess, photo_quality

    expected = taxonomy.seller_order(a.name for a in taxonomy.schema(category.value)) if category.value else []
    return assess(
        attributes=facts,
        title=text.title,
        description=text.description,
        photos=[photo_quality(photo.image) for photo in request.photos],
        flags=text.flags,
        expected=expected,
        own=(text.title, text.description) if request.title is None and request.description is None else ("", ""),
    )
