"""What to ask the seller, what to say of the model, and how good the draft is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from listing.backends.base import RepliesUnreadable
from listing.calibration import Calibration
from listing.schema import AttributeValue, Category, Draft, Flag, Quality, Question
from listing.taxonomy import CategoryNode, Taxonomy

if TYPE_CHECKING:
    from listing.request import DraftRequest
    from listing.say.compose import Text

MAX_QUESTIONS = 3
_ANY = ("condition_grade", "brand", "defects")  # asked of an item whatever it is


def questions(category: Category, facts: Sequence[AttributeValue], taxonomy: Taxonomy) -> list[Question]:
    """What only the seller can answer, the most useful first; nothing that is already known."""
    node = taxonomy.node(category.value)
    first = [] if category.value and not node.members else [_what_it_is(category, node)]
    known = {fact.name for fact in facts if fact.value is not None}
    open_ones = {
        attribute.name: attribute
        for attribute in taxonomy.schema_of(node)
        if attribute.name not in known
        and attribute.can_be("seller-only")
        and (category.value or attribute.name in _ANY)
    }
    order = [open_ones[name] for name in taxonomy.seller_order(open_ones)]
    asked = [Question(attribute=a.name, text=a.question, choices=list(a.seller_choices)) for a in order]
    return [*first, *asked][:MAX_QUESTIONS]


def _what_it_is(category: Category, node: CategoryNode) -> Question:
    """Of an item that nobody has named yet, or by its group alone; the seller can write anything else."""
    text = f"What kind of {node.phrase} is it?" if node.members and not node.plural else "What is it?"
    return Question(attribute="category", text=text, choices=[c.value for c in category.candidates])


def model_flags(model: str, calibration: Calibration, *, answered: bool) -> list[Flag]:
    """What is to be said of the model that saw the photos; ``answered``: whether any reply of it could be read."""
    if not answered:
        message = (
            f"The replies of the model {model!r} cannot be read: it fills in no form and answers no question in the "
            "words that it is given. Serve one that follows instructions, with thinking switched off."
        )
        return [Flag(code=RepliesUnreadable.code, message=message)]
    if calibration.fitted:
        return []
    message = "This model is not calibrated: what it saw, the category too, is a guess for you to check."
    return [Flag(code="uncalibrated", message=message)]


def readable(draft: Draft) -> Draft:
    """The draft as it is. RepliesUnreadable: it rests on no reply of the model."""
    for flag in draft.flags:
        if flag.code == RepliesUnreadable.code:
            raise RepliesUnreadable(flag.message)
    return draft


def quality(
    request: DraftRequest, category: Category, facts: Sequence[AttributeValue], text: Text, taxonomy: Taxonomy
) -> Quality:
    """See ``listing.intake.quality.assess``."""
    from listing.intake.quality import assess, photo_quality

    expected = taxonomy.seller_order(a.name for a in taxonomy.schema_of(taxonomy.node(category.value)))
    return assess(
        attributes=facts,
        title=text.title,
        description=text.description,
        photos=[photo_quality(photo.image) for photo in request.photos],
        flags=text.flags,
        expected=expected,
        own=(text.title, text.description) if request.title is None and request.description is None else ("", ""),
    )
