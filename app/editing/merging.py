"""A text that the seller typed, and what the program would write in its place now: both changes in one text. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from listing.lexicon import load_lexicon

# Sentences, whose end stands before a blank ("example.org" and "3.5" hold none); words.
_UNITS = (re.compile(r"(?:[^.!?\n]|[.!?]+(?=[^\s.!?]))+[.!?]*\s*|[.!?\n]+\s*"), re.compile(r"\S+\s*|\s+"))
_Change = tuple[int, int, list[str]]  # from, to, what stands there instead


def merged(old: str, new: str, typed: str) -> str | None:
    """``typed`` with what changed from ``old`` to ``new``; None where both changed the same words.

    Whole sentences are compared first, so that what the program writes stays as it wrote it.
    """
    return next((text for unit in _UNITS if (text := _merged(*map(unit.findall, (old, new, typed)))) is not None), None)


def _merged(old: Sequence[str], new: Sequence[str], typed: Sequence[str]) -> str | None:
    (own, _), (theirs, base) = _changes(old, new), _changes(old, typed)
    first = bool(theirs) and theirs[0][1] == 0  # the seller's words come first: no capital behind them
    amid = first and "".join(theirs[0][2]).rstrip()[-1:] not in (".", "!", "?")
    if amid and own and own[0][2][:1] == list(new[:1]):
        own[0] = (*own[0][:2], [_small(new[0]), *new[1 : len(own[0][2])]])
    changes = sorted([*theirs, *own] if first else [*own, *theirs], key=lambda c: c[:2])
    if any(_meet(one, other) for one, other in pairwise(changes)):
        return None
    parts: list[str] = []
    at = 0
    for start, end, instead in changes:
        parts += [*base[at:start], *instead]
        at = end
    text = "".join(part if part[-1:].isspace() else f"{part} " for part in (*parts, *base[at:])).rstrip()
    return text[:1].upper() + text[1:] if typed and typed[0][:1].isupper() else text


def _small(word: str) -> str:
    """A word that began a text as it stands within one; a brand keeps its capital."""
    return word if load_lexicon().brands.fullmatch(word.strip()) else word[:1].lower() + word[1:]


def _changes(old: Sequence[str], other: Sequence[str]) -> tuple[list[_Change], list[str]]:
    """What stands in ``other`` instead, a capital alone being no change; and ``old`` in the case of ``other``."""
    one, two = ([word.strip().lower() for word in each] for each in (old, other))
    codes = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    cased = list(old)
    for kind, i1, i2, j1, j2 in codes:
        cased[i1:i2] = other[j1:j2] if kind == "equal" else old[i1:i2]
    return [(i1, i2, list(other[j1:j2])) for kind, i1, i2, j1, j2 in codes if kind != "equal"], cased


def _meet(first: _Change, second: _Change) -> bool:
    """Whether two changes are of the same words; of two things that were put in the same place the first goes first."""
    return second[0] < first[1] or (first[:2] == second[:2] and first[0] < first[1])
