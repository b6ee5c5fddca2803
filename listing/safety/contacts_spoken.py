"""Phone numbers that are spoken: number words of one language in a row, in about thirty languages; and 0800-WORDS.

A row of words counts when one language explains it: "six hooks, two rows" ends at the noun, "un deux trois" is too short,
and "one two three ... ten" counts up. That is why no single word, however short, makes a number.
"""

# ruff: noqa: E501, SIM905  (a pattern or a list is read in one piece)
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import yaml

from listing.safety.fold import ContactSpan, Folded

_HAN = r"\u4e00-\u9fff"
_TOKEN = re.compile(rf"[^\W\d_{_HAN}]+(?:'[^\W\d_{_HAN}]+)?|[{_HAN}]+|\d+")
_MIXED = re.compile(rf"(?=[^\W\d_]{{0,48}}\d)[^\W_{_HAN}]{{8,}}")
# What may stand between two words of a number; a full stop or a line end is allowed, two line ends are not.
_BETWEEN = re.compile(r"[\s,.;:/|·*_~+()\[\]\-–—]{0,6}")
_JOINTS = frozenset("and und et y e en og och i si ja va dann then puis luego poi".split())
_TIMES = frozenset("double triple dbl treble doppelt doble doppio dwa_razy".split())
_LEAST_DIGITS, _LEAST_WORDS, _LEAST_CUED = 7, 5, 6
_CUE = re.compile(
    r"call|ring|text|tel|phone|numb|numm|nume|numé|(?<!play)mob|\bcel|ruf|\bbel\b|joignable|reach|erreichbar|\bnr\b|\bliga\b|llam|chiam|dzwon|zadzwo|звон|телефон"
)
# Digits that Korean and written-out Chinese put together without blanks; Hangul is decomposed by the folding.
_KOREAN = "공영일이삼사오육칠팔구"
_VANITY = re.compile(
    r"(?<![\w-])(?:1[-. ])?0?8(?:00|08|88|77|66|55|44|33)[-. ](?=[A-Z\d -]*[A-Z]{3})(?:[A-Z\d]+[- ]?){1,3}(?![a-z])"
)

# '07700 blue 900 dress 123': the figures alone are a mobile number in full.
_INTERLEAVED = re.compile(r"(?<![\d.,])0\d{2,4}(?:\W{1,3}[a-z]{2,10}\W{1,3}\d{2,4}){2,3}(?![\d.,]\d)")
_MOBILES = re.compile(r"07[1-9]\d{8}|01[567]\d{8,9}")
_HALVES = re.compile(
    r"(?:start|begin|first|dial|phone|number|call|area code|prefix|vorwahl|indicatif|anfang|erst|beginnt|debut|commence|premiere|empieza|primera|inizia|prima)\w*"
    r"[^\d\n]{0,24}?(?P<one>(?<![\d.,])[+\d][\d ]{1,7}\d)[^\d]{1,28}?"
    r"\b(?:end|second|then|after|rest|goes|continu|last|follow|zweit|dann|weiter|fin|fini|suite|puis|termina|luego|poi|second)\w*"
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
def _pieces() -> dict[str, re.Pattern[str]]:
    """Language -> any of its number words, the longest first."""
    languages: dict[str, list[str]] = {}
    for word, sizes in _table().items():
        for language in sizes:
            languages.setdefault(language, []).append(re.escape(word))
    return {name: re.compile("|".join(sorted(words, key=len, reverse=True))) for name, words in languages.items()}


@cache
def _starts() -> frozenset[str]:
    return frozenset(word[:3] for word in _table() if len(word) > 2)


@lru_cache(maxsize=2048)
def _language_of_glued(word: str) -> str | None:
    """The language whose number words, without blanks, make up ``word``."""
    if len(word) < 7 or word[:3] not in _starts():
        return None
    return next((name for name, piece in _pieces().items() if re.fullmatch(rf"(?:{piece.pattern}){{2,}}", word)), None)


@lru_cache(maxsize=512)
def _digits_of_mixed(word: str) -> int:
    """How many digits figures and number words of one language make; 0 when the word has other letters."""
    for name, piece in _pieces().items():
        parts = re.findall(rf"\d|{piece.pattern}", word)
        if "".join(parts) == word:
            return sum(1 if p.isdigit() else _size(p, name) for p in parts)
    return 0


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """Words and figures; a word that is glued from number words gives each of them."""
    for token in _TOKEN.finditer(text):
        language = None if token[0] in _table() else _language_of_glued(token[0])
        if language:
            yield from _pieces()[language].finditer(text, token.start(), token.end())
        else:
            yield token


@cache
def _korean() -> re.Pattern[str]:
    import unicodedata

    one = "|".join(unicodedata.normalize("NFKD", syllable) for syllable in _KOREAN)
    return re.compile(rf"(?:(?:{one})[\s\-.,]{{0,2}}){{7,}}")


def _size(word: str, language: str) -> int:
    """Digits that a token stands for in a language; 0 for a word that is none."""
    if word.isdigit():
        return len(word) if len(word) <= 6 else 0
    return _table().get(word, {}).get(language, 0)


def _counts_up(words: list[str], language: str) -> bool:
    """'one two three four ...': the words stand in the order of the table, each once."""
    order = [w for w, sizes in _table().items() if sizes.get(language)]
    places = [order.index(w) for w in words if w in order]
    steps = [b - a for a, b in pairwise(places)]
    return len(places) > 3 and min(steps) > 0 and sum(step > 2 for step in steps) <= 1


def _rows(folded: Folded) -> Iterator[list[re.Match[str]]]:
    """Maximal rows of tokens that are number words of any language, figures, joints or multipliers."""
    row: list[re.Match[str]] = []
    for token in _tokens(folded.lower):
        word = token[0]
        fits = word in _table() or word in _JOINTS or word in _TIMES or (word.isdigit() and len(word) <= 6)
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
            figures = [t for t in part if t[0].isdigit()]
            if len(spoken) >= 3 and all(len(t[0]) <= 3 for t in figures) and len(figures) >= 2 and digits >= 9:
                spoken += [t[0] for t in figures]  # '0 three 4 five': figures among words
            years = figures and all(re.fullmatch(r"(?:19|20)\d\d", t[0]) for t in figures)
            few = cued and spoken and not years and 9 <= digits <= 13  # 'bel nul zes 12 34 77 89'
            enough = digits >= _LEAST_DIGITS or (cued and digits >= _LEAST_CUED)
            if (len(spoken) >= _LEAST_WORDS or few) and enough and (few or not _counts_up(spoken, language)):
                candidate = (digits, part[0].start(), part[-1].end())
                found = max(found, candidate) if found else candidate
            part = []
    return found[1:] if found else None


def find_spoken(folded: Folded) -> Iterator[ContactSpan]:
    """Spans of phone numbers in words, and of numbers that end in a word (1-800-...)."""
    for row in _rows(folded):
        if len(row) >= 3:
            before = folded.lower[max(0, row[0].start() - 30) : row[0].start()]
            if best := _best(row, bool(_CUE.search(before))):
                yield folded.span("phone", *best)
    for found in _MIXED.finditer(folded.lower):  # '070ett740292'
        if sum(c.isdigit() for c in found[0]) >= 4 and not found[0].isdigit() and _digits_of_mixed(found[0]) >= 9:
            yield folded.span("phone", *found.span())
    for found in _HALVES.finditer(folded.lower):
        if 8 <= sum(c.isdigit() for c in found["one"] + found["two"]) <= 14:
            yield folded.span("phone", *found.span("one"))
            yield folded.span("phone", *found.span("two"))
    for found in _INTERLEAVED.finditer(folded.lower):
        if _MOBILES.fullmatch("".join(c for c in found[0] if c.isdigit())):
            yield folded.span("phone", *found.span())
    for pattern, text in ((_korean(), folded.lower), (_VANITY, folded.cased)):
        for found in pattern.finditer(text):
            end = found.start() + len(found[0].rstrip(" -.,"))
            yield folded.span("phone", found.start(), end)
