"""A text's sentences, and how print is compared."""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"(?:\"[^\"\n]*\"|[.!?](?=\w)|[^.!?\n])*[.!?\n]*\s*")  # print in quotation marks ends none


def split(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences, each with the blanks behind it."""
    return [match.span() for match in _SENTENCE.finditer(text) if match[0]]


def letters(text: str) -> str:
    """Letters and digits alone, in lower case: how print is compared."""
    return re.sub(r"[\W_]+", "", text.lower())
