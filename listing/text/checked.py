"""What the model wrote, as it may be shown: what is proven and whole stays, plain words stand in for the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from listing.safety.injection import guard, known_words
from listing.schema import Flag
from listing.taxonomy import CategoryNode, Taxonomy
from listing.text import render, sentences
from listing.text.support import NeighbourValues

Field = Literal["title", "description"]


@dataclass(frozen=True)
class Subject:
    """What a text is about: the item's kind, its verified facts, the seller's note, and what only neighbours say."""

    node: CategoryNode
    facts: Mapping[str, str]
    taxonomy: Taxonomy
    note: str = ""
    neighbour_values: NeighbourValues = ()


def checked_title(text: str, subject: Subject) -> tuple[str, list[Flag]]:
    """The title as it was written, or the plain one where any of it is unproven, made up or said twice."""
    text = " ".join(text.split())
    node, facts, taxonomy = subject.node, subject.facts, subject.taxonomy
    kept, flags = _guarded(text, "title", subject)
    sound = text and kept == text == known_words(text, [*facts.values(), subject.note, node.phrase])
    if sound and not sentences.misfit(text, facts, taxonomy):
        return text, flags
    return render.title(node, facts, taxonomy), flags


def checked_description(text: str, subject: Subject, *, filler: bool = False) -> tuple[str, list[Flag]]:
    """The sentences that may stay; the plain description where the first one, which names the item, may not.

    ``filler``: whether sentences without a fact belong to the tone.
    """
    text = " ".join(text.split())
    node, facts, taxonomy = subject.node, subject.facts, subject.taxonomy
    kept, flags = _guarded(text, "description", subject)
    kept = sentences.keep_new(kept, facts, taxonomy, filler=filler)
    opening = sentences.first(text)
    if not kept or not kept.startswith(opening) or _wrong_number(opening, node):
        return render.description(node, facts, taxonomy), flags
    stated = sentences.statements(kept, facts, taxonomy)
    lost = {n: facts[n] for n in sentences.statements(text, facts, taxonomy) if n not in stated}
    return " ".join([kept, *render.additions(node, lost, taxonomy)]), flags


def _wrong_number(sentence: str, node: CategoryNode) -> bool:
    """Whether a thing that comes as a plural is spoken of as one ("a plain trousers")."""
    return node.plural and bool(re.search(rf"\b(?:an?|this is)\b[^.,]*\b{re.escape(node.phrase)}", sentence, re.I))


def _guarded(text: str, field: Field, subject: Subject) -> tuple[str, list[Flag]]:
    facts, note = subject.facts, subject.note
    return guard(
        text,
        facts,
        subject.node.name,
        subject.taxonomy,
        note=note,
        ocr=[facts["text"]] if "text" in facts else [],
        neighbour_values=subject.neighbour_values,
        field=field,
    )
