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
    """Facts as the tuning tasks name them: ``hoodie; colour: navy; closure: zip``."""
    return "; ".join([node.phrase, *(f"{name}: {value}" for name, value in facts.items())])


def title_prompt(node: CategoryNode, facts: Mapping[str, str]) -> str:
    """The tuning task of a title from facts alone."""
    return f"Facts: {facts_line(node, facts)}\nWrite the title."


def description_prompt(node: CategoryNode, facts: Mapping[str, str], tone: Tone = "plain") -> str:
    """The tuning task of a description from facts alone, in one of the tones."""
    return f"Facts: {facts_line(node, facts)}\nWrite a {tone} description."


EXAMPLE_WORDS = 16  # of a past listing, in the short prompt
_TONES: dict[Tone, str] = {
    "plain": "2 to 4 plain sentences, 12 to 45 words",
    "shorter": "one plain sentence",
    "warmer": "2 to 4 friendly sentences, 12 to 50 words",
}


def listing_prompt(
    name: str,
    sure: Sequence[str],
    likely: Sequence[str],
    *,
    printed: str = "",
    note: str = "",
    examples: Sequence[str] = (),
    tone: Tone = "plain",
) -> str:
    """Ask a model that sees the photo for title and description.

    Args:
        name: what the thing is called.
        sure, likely: what may be said, as ``colour: navy`` or a detail's phrase.
        printed: the words that can be read on it.
        note: the seller's own, which will stand below the description.
        examples: texts of other listings of the platform.
    """
    lines = [f"Write a second-hand listing for this {name}, in the words of a private seller."]
    lines += [f"Certain: {'; '.join(sure)}"] if sure else []
    lines += [f"Likely (say it where the photo agrees): {'; '.join(likely)}"] if likely else []
    lines += [f'Printed on it: "{printed}"'] if printed else []
    lines += [f"The seller adds below your text (do not repeat it): {note}"] if note else []
    if examples:
        lines += ["Other listings, for their tone only; nothing in them is true of this one:"]
        lines += [f"- {' '.join(text.split())}" for text in examples]
    lines += [
        "Say nothing else that the photo does not show: no size, brand, age, price or praise of your own.",
        f"First line: a title of 4 to 9 words. Second line: the description, {_TONES[tone]}.",
    ]
    return "\n".join(lines)


def writer_prompt(
    name: str, sure: Sequence[str], likely: Sequence[str], *, printed: str = "", examples: Sequence[str] = ()
) -> str:
    """The short form for the embedded model, which is tuned on it and sees no photo: all that may be said, and no more.

    Args:
        name: what the thing is called.
        sure, likely: claims in the words of a text.
        printed: the words that can be read on it.
        examples: texts of other listings, for their tone; their first words are shown.
    """
    lines = [f"Listing: {name}"]
    lines += [f"Certain: {'; '.join(sure)}"] if sure else []
    lines += [f"Likely: {'; '.join(likely)}"] if likely else []
    lines += [f'Printed: "{printed}"'] if printed else []
    lines += [f"Tone: {' '.join(text.split()[:EXAMPLE_WORDS])}" for text in examples]
    return "\n".join(lines)


def lettered(prompt: str, answers: Sequence[str]) -> str:
    """A closed question for a model that was not tuned on ours: it replies with a letter. At most ``len(LETTERS)``."""
    options = "\n".join(f"{LETTERS[i]}. {answer}" for i, answer in enumerate(answers))
    return f"{prompt}\n{options}\nReply with the letter of the best option and nothing else."
