"""Phone numbers as people write them: digits of any script or in words, apart or run together, with or without prefix.

A run of digits is judged by libphonenumber's plans, the words beside it and its shape. A number of nine digits and more
stays only if it is something else: a bar code (its check digit), a code that a word announces, a date, a measure, a
price, a list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from listing.safety.fold import Folded, fold
from listing.safety.plans import (
    LEAST,
    LEAST_ALONE,
    MOST,
    alike,
    is_bar_code,
    is_international,
    is_isbn,
    is_number,
    is_valid,
    valid,
)

Mark = tuple[str, int, int]  # kind, start and end in folded characters

MOST_PARTS = 6  # of a number within a run
MOST_JUDGED = 60  # candidates of one text, so that the time grows with its length alone
FEWEST = 2  # of them written as digits
_NEXT = 5  # characters between two parts that nothing joins but marks
_NEAR, _BEFORE, _AFTER = 12, 40, 30  # characters to a cue: of a short number, before and behind a long one
_LIKE_DIGITS = str.maketrans("oli", "011")
_DIGITS_PART = r"o?\d(?:(?:[oli]|oo)?\d)*(?:[ol](?![^\W_]))?"
_GAP = re.compile(r"[\W_]{0,5}\Z")
_AS_DIGITS = str.maketrans("olizsgb", "0112568")
_LIKE_PART = r"(?:(?=[olizsgb]*\d)[\dolizsgb]+|o{2,}|(?<=\d[ ./-])[oli]{2}(?=[ ./-]\d))"
_LETTERS = re.compile(rf"(?<![^\W_]){_LIKE_PART}(?:[ ./-]{_LIKE_PART})*(?![^\W_])")
_JOINING = re.compile(r"[^\d\n]{1,40}\s?")
_STRONG = re.compile(r"[,;\n:]|[.!?)] | [|] ")  # between two things rather than between two parts of one
_STAYS = re.compile(
    r"(?<!\d)(?<!\d[./])(?:(?:19|20)\d\d[./-][01]?\d[./-][0-3]?\d|[0-3]?\d[./-][01]?\d[./-](?:19|20)\d\d"
    r"|(?:19|20)\d\d ?[-–/] ?(?:19|20)\d\d|[012]?\d:[0-5]\d(?::[0-5]\d)?)(?![./]?\d)"
    r"|(?<![\d.,])\d{1,3}(?:[ .,']\d{3}){0,2}(?:[.,]\d{1,2})? ?(?:[€£$₽]|eur\b|usd\b|gbp\b|zł|zl\b|руб|kc\b|chf\b)"
    r"|[€£$] ?\d{1,3}(?:[ .,']\d{3}){0,2}(?:[.,]\d{1,2})?(?!\d|[.,]\d)"
    r"|(?<!\d)\d{1,2}[.:h]\d\d ?[-–] ?\d{1,2}[.:h]\d\d(?![./]?\d)|(?<!\d)\d{4}/\d{3}/\d{3}(?!\d)"
    r"|(?<![\d.,])\d{1,2}[.,]5(?![\d.,])|(?<!\d)(?:19|20)\d\d(?:[ ,;/-]{1,3}(?:19|20)\d\d)+(?!\d)"
    r"|(?<![\d.,])\d{1,3}[.,]\d\d(?:[ /;-]{1,3}\d{1,3}[.,]\d\d)+(?![\d.,])"
    r"|(?<!\d)\d+(?:[.,]\d+)? ?[x×*х] ?\d+(?:[.,]\d+)?(?: ?[x×*х] ?\d+(?:[.,]\d+)?)*"
)
_TOWN = r"[^\W\d_]+(?:[ -][^\W\d_]+){0,3}"
_CODE = r"(?:\d{4,5}|\d{5}-\d{3,4}|\d{4}-\d{3}|\d{2}-\d{3}|\d{3} \d{2}|\d{4} ?[a-z]{2})"  # of a town
_POSTAL = re.compile(rf"(?:[^\W\d_]+[: ]{{1,2}})?{_CODE}(?: {_TOWN}(?: [^\W\d_]+ {_CODE} {_TOWN})?)?(?:, {_TOWN})?")
_STREET = re.compile(
    r"(?<!\w)(?:st|street|rd|road|ave|avenue|blvd|way|lane|ln|dr|drive|ct|court|close|place|rue|hill)(?!\w)"
)
_TELLING = ("near", "phone", "number")
_LOCAL = ((6,), (7,), (3, 4), (3, 3), (4, 3), (2, 2, 2), (3, 2, 2))
_ENDED = re.compile(r"[.!?;,]\s|\n\s*\S")  # a clause
_SHORT_FORM = 4  # letters: "Ref. 4521"
_UNIT = re.compile(r" ?(?:cm|mm|km|kg|ml|mah|wh|gb|mb|tb|[mgwvl]|inch|hz|rpm|lumen|lm|k?m²|[€£$%°])(?![^\W_])")


def _any(words: Sequence[str]) -> str:
    folded = {*words, *(fold(word).lower for word in words)}
    return "|".join(re.escape(word) for word in sorted(folded, key=lambda word: (-len(word), word)))


@dataclass(frozen=True)
class Part:
    """Digits that stand together in a folded text; ``odd``: in a disguise, or in words."""

    digits: str
    start: int
    end: int
    odd: bool = False


class Numbers:
    """What finds numbers, made of the words of ``cues.yaml``."""

    def __init__(self, cues: dict[str, Any]) -> None:
        self._values = {word: str(value) for value, words in enumerate(cues["digits"]) for word in words}
        self._times = {word: times for times, words in cues["times"].items() for word in words}
        words = [word for word in (*self._values, *self._times) if not _is_han(word)]
        han = "".join(word for word in self._values if _is_han(word))
        self._part = re.compile(rf"{_DIGITS_PART}|(?<![^\W\d_])(?:{_any(words)})(?![^\W\d_])|[{han}]")
        phone = _any([w for w in cues["phone"] if not _is_han(w)])
        pictures = _any([w for w in cues["phone"] if _is_han(w) or not w[0].isalpha()])
        self._then = re.compile(rf"[^\d\n]{{0,40}}?(?<!\w)(?:{_any(cues['then'])})(?!\w)[^\d\n]{{0,40}}\s?")
        numbered = rf"(?:[ .-]{{0,2}}(?:{_any([*cues['number'], *cues['short']])}))?"
        self._cue = re.compile(
            rf"(?<![^\W\d_])(?:(?P<code>(?:{_any(cues['codes'])}){numbered}|(?P<short>{_any(cues['short'])}))|(?P<phone>(?:{phone})"
            rf"{numbered})|(?P<any>{_any(cues['number'])}))(?![^\W\d_])|(?P<picture>{pictures})"
        )

    def matches(self, folded: Folded) -> Iterator[tuple[str, int, int]]:
        """Every phone number, in characters of the folded text: ``phone``, or ``maybe`` where another look decides."""
        if sum(map(str.isdigit, folded.lower)) < 2 and not self._part.search(folded.lower):
            return
        judged, runs = 0, self._runs(folded)
        for parts in (*self._told_in_parts(runs, folded.lower), *self._in_letters(folded.lower)):
            yield "phone", parts[0].start, parts[-1].end
        for run in runs:
            digits, lengths = "".join(part.digits for part in run), tuple(len(part.digits) for part in run)
            if len(digits) < LEAST or (len(digits) == 13 and len(run) > 1 and is_bar_code(digits, lengths)):
                continue
            done = -1
            for first, last in _candidates(run, folded.lower):
                if first <= done or judged >= MOST_JUDGED:
                    continue
                parts = run[first:last]
                judged += 1
                if kind := self._kind(parts, folded):
                    yield kind, parts[0].start, parts[-1].end
                    done = last - 1

    def unexplained(self, folded: Folded, matches: Sequence[Mark]) -> list[Mark]:
        """The matches but for phone numbers and addresses whose digits are something else."""
        parts = [part for run in self._runs(folded) for part in run]
        return [match for match in matches if not self._is_explained(folded.lower, match, parts)]

    def _is_explained(self, text: str, match: Mark, parts: Sequence[Part]) -> bool:
        kind, start, end = match
        if kind in ("phone", "address") and _POSTAL.fullmatch(text, start, end):
            return not _STREET.search(text, start, end)
        inside = [part for part in parts if part.start < end and start < part.end]
        if kind != "phone" or not inside:
            return False
        cue, digits = self._cue_of(inside, text), "".join(part.digits for part in inside)
        is_code = is_bar_code(digits, tuple(len(part.digits) for part in inside))
        if cue == "code":
            return digits[0] != "0" or len(digits) < LEAST_ALONE or is_code
        if cue in _TELLING or cue == "both" or sum(map(str.isalnum, text[start:end])) > len(digits):
            return False
        return is_code or _is_list(inside)

    def _runs(self, folded: Folded) -> list[list[Part]]:
        text = folded.lower
        stays = bytearray(len(text) + 1)
        for match in _STAYS.finditer(text):
            stays[match.start() : match.end()] = b"\1" * len(match[0])
        runs, times = [list[Part]()], 1
        for match in self._part.finditer(text):
            if stays[match.start()]:
                continue
            if match[0] in self._times:
                times = self._times[match[0]]
                continue
            part = self._read(match, folded, times)
            times = 1
            if part is None:
                continue
            last = runs[-1][-1].end if runs[-1] else 0
            between = text[last : part.start]
            if runs[-1] and any(unicodedata.category(char) in ("So", "Sk") or char > "\U0001f000" for char in between):
                part = replace(part, odd=True)
                runs[-1][-1] = replace(runs[-1][-1], odd=True)
            if (runs[-1] and not (_GAP.match(between) or between.strip(" -") in self._times)) or any(
                stays[last : part.start]
            ):
                runs.append([])
            runs[-1].append(part)
        return runs

    def _told_in_parts(self, runs: Sequence[list[Part]], text: str) -> Iterator[list[Part]]:
        """Numbers whose parts are joined by words ("first 0770, then 0900 123")."""
        joined = list[Part]()
        for run in [*(run for run in runs if run), []]:
            if joined and run and _JOINING.fullmatch(text, joined[-1].end, run[0].start):
                joined += run
                continue
            digits = "".join(part.digits for part in joined)
            told = bool(joined) and self._cue_of(joined, text) in _TELLING
            gaps = [(a.end, b.start) for a, b in pairwise(joined) if b.start - a.end > _NEXT]
            then = sum(bool(self._then.fullmatch(text, *gap)) for gap in gaps)
            if (
                then
                and (then == len(gaps) or (told and 2 * then >= len(gaps)))
                and ((told and LEAST < len(digits) <= MOST) or (is_number(digits) and _in_long_parts(joined)))
            ):
                yield joined
            joined = list(run)

    def _in_letters(self, text: str) -> Iterator[list[Part]]:
        """Numbers with letters that look like digits ("9OO 3l4 OOO"), told by a word or such as may be dialled."""
        for match in _LETTERS.finditer(text):
            digits = re.sub(r"\D", "", match[0].translate(_AS_DIGITS))
            written = sum(map(str.isdigit, match[0]))
            if LEAST_ALONE <= len(digits) <= MOST and FEWEST <= written < len(digits):
                part = Part(digits, match.start(), match.end(), odd=True)
                cue, is_article = self._cue_of([part], text), bool(re.search(r"[sgbz]", match[0]))
                if cue in _TELLING or (not (cue or is_article) and is_valid(digits, mobile=digits[0] != "0")):
                    yield [part]

    def _read(self, match: re.Match[str], folded: Folded, times: int) -> Part | None:
        text, (start, end) = match[0], match.span()
        if (value := self._values.get(text)) is not None:
            return Part(value * times, start, end, odd=True)
        letters = sum(map(str.isalpha, text))
        if letters and (
            len(text) < 4 or letters > 0.4 * len(text) or (text[0].isalpha() and _letter(folded.lower, start - 1))
        ):
            digits = re.search(r"\d+", text)
            assert digits is not None
            return Part(digits[0], start + digits.start(), start + digits.end())
        odd = bool(letters) or any(folded.odd[start:end])
        digits_of = text.translate(_LIKE_DIGITS)
        return Part(digits_of if times == 1 else digits_of * times, start, end, odd)

    def _cue_of(self, parts: Sequence[Part], text: str) -> str:
        """``near`` or ``phone``, ``number``, ``code`` or ``short`` ("no."), or nothing, by the nearest word."""
        start, end = parts[0].start, parts[-1].end
        before = text[max(0, start - _BEFORE) : start].replace("@", "a").replace("$", "s").replace("!", "i")
        before = before.rpartition("\n\n")[2]
        found = list(self._cue.finditer(before))
        after = self._cue.search(text[end : end + _AFTER])
        behind = any(not cue["code"] and not cue["any"] for cue in self._cue.finditer(text[end : end + _AFTER]))
        behind = behind and not (after and after["code"] and len(after[0]) > _SHORT_FORM)
        if not found:
            return "phone" if behind else "code" if after and after["code"] and len(after[0]) > _SHORT_FORM else ""
        last = found[-1]
        if last["code"]:
            return "both" if behind else "" if self._ended(before, last) else "short" if last["short"] else "code"
        near = len(before) - last.end() <= _NEAR
        if last["any"]:
            return "number" if near and not _letter(text, start - 1) else ""
        return "near" if near else "phone"

    @staticmethod
    def _ended(before: str, cue: re.Match[str]) -> bool:
        short = len(re.split(r"[ .-]", cue[0])[-1]) <= _SHORT_FORM
        return len(before) - cue.end() > 2 * _NEAR or bool(_ENDED.search(before, cue.end() + short))

    def _kind(self, parts: Sequence[Part], folded: Folded) -> str:
        """``phone``, ``maybe`` for what is one only where the tagger takes it for one, too, or nothing."""
        text, digits = folded.lower, "".join(part.digits for part in parts)
        start, end = parts[0].start, parts[-1].end
        if not LEAST <= len(digits) <= MOST or len(set(digits)) < 2:
            return ""
        plus = text[max(0, start - 2) : start].rstrip("(").endswith("+")
        cue = self._cue_of(parts, text)
        glued = _letter(text, end) or (_letter(text, start - 1) and not self._ends_with_cue(text, start))
        told = cue in _TELLING and not glued
        if (_UNIT.match(text, end) or _is_list(parts)) and not (told and digits[0] == "0"):
            return ""
        shape = _Shape(digits, tuple(len(part.digits) for part in parts), all(part.odd for part in parts))
        if told and cue == "near" and (len(digits) >= 8 or shape.lengths in _LOCAL):
            return "" if shape.lengths == (4, 4) and digits[:2] in ("19", "20") else "phone"
        if len(digits) < (8 if (told and cue != "number") or plus else LEAST_ALONE):
            return ""
        if told or plus:
            return "phone" if told or is_international(digits) else ""
        if (is_bar_code(digits, shape.lengths) or is_isbn(digits, shape.lengths)) and not shape.odd:
            return ""
        if _POSTAL.fullmatch(text, start, end):
            return ""
        if cue in ("code", "short") or text[max(0, start - 2) : start].endswith(("#", "-", "_", "№")) or glued:
            return "phone" if shape.lengths == (2,) * 5 and digits[0] == "0" and is_valid(digits) else ""
        return shape.kind()

    def _ends_with_cue(self, text: str, at: int) -> bool:
        cues = list(self._cue.finditer(text[max(0, at - _BEFORE) : at]))
        return bool(cues) and cues[-1].end() == min(at, _BEFORE) and not cues[-1]["code"]


@dataclass(frozen=True)
class _Shape:
    """Digits and the lengths of their parts; ``odd``: all in a disguise or in words."""

    digits: str
    lengths: tuple[int, ...]
    odd: bool

    def kind(self) -> str:
        """What it is though no word says so; see ``Numbers``."""
        if self.odd or (self.digits[0] == "0" and is_valid(self.digits)):
            return "phone"
        if self.lengths in ((3, 3, 3), (3, 3, 4), (3, 6), (3, 7)):
            like = alike(self.digits, 6) if self.lengths == (3, 3, 4) else (self.digits,)
            if any(is_valid(digits, mobile=True) for digits in like):
                return "phone"
        if not is_valid(self.digits):
            return ""
        if self.digits.startswith("00") or (len(self.digits) > 10 and self._is_exact()):
            return "phone"
        return "maybe"

    def _is_exact(self) -> bool:
        """Run together, or in few parts a number that is dialled today."""
        return len(self.lengths) == 1 or (len(self.lengths) < MOST_PARTS and valid(f"+{self.digits}", None, None))


def _in_long_parts(parts: Sequence[Part]) -> bool:
    """True unless they are too short to be more than counts ("12-18 months, then 24")."""
    return parts[0].digits[0] == "0" or all(part.odd or len(part.digits) > 1 + (part is parts[0]) for part in parts)


def _is_han(word: str) -> bool:
    return any("\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7ff" for char in word)


def _letter(text: str, at: int) -> bool:
    return 0 <= at < len(text) and text[at].isalpha() and not _is_han(text[at])


def _candidates(run: Sequence[Part], text: str) -> Iterator[tuple[int, int]]:
    """First part and the one behind the last of what may be one number: the run, what stands between strong marks, and
    fewer parts, the most digits first.
    """
    yield 0, len(run)
    if _is_list(run):
        return
    cuts = [n + 1 for n, (a, b) in enumerate(pairwise(run)) if _STRONG.search(text, a.end, b.start)]
    pieces = list(pairwise((0, *cuts, len(run))))
    yield from pieces if cuts else ()
    for first, behind in pieces:
        for start in range(first, behind):
            for end in range(min(behind, start + MOST_PARTS), start, -1):
                lengths = [len(part.digits) for part in run[start:end]]
                zero = run[start].digits[0] == "0"  # only the first part of a number has one
                cut = not zero and (_same(run, start - 1, first, text) or _same(run, end - 1, first, text, behind))
                if max(lengths) >= 2 and LEAST_ALONE <= sum(lengths) <= MOST and not cut:
                    yield start, end


def _same(run: Sequence[Part], at: int, first: int, text: str, behind: int | None = None) -> bool:
    """True if this part and the next are of one list: as long as each other, a blank between them."""
    if at < first or (behind is not None and at + 1 >= behind):
        return False
    one, other = run[at], run[at + 1]
    return len(one.digits) == len(other.digits) <= 3 and other.start - one.end == 1


def _is_list(parts: Sequence[Part]) -> bool:
    """Sizes, page numbers, thread counts: each more than the one before, and no zero at the head of any."""
    zero = any(part.digits[0] == "0" and len(part.digits) > 1 for part in parts)
    values = [int(part.digits) for part in parts]
    if len(parts) < (6 if zero else 3) or max(values) >= 10_000:
        return False
    alike = len(parts) == 3 and (min(values) >= 1_000 or max(values) - min(values) < 100)
    one_kind = max(values) < 200 or len({len(part.digits) for part in parts}) == 1
    rising = one_kind and (len(parts) > 3 or alike) and all(a <= b for a, b in pairwise(values))
    return rising or all(value and value % 10 == 0 for value in values)
