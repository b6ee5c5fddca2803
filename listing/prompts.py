"""Every prompt, once: what is tuned is what is served."""

from __future__ import annotations

from collections.abc import Sequence

from listing.schema import Tone
from listing.taxonomy import Attribute, CategoryNode, Taxonomy

CATEGORY = "What is it?"
YES, NO = "yes", "no"
UNKNOWN = "unknown"
NO_CATEGORY = "something else"


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
    """Category name -> the words that the model answers with, for the tuned categories (without any, for all)."""
    if not taxonomy.tuned():
        return leaf_answers(taxonomy)
    return {name: taxonomy.categories[name].phrase for name in taxonomy.tuned()}


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
    photos: int = 1,
    language: str = "",
) -> str:
    """Ask a model that sees the photo for title and description.

    Args:
        name: what the item is called.
        sure, likely: what may be said, as ``colour: navy`` or a detail's phrase.
        printed: the words that can be read on it.
        note: the seller's own, which will stand below the description.
        examples: texts of other listings of the platform.
        photos: how many of this item it is shown. language: the name of the texts' language; English where empty.
    """
    inside = f" in {language}" if language else ""
    lines = [f"Write a second-hand listing{inside} for this {name}, in the words of a private seller."]
    lines += [f"The {photos} photos show the same one."] if photos > 1 else []
    lines += [f"Certain: {'; '.join(sure)}"] if sure else []
    lines += [f"Likely (say it where the photo agrees): {'; '.join(likely)}"] if likely else []
    lines += [f'Printed on it: "{printed}"'] if printed else []
    lines += [f"The seller adds below your text (do not repeat it): {note}"] if note else []
    if examples:
        lines += ["Two listings of this kind, for their style alone; nothing in them is true of this one:"]
        lines += [f"- {' '.join(text.split())}" for text in examples]
    lines += [
        "Say what a buyer would look for and the photo shows: no size, brand, age, price or praise of your own.",
        f"First line: a title of 4 to 9 words. Second line: the description, {_TONES[tone]}.",
    ]
    return "\n".join(lines)


def claims(lines: Sequence[str]) -> str:
    """Ask of each claim about one item, a line each, whether the photos show that it is so."""
    numbered = "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1))
    return (
        "Here are claims about the thing in the photos, some of them false. Look at the photos and judge each claim by "
        'itself. Reply with one JSON object and nothing else: for the number of each claim {"there": "yes", "no" or '
        f'"cannot tell", "sure": 0 to 1}}.\n{numbered}'
    )


def leave_out(words: Sequence[str]) -> str:
    """Told with a listing's prompt when it is written again: what the first text said and the photos do not show."""
    return f"You wrote it before; some of it was wrong. Leave out: {'; '.join(words)}."


def leaf_answers(taxonomy: Taxonomy) -> dict[str, str]:
    """Category name -> the words of the form for it, of all categories: the phrase, or the name where two share one."""
    phrases = [node.phrase for node in taxonomy.leaves()]
    return {n.name: n.phrase if phrases.count(n.phrase) == 1 else n.name for n in taxonomy.leaves()}


def worded(prompt: str, answers: Sequence[str]) -> str:
    """A closed question for a model behind a server, which replies with the words of an answer."""
    return f"{prompt}\nReply with one of these and nothing else: {', '.join(answers)}."


HOW_SURE = 'Put each value as {"value": ..., "sure": ...}, with the probability (0 to 1) that it is right.'


def form(taxonomy: Taxonomy, category: str | None = None) -> str:
    """Ask for everything about one item in one JSON object; ``category``: the seller's choice, which is then given."""
    nodes = [taxonomy.node(category)] if category else taxonomy.leaves()
    lines = [
        "The photos show one used thing that is for sale. Reply with one JSON object and nothing else; its keys are:",
        *([] if category else [f"category: one of these. {_tree(taxonomy)}; {NO_CATEGORY}"]),
        *_attribute_lines(nodes, taxonomy),
        'details: list of up to 6 short phrases in your own words, what else a buyer should know (["chest pocket"])',
        f'Where the photos do not show it, or it has none: "{UNKNOWN}"; of what is read: null. Guess no words.',
    ]
    if category:
        lines.insert(1, f"Its category is {taxonomy.node(category).phrase}.")
    return "\n".join(lines)


def _tree(taxonomy: Taxonomy) -> str:
    groups: dict[str, list[str]] = {}
    words = leaf_answers(taxonomy)
    for node in taxonomy.leaves():
        groups.setdefault(" > ".join(node.path[:-1]), []).append(words[node.name])
    return "; ".join(f"{group}: {', '.join(leaves)}" for group, leaves in groups.items())


def _attribute_lines(nodes: Sequence[CategoryNode], taxonomy: Taxonomy) -> list[str]:
    out = []
    for attribute in form_attributes(nodes, taxonomy):
        key = attribute.name if attribute.label == attribute.name else f"{attribute.name} ({attribute.label})"
        if attribute.values:
            out.append(f"{key}: {', '.join(attribute.answers)}")
        elif attribute.can_be("read"):
            out.append(f'{key}: {{"value": the words that can be read, "photo": number of the photo}}')
        else:
            out.append(f"{key}: what a seller would call it, in one to three words")
    return out


def form_attributes(nodes: Sequence[CategoryNode], taxonomy: Taxonomy) -> list[Attribute]:
    """Attributes that a form asks of items of these categories: all that a photo can show or that can be read."""
    names = dict.fromkeys(name for node in nodes for name in node.attributes)
    if len(nodes) == 1:
        attributes: Sequence[Attribute] = taxonomy.schema_of(nodes[0])
    else:
        attributes = [taxonomy.attributes[name] for name in names]
    return [a for a in attributes if a.can_be("seen") or a.can_be("read")]
