"""Phone numbers that are spoken: number words of one language in a row, in about thirty languages; and 0800-WORDS.

A row of words counts when one language explains it: "six hooks, two rows" ends at the noun, "un deux trois" is too short,
and "one two three ... ten" counts up. That is why no single word, however short, makes a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import yaml

from listing.contacts_fold import ContactSpan, Folded

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+")
# What may stand between two words of a number; a full stop or a line end is allowed, two line ends are not.
_BETWEEN = re.compile(r"[\s,.;:/|·*_~+()\[\]\-–—]{0,6}")
_JOINTS = frozenset("and und et y e en og och i si ja va dann then puis luego poi".split())
_TIMES = frozenset("double triple dbl treble doppelt doble doppio dwa_razy".split())
_LEAST_DIGITS, _LEAST_WORDS, _LEAST_CUED = 7, 5, 6
_CUE = re.compile(r"call|ring|text|tel|phone|numb|numm|nume|numé|mob|cel|ruf|zadzwo|звон|телефон")
# Digits that Korean and written-out Chinese put together without blanks; Hangul is decomposed by the folding.
_KOREAN = "공영일이삼사오육칠팔구"
_VANITY = re.compile(r"(?<![\w-])(?:1[-. ])?0?8(?:00|08|88|77|66|55|44|33)[-. ](?=[A-Z\d -]*[A-Z]{3})(?:[A-Z\d]+[- ]?){1,3}(?![a-z])")


_HALVES = re.compile(
    r"(?:start|begin|first|dial|phone|number|call|anfang|erst|beginnt|debut|commence|premiere|empieza|primera|inizia|prima)\w*"
    r"[^\d\n]{0,24}?(?P<one>(?<![\d.,])[+\d][\d ]{1,7}\d)[^\d]{1,28}?"
    r"\b(?:end|second|then|after|rest|goes|continu|last|follow|zweit|dann|weiter|fini|suite|puis|termina|luego|poi|second)\w*"
    r"[^\d\n]{0,18}?(?P<two>\d[\d ]{1,8}\d)(?![\d.,]\d|\s?(?:cm|mm|eur|€|%|g|ml))"
)


@cache
def _table() -> dict[str, dict[str, int]]:
    """Word -> language -> how many digits it stands for."""
    raw = yaml.safe_load(Path(__file__).with_name("contacts_spoken.yaml").read_text(encoding="utf-8"))
    table: dict[str, dict[str, int]] = {}
    for name, words in raw.items():
        for word in words.split():
            table.setdefault(word, {})[name[:-1]] = int(name[-1])
    return table


@cache
def _korean() -> re.Pattern[str]:
    import unicodedata

    one = "|".join(unicodedata.normalize("NFKD", syllable) for syllable in _KOREAN)
    return re.compile(rf"(?:(?:{one})[\s\-.,]{{0,2}}){{7,}}")


def _size(word: str, language: str) -> int:
    """Digits that a token stands for in a language; 0 for a word that is none."""
    if word.isdigit():
        return len(word) if len(word) <= 4 else 0
    return _table().get(word, {}).get(language, 0)


def _counts_up(words: list[str], language: str) -> bool:
    """'one two three four ...': the words stand in the order of the table, each once."""
    order = [w for w, sizes in _table().items() if sizes.get(language)]
    places = [order.index(w) for w in words if w in order]
    return len(places) > 3 and all(b > a for a, b in pairwise(places))


def _rows(folded: Folded) -> Iterator[list[re.Match[str]]]:
    """Maximal rows of tokens that are number words of any language, figures, joints or multipliers."""
    row: list[re.Match[str]] = []
    for token in _TOKEN.finditer(folded.lower):
        word = token[0]
        fits = word in _table() or word in _JOINTS or word in _TIMES or (word.isdigit() and len(word) <= 4)
        if row and not (fits and _BETWEEN.fullmatch(folded.lower, row[-1].end(), token.start())):
            yield row
            row = []
        if fits:
            row.append(token)
    yield row


def _best(row: list[re.Match[str]], cued: bool) -> tuple[int, int] | None:
    """The longest part of a row that one language explains, as offsets; None when it is too short for a number."""
    languages = {language for token in row for language in _table().get(token[0], {})}
    found: tuple[int, int, int] | None = None
    for language in languages:
        part: list[re.Match[str]] = []
        for token in [*row, None]:
            if token and (_size(token[0], language) or (part and token[0] in _JOINTS) or token[0] in _TIMES):
                part.append(token)
                continue
            while part and part[-1][0] in _JOINTS:
                part.pop()
            spoken = [t[0] for t in part if _table().get(t[0], {}).get(language)]
            digits = sum(_size(t[0], language) for t in part)
            enough = digits >= _LEAST_DIGITS or (cued and digits >= _LEAST_CUED)
            if len(spoken) >= _LEAST_WORDS and enough and not _counts_up(spoken, language):
                candidate = (digits, part[0].start(), part[-1].end())
                found = max(found, candidate) if found else candidate
            part = []
    return found[1:] if found else None


def find_spoken(folded: Folded) -> Iterator[ContactSpan]:
    """Spans of phone numbers in words, and of numbers that end in a word (1-800-...)."""
    for row in _rows(folded):
        if len(row) >= _LEAST_WORDS:
            before = folded.lower[max(0, row[0].start() - 30) : row[0].start()]
            if best := _best(row, bool(_CUE.search(before))):
                yield folded.span("phone", *best)
    for found in _HALVES.finditer(folded.lower):
        if 8 <= sum(c.isdigit() for c in found["one"] + found["two"]) <= 14:
            yield folded.span("phone", *found.span("one"))
            yield folded.span("phone", *found.span("two"))
    for pattern, text in ((_korean(), folded.lower), (_VANITY, folded.cased)):
        for found in pattern.finditer(text):
            end = found.start() + len(found[0].rstrip(" -.,"))
            yield folded.span("phone", found.start(), end)
