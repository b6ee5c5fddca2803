"""Title and description, decoded by the MLLM from the verified facts; the seller's own words are kept as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from listing import prompts
from listing.backends.base import Backend
from listing.lexicon import plain
from listing.request import Tone
from listing.safety.injection import known_words
from listing.schema import AttributeValue
from listing.taxonomy import CategoryNode

# What may stand in a text, in the order in which the prompts name it. Questions to the seller are not text.
TOLD = (
    "brand",
    "colour",
    "colour2",
    "pattern",
    "material",
    "sleeve",
    "neckline",
    "closure",
    "audience",
    "size",
    "condition",
    "text",
)
# Values that say nothing to a buyer, or that only a person who held the thing may claim.
_SILENT = {("condition", "none-visible"), ("pattern", "other")}
_LONGEST_TEXT = 60
TITLE_TOKENS, DESCRIPTION_TOKENS = 28, 96


def told_facts(attributes: Sequence[AttributeValue]) -> dict[str, str]:
    """Verified values that the text may use, in the prompts' order."""
    values = {a.name: a.value for a in attributes if a.value is not None}
    return {
        name: " ".join(value.replace('"', " ").split())[:_LONGEST_TEXT]
        for name in TOLD
        if (value := values.get(name)) and (name, value) not in _SILENT
    }


def write_title(backend: Backend, node: CategoryNode, facts: Mapping[str, str]) -> Iterator[str]:
    """Pieces of the title as they are decoded."""
    return _first_line(backend.write(None, prompts.title_prompt(node, facts), max_tokens=TITLE_TOKENS))


def write_description(backend: Backend, node: CategoryNode, facts: Mapping[str, str], tone: Tone) -> Iterator[str]:
    """Pieces of the description as they are decoded."""
    prompt = prompts.description_prompt(node, facts, tone)
    return _first_line(backend.write(None, prompt, max_tokens=DESCRIPTION_TOKENS))


def _first_line(pieces: Iterator[str]) -> Iterator[str]:
    """A text is one paragraph: whatever follows a line break was not asked for."""
    started = False
    for piece in pieces:
        text = piece if started else piece.lstrip()
        if not text:
            continue
        started = True
        head, broken, _ = text.partition("\n")
        if head:
            yield head
        if broken:
            return


def with_size(text: str, size: str, field: Literal["title", "description"]) -> str:
    """A known size in fixed words: a code such as M or 38 is nothing for a language model to play with."""
    if not size or re.search(rf"\bsize {re.escape(size)}\b", text, re.IGNORECASE):
        return text
    return f"{text}, size {size}" if field == "title" else f"{text} Size {size}."


def with_note(description: str, note: str) -> str:
    """The seller's note, word for word, in a paragraph of its own behind the description."""
    note = note.strip()
    if not note:
        return description
    return f"{description}\n\n{note}" if description else note


def sound_title(title: str, node: CategoryNode, facts: Mapping[str, str]) -> str:
    """The title without made-up words; empty where it then no longer says what the thing is."""
    kept = known_words(title, [*facts.values(), node.phrase])
    if kept == title:
        return title
    names = [plain(name) for name in (node.phrase, *node.synonyms)]
    return kept[:1].upper() + kept[1:] if any(name in plain(kept) for name in names) else ""


def without_facts(node: CategoryNode, facts: Mapping[str, str]) -> str:
    """The least text that is honest: what the thing is called, and its colour. For a model that wrote nothing."""
    words = [facts.get("colour", "").replace("-", " "), node.phrase]
    text = " ".join(word for word in words if word)
    return text[:1].upper() + text[1:]
