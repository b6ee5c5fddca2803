"""The questions of an evaluation: the category and every attribute with all its values."""

from __future__ import annotations

from listing import prompts
from listing.backends.base import ChoiceQuestion
from listing.taxonomy import Attribute, Taxonomy


def seen_attributes(taxonomy: Taxonomy) -> list[Attribute]:
    """Closed attributes of the tuned categories that a photo can show, with the values that occur there."""
    return list(taxonomy.asked())


def all_questions(taxonomy: Taxonomy) -> list[ChoiceQuestion]:
    """The category question and one about each attribute with all its values; schemas narrow them afterwards."""
    asked = [ChoiceQuestion("category", prompts.CATEGORY, tuple(prompts.category_answers(taxonomy).values()))]
    return asked + [ChoiceQuestion(a.name, prompts.attribute_question(a), a.answers) for a in seen_attributes(taxonomy)]


def named(answers: dict[str, dict[str, float]], taxonomy: Taxonomy) -> dict[str, dict[str, float]]:
    """Answers with the category's words replaced by its name."""
    names = {words: name for name, words in prompts.category_answers(taxonomy).items()}
    if "category" not in answers:
        return answers
    return {**answers, "category": {names[words]: p for words, p in answers["category"].items()}}
