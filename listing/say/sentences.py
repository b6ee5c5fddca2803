"""A generated text, sentence by sentence: one with an unproven claim goes as a whole.

No word is taken out of a sentence: what is left was written as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from listing.say.ground import Claim
from listing.schema import Flag

_SENTENCE = re.compile(r"(?:\"[^\"\n]*\"|[.!?](?=\w)|[^.!?\n])*[.!?\n]*\s*")  # print in quotation marks ends none
MESSAGES = {
    "unsupported": "Nothing in the photos or your words supports “{}”; it was taken out.",
    "contradicted": "“{}” does not agree with what was verified; it was taken out.",
    "copied": "“{}” stands only in similar listings; it was taken out.",
    "prohibited": "“{}” cannot be stated in a listing that was written for you; it was taken out.",
}


def split(text: str, claims: Sequence[Claim] = ()) -> list[tuple[int, int]]:
    """Spans of the sentences, each with the blanks behind it; a full stop inside a claim ends none."""
    spans: list[tuple[int, int]] = []
    for match in _SENTENCE.finditer(text):
        if not match[0]:
            continue
        if spans and any(c.start < match.start() < c.end for c in claims):
            spans[-1] = (spans[-1][0], match.end())
        else:
            spans.append(match.span())
    return spans


def first(text: str) -> str:
    """The first sentence."""
    start, end = next(iter(split(text)), (0, 0))
    return text[start:end].strip()


def keep_supported(
    text: str, claims: Sequence[Claim], field: Literal["title", "description"] | None = None
) -> tuple[str, list[Flag]]:
    """(the sentences without an unproven claim, one flag for each such claim).

    A flag's span is that of the claim in ``text`` as it came in.
    """
    wrong = [c for c in claims if c.verdict != "supported"]
    flags = [
        Flag(code=f"claim-{c.verdict}", message=MESSAGES[c.verdict].format(c.text), field=field, span=(c.start, c.end))
        for c in wrong
    ]
    kept = [text[a:b] for a, b in split(text, claims) if not any(a <= c.start < b for c in wrong)]
    return "".join(kept).strip(), flags
