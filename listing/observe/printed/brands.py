"""Which brand a photo's text or the seller's note names. Built to stay silent rather than to be wrong.

A name counts when whole words of one line (or of two lines that belong together) are that name. Ordinary words that
are also brands ("Next", "Guess") count only where they stand alone. Two different brands cancel each other.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from listing.lexicon import words
from listing.observe.printed.brand_list import BETWEEN_WORDS, SHORT, Spelling, fold, fold_confused, spellings, words_of
from listing.observe.printed.ocr import OcrSpan, merge

_CONFUSABLE = 5  # letters from which on 0/O and 1/I may be swapped
_NEAR = 8  # letters from which on one wrong letter is allowed
_TORN = 7  # letters from which on a name may have been torn in two
_SURE, _VERY_SURE = 0.6, 0.85  # least OCR score: of a name, of a name that is also a word
_NEAR_FACTOR = 0.9
_STRICT_SHARE = 0.6  # of a line's letters
_CLEARLY_LARGER = 1.5  # height of the print, against that of another brand
_COMPANIONS, _DENIALS, _LIKENESS = map(words, ("brand_companions", "brand_denials", "brand_likeness"))


class BrandMatch(NamedTuple):
    """The brand, the print that shows it (None: the seller's note says it), and how sure the reading is (0..1)."""

    name: str
    span: OcrSpan | None
    score: float


def find_brand(spans: Sequence[OcrSpan], note: str = "") -> BrandMatch | None:
    """The one brand that the print or the note names; None when there is none or when they do not agree.

    The seller's word counts before print; where both agree, the print is named as evidence.
    """
    printed = _best_per_name(_in_print(spans))
    noted = set(_in_note(note))
    if len(noted) == 1:
        name = noted.pop()
        match = printed.get(name)
        return match or BrandMatch(name, None, 1.0)
    if noted:
        return None
    return _largest(list(printed.values()))


def brand_names() -> tuple[str, ...]:
    """All known brands, as they are written, in the order of the list."""
    return tuple(dict.fromkeys(spelling.name for spelling in spellings()))


@functools.cache
def _by_key() -> dict[str, Spelling]:
    """Spellings by their letters; of "Ray Ban" and "RayBan" the one of more words, which also covers the other."""
    return {spelling.key: spelling for spelling in sorted(spellings(), key=lambda s: s.words)}


@functools.cache
def _by_confused_key() -> dict[str, Spelling]:
    loose = [s for s in spellings() if not s.strict and len(s.key) >= _CONFUSABLE]
    return {fold_confused(s.key): s for s in loose}


def _in_print(spans: Sequence[OcrSpan]) -> Iterator[BrandMatch]:
    for span in spans:
        matches = list(_in_line(span))
        yield from matches
        if not matches and span.spotted is not None:
            yield BrandMatch(span.spotted.name, span, span.spotted.score)
    for first in spans:
        for second in spans:
            if first is not second and _belongs(first, second):
                joined = merge([first, second])
                yield from (match for match in _in_line(joined) if " " in match.name)


def _in_line(span: OcrSpan) -> Iterator[BrandMatch]:
    if span.score < _SURE:
        return
    words = words_of(span.text)
    longest = max(spelling.words for spelling in spellings())
    for length in range(min(longest, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            match = _named(words[start : start + length])
            if match is None:
                continue
            spelling, factor = match
            if length > spelling.words and len(words) > length:
                continue  # "super dry fabric": two words of a sentence are no torn name
            if spelling.strict and (span.score < _VERY_SURE or not _alone(words, spelling)):
                continue
            yield BrandMatch(spelling.name, span, span.score * factor)


def _named(words: list[str]) -> tuple[Spelling, float] | None:
    """The spelling that these words are, and how far it can be trusted; a long name may be torn in two ("NAU TICA")."""
    key = "".join(words)
    spelling = _by_key().get(key)
    if spelling is None and len(key) >= _CONFUSABLE:
        spelling = _by_confused_key().get(fold_confused(key))
    if spelling is not None:
        torn = len(words) == 2 and spelling.words == 1 and len(key) >= _TORN and not spelling.strict
        return (spelling, 1.0) if len(words) in (1, spelling.words) or torn else None
    if len(key) < _NEAR:
        return None
    near = {s.name: s for s in spellings() if len(s.key) >= _NEAR and not s.strict and one_edit_apart(key, s.key)}
    near = {name: s for name, s in near.items() if len(words) in (1, s.words)}
    return (next(iter(near.values())), _NEAR_FACTOR) if len(near) == 1 else None


def _alone(words: Iterable[str], spelling: Spelling) -> bool:
    """The line is nearly only this name: the rest are a brand's companions or numbers, and few."""
    rest = [word for word in words if word != spelling.key]
    letters = len(spelling.key) + sum(len(word) for word in rest)
    if len(spelling.key) <= SHORT and rest:
        return False
    fits = all(word in _COMPANIONS or word.isdigit() for word in rest)
    return fits and (not rest or len(spelling.key) >= letters * (1 - _STRICT_SHARE))


def one_edit_apart(a: str, b: str) -> bool:
    """True when one letter is wrong, missing or too many (not when both are equal)."""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    short, long = sorted((a, b), key=len)
    same = next((i for i, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    return short[same:] == long[same + 1 :] if len(short) < len(long) else short[same + 1 :] == long[same + 1 :]


def _belongs(first: OcrSpan, second: OcrSpan) -> bool:
    """``second`` goes on right of ``first`` in the same line, or right below it."""
    ax0, ay0, ax1, ay1 = first.box
    bx0, by0, bx1, by1 = second.box
    height = max(ay1 - ay0, by1 - by0)
    beside = abs((ay0 + ay1) - (by0 + by1)) / 2 < height / 2 and -height / 2 < bx0 - ax1 < 2 * height
    below = -height / 2 < by0 - ay1 < height and min(ax1, bx1) > max(ax0, bx0)
    return beside or below


def _best_per_name(matches: Iterable[BrandMatch]) -> dict[str, BrandMatch]:
    best: dict[str, BrandMatch] = {}
    for match in matches:
        if match.name not in best or match.score > best[match.name].score:
            best[match.name] = match
    return best


def _print_height(match: BrandMatch) -> float:
    return match.span.box[3] - match.span.box[1] if match.span else 0.0


def _largest(matches: list[BrandMatch]) -> BrandMatch | None:
    """The only brand, or the one in clearly the largest print."""
    ranked = sorted(matches, key=_print_height, reverse=True)
    if len(ranked) > 1 and _print_height(ranked[0]) < _CLEARLY_LARGER * _print_height(ranked[1]):
        return None
    return ranked[0] if ranked else None


def _in_note(note: str) -> Iterator[str]:
    """Brands that the seller states; not those he denies or compares with ("like Nike", "Nike style")."""
    for sentence in re.split(r"[.!?\n]+\s|\n", note):
        parts = [part for part in BETWEEN_WORDS.split(sentence) if fold(part)]
        words = [fold(part) for part in parts]
        used: set[int] = set()
        for length in (4, 3, 2, 1):
            for start in range(len(words) - length + 1):
                spelling = _by_key().get("".join(words[start : start + length]))
                here = set(range(start, start + length))
                if spelling is None or here & used or length not in (1, spelling.words):
                    continue
                used |= here
                before, after = words[max(0, start - 3) : start], words[start + length : start + length + 1]
                if _DENIALS & set(before) or _LIKENESS & set(after):
                    continue
                if not spelling.strict or "brand" in before or (start > 0 and parts[start][0].isupper()):
                    yield spelling.name
