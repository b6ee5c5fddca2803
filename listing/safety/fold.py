"""One spelling for disguised words, with a map back to the text as it was written.

Full-width, circled, boxed, mathematical and small capital letters, accents and zero-width characters are folded away,
letters of other scripts that imitate Latin ones (or the other way round) are exchanged, and letters that stand apart
("g l o c k", "m.d.m.a", "t . me / shop") are joined, so that a check need not know these disguises.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import compress

from anyascii import anyascii

# Tags and template fields, as somebody may paste them: no words of a seller.
_TAGS = "a|b|body|br|div|em|form|h[1-6]|i|iframe|img|input|li|p|script|span|strong|style|svg|table|td|tr|u|ul"
MARKUP = re.compile(
    rf"<script\b.{{0,200}}?</script>|<(?:{_TAGS})(?:\s[^<>]{{0,200}})?/?(?:>|$)|</[a-z][a-z0-9]{{0,9}}>|"
    r"\bon[a-z]{4,12}=[^\s<>]{0,80}|\$\{[^{}]{0,80}\}|\{\{[^{}]{0,80}\}\}",
    re.IGNORECASE | re.DOTALL,
)
# Of no width, and lines through, under and over a letter: no word needs them.
_NO_WIDTH = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff\u0305\u0332\u0333\u0335\u0336\u0337\u0338\u20d2")
_WRITTEN = frozenset("ßẞæÆœŒ")  # letters of ordinary words in some languages
_ZEROS = frozenset("○◯⚪⭕")  # rings that are drawn for a zero
_TURNED = dict(zip("Ɩ⇂ᄅᘔƐᔭㄣϛގㄥ", "1122344557", strict=True))  # digits upside down
_TURNED |= {chr(0x2680 + n): str(n + 1) for n in range(6)}  # and dice
_WORD = re.compile(r"[^\W\d_]+")

# Letters that look alike. A word with a letter that only Cyrillic or Greek has is a word of that script.
_FOREIGN = "авеікмопрстухѕԁһјԛԝӏѡαβεηικμνορτυχωςσζ"
_LATIN = "abeikmonpctyxsdhjqwlwabenikmvoptuxwcsz"
_TO_LATIN = str.maketrans(_FOREIGN + _FOREIGN.upper(), _LATIN + _LATIN.upper())
_TO_CYRILLIC = str.maketrans("abcehikmoptuxyABCEHIKMOPTXY", "авсенікмортихуАВСЕНІКМОРТХУ")
_ONLY_FOREIGN = re.compile("[бгджзийлнфцчшщъыьэюяґγδθλξπφψ]", re.IGNORECASE)
_ONLY_DISGUISE = re.compile("[ѕԁһԛԝӏѡ]", re.IGNORECASE)  # of languages that hardly any seller writes
_LATIN_LETTER, _FOREIGN_LETTER = re.compile("[a-z]", re.IGNORECASE), re.compile("[α-ωѐ-ԯа-я]", re.IGNORECASE)

# Letters, each apart from the next by the same mark or blanks; links with blanks around their marks.
_LEAST_APART = 3
_APART = re.compile(r"(?<![^\W_])[^\W_](?P<apart>\n| {1,3}| ?[^\w\s] ?|_)(?:[\w@./:&-](?P=apart)){1,80}[\w/](?![^\W_])")
_LINK = re.compile(r"\b\w{1,30}( ?\. ?)(?:me|ly|com|net|org|gg|io|ru|ee|be)( ?/ ?)(?=\w)", re.IGNORECASE)

# Digits and signs for letters, at most two in a row: within a word, before three letters and more, or behind them.
_LEET = re.compile(
    r"(?<=[^\W\d_])[0-9@$€!|*]{1,2}(?=[^\W\d_])|(?<!\w)[0-9@$€]{1,2}(?=[^\W\d_]{3})|(?<=[^\W\d_]{3})[0-9](?!\w)"
)
_LEET_LETTERS = [str.maketrans("01345789@$€!|", letters, "*") for letters in ("oieastbgaseii", "oleastbgasell")]
_CYRILLIC_LEET = str.maketrans("0134@", "оиеаа")


@dataclass(frozen=True)
class Folded:
    """``lower`` and ``cased`` have the same length; character i came from ``origin[i]`` of ``source``.

    ``odd[i]`` is true where a character was written in a disguise: circled, full-width or raised, in another script,
    behind a character of no width, apart from its neighbours.
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


@lru_cache(maxsize=10_000)
def _is_styled(char: str) -> bool:
    """True if it is a digit or letter drawn in a style of its own: full-width, circled, bold, a small capital."""
    if char.isascii():
        return False
    if char in _TURNED:
        return True
    drawn = unicodedata.name(char, "").startswith(("LATIN LETTER SMALL", "NEGATIVE", "REGIONAL"))
    return drawn or unicodedata.digit(char, None) is not None or unicodedata.decomposition(char).startswith("<")


@lru_cache(maxsize=10_000)
def _fold_char(char: str) -> str:
    if char.isascii():
        return char
    if _is_mark(char):
        return ""
    if char in _ZEROS:
        return "0"
    if char in _TURNED:
        return _TURNED[char]
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    if unicodedata.category(char) == "No" and (number := unicodedata.numeric(char)).is_integer() and number <= 50:
        return str(int(number))  # "⓬"
    plain = (c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    return "".join(anyascii(c) if _draws_latin(c) else c for c in plain)


def _draws_latin(char: str) -> bool:
    """Letters with a stroke, small capitals, letters in boxes and discs, of flags: what Unicode does not decompose."""
    if char.isascii() or char in _WRITTEN:
        return False
    return unicodedata.name(char, "").startswith(("LATIN", "NEGATIVE", "REGIONAL"))


def fold(text: str) -> Folded:
    """Fold ``text``; the result is at most a few times as long."""
    cased: list[str] = []
    origin: list[int] = []
    odd: list[bool] = []
    for index, char in enumerate(text):
        keycap = text[index + 1 : index + 3].lstrip("\ufe0f").startswith("\u20e3")
        hidden = bool(_NO_WIDTH.intersection(text[max(0, index - 1) : index]))
        for piece in _fold_char(char):
            cased.append(piece)
            origin.append(index)
            odd.append(piece.isalnum() and (keycap or hidden or _is_styled(char)))
    for gaps in (_between_letters, _within_links):
        saved = bytearray(b"\1" * len(cased))
        for i in gaps("".join(cased)):
            saved[i] = 0
            odd[i + 1] = True
        cased, origin, odd = list(compress(cased, saved)), list(compress(origin, saved)), list(compress(odd, saved))
    joined = "".join(cased)
    plain = _in_one_script(joined)
    exchanged = (was_odd or old != new for was_odd, old, new in zip(odd, joined, plain, strict=True))
    return Folded(text, _lowered(plain), plain, tuple(origin), tuple(exchanged))


def _lowered(text: str) -> str:
    """In lower case, of the same length."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _between_letters(text: str) -> Iterator[int]:
    """Places of the marks and blanks between letters that stand apart."""
    for match in _APART.finditer(text):
        step = len(match["apart"]) + 1
        parts = match[0][::step]
        letters, digits = sum(map(str.isalpha, parts)), sum(map(str.isdigit, parts))
        if letters >= _LEAST_APART and (letters >= digits or "/" in parts or "@" in parts):
            yield from (i for i in range(*match.span()) if (i - match.start()) % step)


def _within_links(text: str) -> Iterator[int]:
    for match in _LINK.finditer(text):
        yield from (i for i in range(*match.span()) if text[i] == " ")


def _in_one_script(text: str) -> str:
    """Each word in one script, by letters that look alike: Cyrillic or Greek where it has a letter of their own.

    A word of look-alikes alone is one of that script only if the text has other words of it.
    """
    others = bool(_ONLY_FOREIGN.search(text))

    def exchange(match: re.Match[str]) -> str:
        word = match[0]
        if not _FOREIGN_LETTER.search(word):
            return word
        latin = bool(_LATIN_LETTER.search(word))
        if _ONLY_FOREIGN.search(word):
            return word.translate(_TO_CYRILLIC) if latin else word
        return word.translate(_TO_LATIN) if latin or not others or _ONLY_DISGUISE.search(word) else word

    return _WORD.sub(exchange, text)


def readings(folded: Folded) -> tuple[str, ...]:
    """The folded text in lower case, and with letters for the digits and signs that imitate them ("c0ca1ne").

    Of "1" and "!" one reading makes an i, one an l.
    """

    def letters(table: Mapping[int, int | None], match: re.Match[str]) -> str:
        beside = text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
        return match[0].translate(_CYRILLIC_LEET if _FOREIGN_LETTER.search(beside) else table)

    text = folded.lower
    plain = (_in_one_script(_LEET.sub(partial(letters, table), text)) for table in _LEET_LETTERS)
    return tuple(dict.fromkeys((text, *plain)))
