"""Title and description, decoded by the MLLM from the verified facts; the seller's own words are kept as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from listing import prompts
from listing.backends.base import Backend
from listing.request import Tone
from listing.taxonomy import CategoryNode

TITLE_TOKENS, DESCRIPTION_TOKENS = 28, 96


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
