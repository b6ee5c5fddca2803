"""Every prompt, once: what is tuned is what is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from listing.request import Tone
from listing.taxonomy import Attribute, CategoryNode, Taxonomy

CATEGORY = "What is it?"
YES, NO = "yes", "no"
UNKNOWN = "unknown"
LETTERS = "ABCDEFGHIJKLMNOPQRST"  # twenty: most servers list no more alternatives of a token


def attribute_question(attribute: Attribute, hints: Sequence[str] = ()) -> str:
    """The closed question about one attribute. ``hints``: values of similar listings, to confirm or to reject."""
    question = attribute.model_question
    if not hints:
        return question
    return f"{question} Similar listings say {' or '.join(hints)}; look at the photo."


def claim_question(attribute: Attribute, value: str) -> str:
    """Yes or no: does the photo show this value?"""
    return f"Does the photo show {attribute.label} {value}?"


def category_answers(taxonomy: Taxonomy) -> dict[str, str]:
    """Category name -> the words that the model answers with, for the tuned categories."""
    return {name: taxonomy.categories[name].phrase for name in taxonomy.tuned()}


def facts_line(node: CategoryNode, facts: Mapping[str, str]) -> str:
    """The verified facts as the text prompts name them: ``hoodie; colour: navy; closure: zip``."""
    return "; ".join([node.phrase, *(f"{name}: {value}" for name, value in facts.items())])


def title_prompt(node: CategoryNode, facts: Mapping[str, str]) -> str:
    """Ask for a title from the verified facts alone."""
    return f"Facts: {facts_line(node, facts)}\nWrite the title."


def description_prompt(node: CategoryNode, facts: Mapping[str, str], tone: Tone = "plain") -> str:
    """Ask for a description from the verified facts alone, in one of the tones."""
    return f"Facts: {facts_line(node, facts)}\nWrite a {tone} description."


def lettered(prompt: str, answers: Sequence[str]) -> str:
    """A closed question for a model that was not tuned on ours: it replies with a letter. At most ``len(LETTERS)``."""
    options = "\n".join(f"{LETTERS[i]}. {answer}" for i, answer in enumerate(answers))
    return f"{prompt}\n{options}\nReply with the letter of the best option and nothing else."
