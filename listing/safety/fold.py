"""One spelling for look-alike characters, with a map back to the text as it was written.

Full-width, circled, mathematical and keycap characters, accents, zero-width characters and letters of other scripts
that imitate Latin ones are folded away, so that each rule of the contact detectors is written once.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_LOOKALIKES = str.maketrans(
    "абвеікморстухѕԁһјԛԝзєαβεικνορτυχωςσ",
    "aбbeikmopctyxsdhjqw3eabeiknoptuxwcs".replace("б", "b"),
)
_WORD = re.compile(r"[^\W\d_]+")
_MIXED = re.compile(r"[a-z][а-яєіѕһјԁԛԝα-ω]|[а-яєіѕһјԁԛԝα-ω][a-z]")
# Letters in boxes and discs that Unicode does not decompose: first code point of each run of 26.
_RINGS = frozenset("○◯⚪⭕")  # drawn for a zero
_BOXED = (0x1F130, 0x1F150, 0x1F170)


_PIECE = re.compile(r"(?P<what>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])(?:(?P<sign>[*+])|\{(?P<least>\d+),\})?", re.DOTALL)


def bounded(pattern: str, most: int = 48) -> re.Pattern[str]:
    """A compiled pattern in which a repeated class of word characters is repeated at most ``most`` times.

    So the time of a search grows with the text's length alone, not with its square: no name, domain or street is
    longer. Classes that also take a slash, and what only excludes, stay: paths of links are long, and end a pattern.
    """

    def bound(piece: re.Match[str]) -> str:
        what, least = piece["what"], piece["least"] or {"*": "0", "+": "1"}.get(piece["sign"])
        wordy = what == r"\w" or what.startswith(r"[^\W") or (what[0] == "[" and what[1] != "^" and "/" not in what)
        return f"{what}{{{least},{most}}}" if wordy and least is not None else piece[0]

    return re.compile(_PIECE.sub(bound, pattern))


@dataclass(frozen=True)
class ContactSpan:
    """Contact data in a text: ``kind``, and ``start``/``end`` as character offsets of the text as written."""

    kind: str
    start: int
    end: int
    text: str


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

    def span(self, kind: str, start: int, end: int) -> ContactSpan:
        """Folded characters ``start``..``end`` as a span of the source, with marks that hang on its last character."""
        first, last = self.origin[start], self.origin[end - 1] + 1
        while last < len(self.source) and _is_mark(self.source[last]):
            last += 1
        return ContactSpan(kind, first, last, self.source[first:last])


def _is_mark(char: str) -> bool:
    """Zero-width and combining characters: they only decorate the one before."""
    return unicodedata.category(char) in ("Mn", "Me", "Cf")


def _fold_char(char: str) -> str:
    if char.isascii():
        return char
    if _is_mark(char):
        return ""
    if char in _RINGS:
        return "0"
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    for first in _BOXED:
        if first <= ord(char) < first + 26:
            return chr(ord("a") + ord(char) - first)
    return "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))


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
