"""Lines of notes, of print in photos and of past listings that give orders: they are data and support no claim.

What a model wrote all the same is filtered in ``listing/say/check.py``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

from listing.safety.fold import fold

_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|[\r\n]+")
_SPELLED = re.compile(r"(?<![^\W_])(?:[^\W\d_][\s.·_-]{1,3}){4,}[^\W\d_](?![^\W_])")
_SPELLED_ORDER = re.compile(r"ignore|rules|say|write|schreib|ecri|note|system|instruction")


@cache
def _orders() -> tuple[re.Pattern[str], ...]:
    lists = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return tuple(re.compile("|".join(patterns).replace("\n", ""), re.IGNORECASE) for patterns in lists.values())


def closed_up(line: str) -> str:
    """'s a y :  h i' as 'say: hi': letters with blanks between, words parted by wider gaps where there are any."""
    wide = bool(re.search(r"\S\s{2,}\S", line))
    return _SPELLED.sub(lambda m: re.sub(r"(?<=\S)\s(?=\S)|[.·_-]" if wide else r"[\s.·_-]", "", m[0]), line)


def instruction_like(line: str) -> bool:
    """True if a line gives orders (or carries control tokens) instead of describing an item."""
    closed = closed_up(line)
    if closed != line and _SPELLED_ORDER.search(closed.lower()):
        return True
    return any(order.search(form) for order in _orders() for form in (line, fold(line).lower, closed))


def sentences_without_orders(text: str) -> list[str]:
    """The sentences of a note that give no orders, nor go on with one in the next line."""
    result, ordered = list[str](), False
    for sentence in filter(None, map(str.strip, _SENTENCE_ENDS.split(text))):
        ordered = instruction_like(sentence) or (ordered and sentence[0].islower())
        if not ordered:
            result.append(sentence)
    return result


def without_instructions(text: str) -> str:
    """The lines of ``text`` that give no orders: the only ones that may support a claim."""
    return "\n".join(line for line in text.split("\n") if not instruction_like(line))
