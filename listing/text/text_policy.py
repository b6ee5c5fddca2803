"""What a text may say of what the photos show: less than the form, because a buyer cannot see what it rests on.

In the form a seller sees each value with its evidence and takes it back with one click. A text is read as a promise. So
it says what is surer than the form's threshold, leaves out what no photo can settle (cotton, for women), and calls a
thing whose category is less likely than not by a word that is right for every candidate. What the seller says, or
what stands on a label, is always told.
"""

from __future__ import annotations

from collections.abc import Sequence

from listing.facts.ensemble import Calibration
from listing.schema import AttributeValue, Category
from listing.taxonomy import CategoryNode, Taxonomy

MAX_VALUE_LENGTH = 60  # characters
NAMED = 0.5  # the least probability at which a text names the category
_OWN_WORDS = frozenset({"seller", "ocr"})
_CALIBRATED = frozenset({"mllm", "classifier"})


def sure_facts(facts: Sequence[AttributeValue], taxonomy: Taxonomy, calibration: Calibration) -> list[AttributeValue]:
    """The facts that a text may state, in their order."""
    return [fact for fact in facts if fact.value is not None and _sure(fact, taxonomy, calibration)]


def text_values(facts: Sequence[AttributeValue], taxonomy: Taxonomy) -> dict[str, str]:
    """Attribute -> value of the facts that texts mention at all, in the prompts' order; long print is cut."""
    values = {fact.name: fact.value for fact in facts if fact.value is not None}
    return {
        a.name: " ".join(value.replace('"', " ").split())[:MAX_VALUE_LENGTH]
        for a in taxonomy.in_text()
        if (value := values.get(a.name)) and value not in a.unspoken
    }


def _sure(fact: AttributeValue, taxonomy: Taxonomy, calibration: Calibration) -> bool:
    sources = {evidence.source for evidence in fact.evidence}
    if fact.locked or sources & _OWN_WORDS:
        return True
    attribute = taxonomy.attributes.get(fact.name)
    if attribute is not None and fact.value in attribute.unsettled:
        return False
    rule = calibration.questions.get(fact.name)
    if rule is None or fact.confidence is None or not sources & _CALIBRATED:
        return True  # no other threshold is known than the one that it has passed
    return fact.confidence >= rule.text_threshold


def subject(category: Category, taxonomy: Taxonomy, *, sure: bool = True) -> tuple[CategoryNode, Taxonomy]:
    """What the text is about, and a taxonomy that knows it: the leaf, or a nameless stand-in with the group's word.

    Args:
        sure: False when the category's probability is a model's that is not calibrated.

    Raises:
        KeyError: the category has no value.
    """
    if category.value is None:
        raise KeyError("a text needs a category")
    node = taxonomy.categories[category.value]
    if sure and category.confidence >= NAMED:
        return node, taxonomy
    noun = taxonomy.noun([candidate.value for candidate in category.candidates] or [category.value])
    return _stand_in(node, noun, taxonomy)


def _stand_in(node: CategoryNode, noun: str, taxonomy: Taxonomy) -> tuple[CategoryNode, Taxonomy]:
    # A name that no noun of the lexicon means, so that the checks find every leaf's name unsupported.
    vague = node.model_copy(update={"name": f"some {noun}", "phrase": noun, "synonyms": (), "plural": False})
    return vague, taxonomy.model_copy(update={"categories": {**taxonomy.categories, vague.name: vague}})
