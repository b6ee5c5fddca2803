"""Digits of a text, however they are written: figures, words in several languages, Chinese numerals, look-alikes.

``runs`` gives what stands together; whether it is a telephone number is judged in ``contacts_phones``.
"""

# ruff: noqa: E501  (a pattern or a list is read in one piece)
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from listing.safety.fold import Folded

_WORDS = {
    "0": "zero oh nought null nul cero ling ноль нуль sifir noll",
    "1": "one eins ein un uno um een jeden yi yao один bir",
    "2": "two zwei zwo deux dos due dois twee dwa liang два iki",
    "3": "three drei trois tres tre drie trzy san три uc",
    "4": "four vier quatre cuatro quattro quatro cztery четыре dort",
    "5": "five funf fuenf cinq cinco cinque vijf piec wu пять bes",
    "6": "six sechs seis sei zes szesc liu шесть alti",
    "7": "seven sieben sept siete sette sete zeven siedem qi семь yedi",
    "8": "eight acht huit ocho otto oito osiem восемь sekiz",
    "9": "nine neun neuf nueve nove negen dziewiec jiu девять dokuz",
    "10": "ten zehn dix diez dieci",
    "11": "eleven elf onze",
    "12": "twelve zwolf douze doce",
    "13": "thirteen treize",
    "14": "fourteen quatorze",
    "15": "fifteen quinze",
    "16": "sixteen seize",
    "17": "seventeen",
    "18": "eighteen",
    "19": "nineteen",
    "20": "twenty vingt zwanzig veinte",
    "30": "thirty trente dreissig treinta",
    "40": "forty fourty quarante vierzig cuarenta",
    "50": "fifty cinquante funfzig cincuenta",
    "60": "sixty soixante sechzig sesenta",
    "70": "seventy siebzig setenta",
    "80": "eighty achtzig ochenta",
    "90": "ninety neunzig noventa",
    "00": "hundred",
    "000": "thousand",
}
_TIMES = {"double": 2, "dbl": 2, "triple": 3, "treble": 3, "doppel": 2}
# These count only between real digits: they are ordinary words and letters elsewhere.
_SMALL_WORDS = frozenset(("to", "too", "for", "ate", "won"))
_WEAK = {
    "o": "0",
    "oo": "00",
    "ooo": "000",
    "i": "1",
    "l": "1",
    "to": "2",
    "too": "2",
    "for": "4",
    "ate": "8",
    "won": "1",
}
_LOOKALIKE = str.maketrans("oоqliszbg|", "0001152861")  # the second o is Cyrillic
_CHINESE = dict(zip("〇零一二两三四五六七八九幺壹贰叁肆伍陆柒捌玖貳參陸", "0012234567891123456789236", strict=True))
_COUNTING = "十百千万亿件个年月日元块号第次双条盒套包对只张本瓶款种"
_FILLER = (
    r"(?:then|and|und|et|dash|dot|point|space|minus|hyphen|slash|strich|dann|plus|punkt|tiret|next|followed\W+by|again)"
)
_GAP = re.compile(rf"(?:[^\w]|_){{0,7}}(?:{_FILLER}(?:[^\w]|_){{1,4}}){{0,2}}(?:after that\W{{1,3}})?")
_UNIT = (
    r"(?:cm|mm|m|km|in|inch(?:es)?|ft|kg|g|gr|mg|lbs?|oz|ml|l|cl|%|eur|euros?|usd|gbp|pln|czk|chf|sek|dollars?|pounds?|yuan|rmb|eu|uk|us|"
    r"[vw]|hz|khz|mhz|ghz|mah|ah|gb|tb|mb|mp|px|pcs|pieces|pages|months?|years?|yrs?|weeks?|days?|hours?|min|g/m2|gsm|den|x)"
)
_MASKS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<![\d.,/+-])(?<![\do] )(?!0\d)\d{{1,4}}(?:[.,]\d{{1,2}})?\s?{_UNIT}(?![\w])",
        # No price starts with a zero and another figure.
        r"(?<!\d )[€$£¥₽₴]\s?(?!0\d)\d+(?:[.,' ]\d{3})*(?:[.,]\d\d?)?(?!\d|[.,-]\d|\s\d{3,4}\b)",
        r"(?<![\d.,])(?<!\d )(?!0\d)\d+(?:[ .,']\d{3})*(?:[.,]\d\d?)?\s?[€$£¥₽元块]",
        # In '10 EUR 0770...' the currency belongs to the 10.
        r"(?<!\d )\b(?:eur|usd|gbp|chf|rrp|price)\s?(?!0\d)\d[\d.,]*(?![\d.,]|\W{1,3}\d)",
        r"\b(?:\d{1,2}|one|two|three|four|five|six|ten) for (?:\d{1,3}|one|two|three|four|five|ten)\b(?! ?(?:\d{3}|zero|one|two|three|four|five|six|seven|eight|nine)\b)",
        r"(?<![\d#])#?(?:19|20)?\d0s\b",
        r"(?<![\d/.])(?:0?[1-9]|1[0-2])[/.](?:19|20)\d\d(?![\d/.])",
        r"(?<![\d/])\d{1,3}/\d{2,3}(?=\s+(?:and|und|et|y|e|&|,)\s+\d{1,3}/\d{2,3}(?![\d/]))|(?<=[dt&,]\s)\d{1,3}/\d{2,3}(?![\d/])",
        r"(?<![\d.,])[1-9]\d?[.,]5(?=[\s,]|$)",
        r"(?<!\d[ .\-/])(?<!\d)(?:19|20)\d\d\s?[-/–]\s?(?:(?:19|20)\d\d|\d\d)(?![\d]|[ .\-/]\d)",
        r"(?<!\d[ .\-/])(?<!\d)\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d(?![\d]|[ .\-/]\d)",
        r"(?<!\d[ .\-/])(?<!\d)(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}(?![\d]|[ .\-/]\d)",
        # Hours of the day from and to.
        r"(?<![\d.:-])(?:[01]?\d|2[0-4])[.:][0-5]\d\s?[-–]\s?(?:[01]?\d|2[0-4])[.:][0-5]\d(?![\d.:-])",
        r"\b(?!0\d)\d{1,2}\s?-\s?\d{1,2}(?:(?:\s?,\s?|\s)(?!0\d)\d{1,2}\s?-\s?\d{1,2})+\b",
        r"\b\d{1,4}\s?x\s?\d{1,4}(?:\s?x\s?\d{1,4})?\b",
    )
)


@dataclass(frozen=True)
class Atom:
    """Digits that stand together; ``plain`` when written as ordinary figures."""

    start: int
    end: int
    digits: str
    plain: bool


@cache
def _word_table() -> tuple[dict[str, str], re.Pattern[str]]:
    table = {word: digits for digits, words in _WORDS.items() for word in words.split()}
    parts = sorted([*table, *_TIMES], key=len, reverse=True)
    return table, re.compile("|".join(parts) + r"|[0-9]|[oli](?=[0-9])")


def _read_token(token: str) -> str | None:
    """Digits of a token that is nothing but figures and number words, '07seven00' included; None for any other word."""
    if not token.isascii() and token not in _word_table()[0]:
        return None
    table, pattern = _word_table()
    position, out, times, tens = 0, "", 1, False
    while position < len(token):
        found = pattern.match(token, position)
        if found is None:
            return None
        position, piece = found.end(), found[0]
        if piece in _TIMES:
            times = _TIMES[piece]
            continue
        digits = table.get(piece) or piece.translate(_LOOKALIKE)
        out = out[:-1] + digits if tens and len(digits) == 1 and digits != "0" else out + digits * times
        tens, times = piece in table and len(digits) == 2 and digits[0] >= "2" and digits[1] == "0", 1
    return out or None


def _atoms(folded: Folded) -> Iterator[Atom]:
    """Every token that can be read as digits; weak ones (``to``, ``o``) are yielded with digits and judged by the caller."""
    text = folded.lower
    times, pending = 1, -1
    for found in re.finditer(
        r"(?<![\w|])(?=[0-9|]*[oоqil])[0-9oоqil|]{7,}(?![\w|])|[0-9]++(?![a-z])|[a-zа-я0-9]+|["
        + "".join(_CHINESE)
        + r"]+",
        text,
    ):
        token, start, end = found[0], found.start(), found.end()
        if token in _TIMES:
            times, pending = _TIMES[token], start
            continue
        plain, digits = False, None
        if token[0] in _CHINESE:
            counted = text[end : end + 1] in tuple(_COUNTING) or text[max(0, start - 1) : start] in tuple(_COUNTING)
            digits = None if counted and len(token) < 7 else "".join(_CHINESE[c] for c in token)
        elif token.isdigit():
            digits, plain = token, not any(folded.odd[start:end])
        elif (
            re.fullmatch(r"[0-9oоliszb]+", token)
            and re.search(r"[0-9]", token)
            and (len(token) > 2 or re.search("[oоli]", token))
        ) or (re.fullmatch(r"[0-9oоqliszbg|]{7,}", token) and len(re.findall(r"\d", token)) >= 4):
            digits = token.translate(_LOOKALIKE)
        else:
            beside = re.search(r"[0-9][^\w\s]?$", text[max(0, start - 2) : start]) or re.match(
                r"[^\w\s]?[0-9]", text[end : end + 2]
            )
            zeros = token.translate(_LOOKALIKE) if beside and re.fullmatch(r"[oоil]{2,4}", token) else None
            digits = _WEAK.get(token) or _read_token(token) or zeros
        if digits:
            if times > 1 and digits[0] != "":
                digits, start = digits[0] * (times - 1) + digits, pending
            yield Atom(start, end, digits, plain)
        times, pending = 1, -1


_LISTED = re.compile(r"\b(?:and|und|et)\b")  # parts two article numbers


def _joinable(text: str, left: Atom, right: Atom) -> bool:
    gap = text[left.end : right.start]
    if left.plain and right.plain and min(len(left.digits), len(right.digits)) >= 4 and _LISTED.search(gap):
        return False
    bracketed = left.plain and gap.endswith("(") and text[right.start : right.end].isalpha()  # '081 (four skeins)'
    return bool(_GAP.fullmatch(gap)) and "  \n" not in gap and not bracketed


def _joined_runs(folded: Folded) -> Iterator[list[Atom]]:
    """Atoms that only punctuation or a filler word parts; prices, measures and dates are left out and end a run."""
    text = folded.lower
    masked = [m.span() for pattern in _MASKS for m in pattern.finditer(text)]
    run: list[Atom] = []
    for atom in _atoms(folded):
        if any(a <= atom.start and atom.end <= b for a, b in masked) and len(atom.digits) < 6:
            yield run
            run = []
            continue
        if run and not _joinable(text, run[-1], atom):
            yield run
            run = []
        run.append(atom)
    yield run


def _without_small_words(text: str, run: list[Atom]) -> Iterator[list[Atom]]:
    """'2004 for 79' is no run; 'seven for nine' is one: small words count only beside other number words."""
    words = [text[a.start : a.end] for a in run]
    if any(w.isalpha() and w not in _WEAK for w in words):
        yield run
        return
    part: list[Atom] = []
    for atom, word in zip(run, words, strict=True):
        if word in _SMALL_WORDS:
            yield part
            part = []
        else:
            part.append(atom)
    yield part


def trim(text: str, run: list[Atom]) -> list[Atom]:
    """Drop weak words at both ends ('for 07700...'), except a leading 'o' for zero."""
    while run and text[run[0].start : run[0].end] in _WEAK and text[run[0].start : run[0].end] not in ("o", "oo"):
        run = run[1:]
    while (
        run
        and text[run[-1].start : run[-1].end] in _WEAK
        and text[run[-1].start : run[-1].end] not in ("o", "oo", "ooo")
    ):
        run = run[:-1]
    return run


def runs(folded: Folded) -> Iterator[list[Atom]]:
    """Runs of digits in order, without the small words that only part two numbers; may be empty."""
    for whole in _joined_runs(folded):
        yield from _without_small_words(folded.lower, whole)
