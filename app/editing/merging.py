"""A text that the seller typed, and what the program would write in its place now: both changes in one text. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

_UNITS = (re.compile(r"[^.!?\n]+[.!?]*\s*|[.!?\n]+\s*"), re.compile(r"\S+\s*|\s+"))  # sentences; words
_Change = tuple[int, int, list[str]]  # from, to, what stands there instead


def merged(old: str, new: str, typed: str) -> str | None:
    """``typed`` with what changed from ``old`` to ``new``; None where both changed the same words.

    Whole sentences are compared first, so that what the program writes stays as it wrote it.
    """
    return next((text for unit in _UNITS if (text := _merged(*map(unit.findall, (old, new, typed)))) is not None), None)


def _merged(old: Sequence[str], new: Sequence[str], typed: Sequence[str]) -> str | None:
    changes = sorted([*_changes(old, new), *_changes(old, typed)], key=lambda c: (c[0], c[1]))
    if any(_meet(first, second) for first, second in pairwise(changes)):
        return None
    parts: list[str] = []
    at = 0
    for start, end, instead in changes:
        parts += [*old[at:start], *instead]
        at = end
    parts += old[at:]
    return "".join(f"{part} " if part[-1:] in ".!?" else part for part in parts).rstrip()


def _changes(old: Sequence[str], other: Sequence[str]) -> list[_Change]:
    codes = SequenceMatcher(None, [w.strip() for w in old], [w.strip() for w in other], autojunk=False).get_opcodes()
    return [(i1, i2, list(other[j1:j2])) for kind, i1, i2, j1, j2 in codes if kind != "equal"]


def _meet(first: _Change, second: _Change) -> bool:
    """Whether two changes are of the same words; of two things that were put in the same place the first goes first."""
    return second[0] < first[1] or (first[:2] == second[:2] and first[0] < first[1])
