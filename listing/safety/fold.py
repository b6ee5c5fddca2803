"""One spelling for look-alike characters, with a map back to the text as it was written.

Full-width, circled, mathematical and keycap characters, accents, zero-width characters and letters of other scripts
that imitate Latin ones are folded away, so that a check need not know them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Tags and template fields, as somebody may paste them: no words of a seller.
_TAGS = "a|b|body|br|div|em|form|h[1-6]|i|iframe|img|input|li|p|script|span|strong|style|svg|table|td|tr|u|ul"
MARKUP = re.compile(
    rf"<script\b.{{0,200}}?</script>|<(?:{_TAGS})(?:\s[^<>]{{0,200}})?/?(?:>|$)|</[a-z][a-z0-9]{{0,9}}>|"
    r"\bon[a-z]{4,12}=[^\s<>]{0,80}|\$\{[^{}]{0,80}\}|\{\{[^{}]{0,80}\}\}",
    re.IGNORECASE | re.DOTALL,
)
_LOOKALIKES = str.maketrans(
    "абвеікморстухѕԁһјԛԝзєαβεικνορτυχωςσ",
    "aбbeikmopctyxsdhjqw3eabeiknoptuxwcs".replace("б", "b"),
)
_WORD = re.compile(r"[^\W\d_]+")
_MIXED = re.compile(r"[a-z][а-яєіѕһјԁԛԝα-ω]|[а-яєіѕһјԁԛԝα-ω][a-z]")
# What Unicode does not decompose: letters with a stroke, rings that are drawn for a zero, and letters in boxes and
# discs, by the first code point of each run of 26.
_STROKES_AND_RINGS = str.maketrans("øØłŁđĐ○◯⚪⭕", "oOlLdD0000")
_BOXED = (0x1F130, 0x1F150, 0x1F170)


@dataclass(frozen=True)
class Folded:
    """``lower`` and ``cased`` have the same length; character i came from ``origin[i]`` of ``source``.

    ``odd[i]`` is true where a digit was written in a disguise (circled, full-width, keycap, superscript).
    """

    source: str
    lower: str
    cased: str
    origin: tuple[int, ...]
    odd: tuple[bool, ...]

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """Folded characters ``start``..``end`` in the source, with marks that hang on its last character."""
        first, last = self.origin[start], self.origin[end - 1] + 1
        while last < len(self.source) and _is_mark(self.source[last]):
            last += 1
        return first, last


def _is_mark(char: str) -> bool:
    """Zero-width and combining characters: they only decorate the one before."""
    return unicodedata.category(char) in ("Mn", "Me", "Cf")


def _fold_char(char: str) -> str:
    if char.isascii():
        return char
    if _is_mark(char):
        return ""
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    for first in _BOXED:
        if first <= ord(char) < first + 26:
            return chr(ord("a") + ord(char) - first)
    plain = unicodedata.normalize("NFKD", char.translate(_STROKES_AND_RINGS))
    return "".join(c for c in plain if not unicodedata.combining(c))


def fold(text: str) -> Folded:
    """Fold ``text``; the result is at most a few times as long."""
    cased: list[str] = []
    origin: list[int] = []
    odd: list[bool] = []
    for index, char in enumerate(text):
        keycap = text[index + 1 : index + 3].lstrip("\ufe0f").startswith("\u20e3")
        for piece in _fold_char(char):
            cased.append(piece)
            origin.append(index)
            odd.append(piece.isdigit() and (keycap or not char.isascii()))
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in cased)
    # A word of two alphabets imitates; a whole Cyrillic or Greek word is a word.
    lower = _WORD.sub(lambda m: m[0].translate(_LOOKALIKES) if _MIXED.search(m[0]) else m[0], lower)
    return Folded(text, lower, "".join(cased), tuple(origin), tuple(odd))
