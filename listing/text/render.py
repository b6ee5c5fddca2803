"""Plain texts from verified facts alone: what stands in for a text that the model did not get right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from listing.taxonomy import Attribute, CategoryNode, Forms, Taxonomy

_COLOURS = ("colour", "colour2")
_OWNERS = re.compile(r".*'s|kids'|baby")  # "a plain navy women's dress": who it is for stands next to the noun


@dataclass
class _Words:
    """What is said before the noun, behind a "with", and in sentences of their own."""

    before: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)


def title(node: CategoryNode, facts: Mapping[str, str], taxonomy: Taxonomy) -> str:
    """The brand, the colour, what it is, and one more thing that can be seen; never empty."""
    words = _words(node, facts, taxonomy)
    text = " ".join([*_given(facts, "brand"), _noun(node, words)])
    if words.behind:
        text += f" with {words.behind[0]}"
    return _capital(text)


def description(node: CategoryNode, facts: Mapping[str, str], taxonomy: Taxonomy) -> str:
    """Every fact once, in one to a few short sentences; never empty."""
    words = _words(node, facts, taxonomy)
    noun = _noun(node, words)
    article = "" if node.plural else "an " if noun[:1].lower() in "aeio" else "a "
    text = " ".join([article + noun, *(f"by {brand}" for brand in _given(facts, "brand"))])
    behind = [*words.behind, *(f'the words "{text}"' for text in _given(facts, "text"))]
    if behind:
        text += f" with {_listed(behind)}"
    return " ".join([f"{_capital(text)}.", *words.sentences])


def additions(node: CategoryNode, facts: Mapping[str, str], taxonomy: Taxonomy) -> list[str]:
    """Sentences that add these facts to a description; not those that only stand before a noun."""
    words = _Words()
    for attribute in taxonomy.in_text():
        forms = attribute.forms.get(facts.get(attribute.name, ""), Forms())
        if forms.behind:
            words.behind.append(forms.behind[0])
        elif forms.sentence:
            words.sentences.append(forms.sentence[-1 if node.plural else 0])
    has = [f"{'They have' if node.plural else 'It has'} {_listed(words.behind)}."] if words.behind else []
    return [*has, *words.sentences]


def _words(node: CategoryNode, facts: Mapping[str, str], taxonomy: Taxonomy) -> _Words:
    words = _Words(before=[_colour(facts, taxonomy)] if "colour" in facts or "colour2" in facts else [])
    named = set(re.split(r"[ -]", node.phrase))
    for attribute in taxonomy.in_text():
        value = facts.get(attribute.name)
        if value is None or attribute.name in (*_COLOURS, "brand", "text"):
            continue
        if value not in node.implies and value.split("-")[0] not in named:  # "long-sleeved long-sleeved top"
            _add(words, attribute, value, node.plural)
    words.before = list(dict.fromkeys(words.before))  # lace is a pattern and a material
    words.before.sort(key=lambda word: (word != "plain", bool(_OWNERS.fullmatch(word))))
    return words


def _add(words: _Words, attribute: Attribute, value: str, plural: bool) -> None:
    forms = attribute.forms.get(value)
    if forms is not None and forms.before:
        words.before.append(forms.before[0])
    elif forms is not None and forms.behind:
        words.behind.append(forms.behind[0])
    elif forms is not None and forms.sentence:
        words.sentences.append(forms.sentence[-1 if plural else 0])
    else:
        words.sentences.append(f"{_capital(attribute.label)}: {value}.")


def _colour(facts: Mapping[str, str], taxonomy: Taxonomy) -> str:
    words = []
    for name in _COLOURS:
        for value in _given(facts, name):
            forms = taxonomy.attributes[name].forms.get(value)
            words.append(forms.before[0] if forms else value.replace("-", " "))
    return " and ".join(dict.fromkeys(words))


def _noun(node: CategoryNode, words: _Words) -> str:
    return " ".join([*words.before, node.phrase])


def _given(facts: Mapping[str, str], name: str) -> list[str]:
    return [facts[name]] if facts.get(name) else []


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
