"""Statements of labels and packets: size, composition, how much is in it. Only explicit statements count."""

from __future__ import annotations

import functools
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from listing.observe.printed.brand_list import fold
from listing.observe.printed.brands import one_edit_apart
from listing.observe.printed.ocr import OcrSpan, merge, reading_order

_FIBRES = Path(__file__).with_name("fibres.yaml")
_NEAR = 6  # letters from which on one wrong letter in a fibre's name is allowed
_WHOLE = range(99, 102)  # per cent that a complete composition sums to
_BESIDE = 3  # letters beside "EU 38" in its line, at most
_READ = 0.75  # score from which on a line may name a size or an amount: a ruler's marks are also read as "us", "2"
_SURE, _SMALL = 0.97, 0.05  # of a size letter that stands alone on a garment: score, and height as a share of the photo
_MAIN = 50  # per cent from which on a material is the main one
_SHARE = re.compile(r"(?<!\d)(\d{1,3}) ?%")
_WORD = re.compile(r"[^\W\d_]+")

LETTERS = r"(?:XXS|XS|S|M|L|XL|XXL|XXXL|[2-6]XL)"
_NUMBER = r"\d{1,3}(?:[.,/]\d{1,2})?"
_JEANS = re.compile(r"\bW ?(\d{2})[ /,X-]*L ?(\d{2})\b")
_YEARS, _MONTHS = r"Y|YRS?|YEARS?|ANS|JAHRE|AÑOS|ANOS|ANNI|LAT|JAAR|ANOS", r"M|MTHS?|MONTHS?|MOIS|MONATE|MESES|MESI|MND"
_AGE = re.compile(
    rf"(?<![\d-])(\d{{1,2}} ?[-–/] ?\d{{1,2}}|\d{{1,2}}(?= ?(?:Y|YEARS|ANS|JAHRE)\b)) ?(?:({_YEARS})|({_MONTHS}))\b"
)
_HEIGHT = re.compile(r"^(\d{2,3})(?: ?/ ?(\d{2,3}))? ?CM$")
_SYSTEMS = {"EU": "EU", "EUR": "EU", "INT": "", "DE": "DE", "UK": "UK", "GB": "UK", "US": "US", "USA": "US", "FR": "FR"}
_SYSTEMS |= {"ES": "ES", "IT": "IT"}  # in this order one of several is taken
_SYSTEM = re.compile(rf"\b({'|'.join(sorted(_SYSTEMS, key=len, reverse=True))}) ?[:.\-]? ?({LETTERS}|{_NUMBER})\b")
_NAMED = re.compile(
    rf"\b(?!SIZES\b)(?:SIZE|SIZ|SZ|GR(?:Ö|O)(?:SS|ß|ẞ)E|GR(?=[ .:]*\d\d)|TAILLE|TALLA|TAGLIA|TG|MAAT|"
    r"ROZMIAR|ROZM|STORLEK|BEDEN)"
    rf" ?[:.\-]? ?({LETTERS}|{_NUMBER})\b"
)
_BARE = re.compile(rf"^({LETTERS}|\d{{2,3}})(?: ?/ ?(?:{LETTERS}|G|GR|\d{{2,3}}))?$")
_WASHES = frozenset({"30", "40", "60", "95"})  # degrees of a care symbol, as often as sizes
_BODY = range(32, 65)  # bare numbers that are sizes of grown-ups, and of children by height
_CHILD = frozenset(map(str, range(50, 189, 6)))
_TYPICAL = re.compile(
    r"\bMADE IN\b|\bWASH|\bTUMBLE|\bIRON\b|\bBLEACH|\bDRY CLEAN|\bRN ?\d|\bFABRIQU|\bHECHO EN|\bLAVAR|\bWASCHEN|"
    r"\bEXCLUSIVE OF|^SIZE$"
)
_AMOUNT = re.compile(
    r"(?<![\w.,])(\d{1,4}(?:[.,]\d{1,3})?) ?"
    r"(?:(KG|G|ML|CL|L|LITRES?|LITERS?)|(FL\.? ?OZ|OZ|LBS?|BAGS|TABLETS|CAPSULES))\b"
)
_NET = re.compile(r"\bNET(?:\b| ?WT| ?WEIGHT| ?CONT)|\bCONTENTS?\b|\bCONTENU\b|\bINHALT\b|\bPOIDS\b|\bPESO\b")
_MARKS_OF_AMOUNT = 2  # letters beside an amount in its line, at most: "500 g e"


@dataclass(frozen=True)
class LabelFact:
    """A statement on a label: the attribute's value, where it stands, and of a material the shares of the fibres."""

    value: str
    span: OcrSpan
    blend: tuple[tuple[str, int], ...] = ()

    @property
    def words(self) -> str:
        """The statement in English, or the line itself: "80 % cotton, 20 % polyester"."""
        return ", ".join(f"{share} % {fibre}" for fibre, share in self.blend) or self.span.text


@dataclass(frozen=True)
class _Fibre:
    name: str
    material: str


@functools.cache
def _fibres() -> dict[str, _Fibre]:
    """Folded name -> fibre."""
    listed = yaml.safe_load(_FIBRES.read_text(encoding="utf-8"))
    return {word: _Fibre(name, row["material"]) for name, row in listed.items() for word in row["names"].split()}


def label_words(spans: Sequence[OcrSpan]) -> int:
    """How many lines say what labels say: shares of fibres, care, origin, a size with its name."""
    return sum(
        bool(_TYPICAL.search(line.text.upper()) or next(_shares([line]), None) or _named_size(line)) for line in spans
    )


def find_size(spans: Sequence[OcrSpan], *, label: bool = False) -> LabelFact | None:
    """The size where a line names it ("SIZE M", "EU 38", "W32 L34", "5-6 Y"), else one that stands alone on a label.

    Contradicting statements (two different sizes) give None unless they name different systems; then the first system
    of EU, letters, DE, UK, US counts.

    Args:
        label: the photo shows a label, whatever its other lines say.
    """
    spans = [span for span in spans if span.score >= _READ]
    lines = [merge(row) for row in reading_order(spans)]
    named = [fact for line in [*spans, *lines] for fact in _named_size(line)]
    for rank in range(4):
        ranked = [fact for place, fact in named if place == rank]
        if ranked:
            return _agreed(ranked)
    if not (label or label_words(spans)):
        return _agreed([LabelFact(span.text.strip().upper(), span) for span in spans if _is_neck_label(span)])
    return _agreed([fact for span in spans if (fact := _bare_size(span, spans)) is not None])


def _is_neck_label(span: OcrSpan) -> bool:
    """True if a line is a size letter by itself, surely read, small and high up: a label in the neck."""
    _, top, _, bottom = span.box
    size = re.fullmatch(LETTERS, span.text.strip().upper())
    return size is not None and span.score >= _SURE and bottom - top <= _SMALL and bottom <= 0.5


def _agreed(facts: Sequence[LabelFact]) -> LabelFact | None:
    """The one value that all state, or the first system's."""
    by_system: dict[str, set[str]] = {}
    for fact in facts:
        by_system.setdefault(fact.value.split()[0] if " " in fact.value else "", set()).add(fact.value)
    if not facts or any(len(values) > 1 for values in by_system.values()):
        return None
    order = [*_SYSTEMS.values(), *by_system]
    return min(facts, key=lambda fact: order.index(fact.value.split()[0] if " " in fact.value else ""))


def _named_size(line: OcrSpan) -> list[tuple[int, LabelFact]]:
    """(rank, size) of each statement in a line; a lower rank is the clearer statement."""
    text = " ".join(line.text.upper().split())
    sizes = [(0, f"W{waist} L{length}") for waist, length in _JEANS.findall(text)]
    # In a sentence these are words: "MAKE IT 2", "US 50 STATES".
    alone = sum(c.isalpha() for c in _SYSTEM.sub("", text)) <= _BESIDE or "SIZE" in text
    for system, size in _SYSTEM.findall(text) if alone else ():
        prefix = _SYSTEMS[system]
        number = size[0].isdigit() and not size.endswith("XL")
        sizes.append((1, f"{prefix} {size}" if prefix and number else size))
    sizes += [(1, size) for size in _NAMED.findall(text)]
    for age, years, _ in _AGE.findall(text):
        sizes.append((2, re.sub(r" ?[-–/] ?", "-", age) + ("Y" if years else "M")))
    sizes += [(3, f"{low}/{high}" if high else low) for low, high in _HEIGHT.findall(text)]
    return [(rank, LabelFact(value, line)) for rank, value in sizes]


def _bare_size(span: OcrSpan, spans: Sequence[OcrSpan]) -> LabelFact | None:
    """A line that is nothing but a size; a number that may be a temperature only in large print."""
    match = _BARE.match(span.text.strip().upper())
    if not match:
        return None
    value = match.group(1)
    if value.isdigit():
        large = _height(span) > 1.3 * statistics.median(map(_height, spans))
        if not (value in _CHILD or int(value) in _BODY) or (value in _WASHES and not large):
            return None
    return LabelFact(value, span)


def _height(span: OcrSpan) -> float:
    return span.box[3] - span.box[1]


def find_material(spans: Sequence[OcrSpan]) -> LabelFact | None:
    """The main material of a composition ("80 % cotton, 20 % polyester"), when it is at least half, with all shares.

    The first complete composition counts: it is the outer fabric's, and other languages repeat it.
    """
    blend: dict[_Fibre, int] = {}
    used: list[OcrSpan] = []
    for share, fibre, line in _shares([merge(row) for row in reading_order(spans)]):
        if sum(blend.values()) in _WHOLE:
            break
        if fibre not in blend and sum(blend.values()) + share < _WHOLE.stop:
            blend[fibre] = share
            used.append(line)
    materials: dict[str, int] = {}
    for fibre, share in blend.items():
        materials[fibre.material] = materials.get(fibre.material, 0) + share
    main = max(materials, key=lambda name: materials[name], default="")
    if materials.get(main, 0) < _MAIN:
        return None
    ordered = sorted(((fibre.name, share) for fibre, share in blend.items()), key=lambda part: -part[1])
    return LabelFact(main, merge(list(dict.fromkeys(used))), tuple(ordered))


def find_volume(spans: Sequence[OcrSpan]) -> LabelFact | None:
    """How much is in a packet, where a line says so ("NET WT 12 OZ (340g)") or is nothing else; metric units first.

    Two different amounts give None.
    """
    metric: dict[str, OcrSpan] = {}
    others: dict[str, OcrSpan] = {}
    for span in (span for span in spans if span.score >= _READ):
        text = span.text.upper()
        if not _NET.search(text) and sum(c.isalpha() for c in _AMOUNT.sub("", text)) > _MARKS_OF_AMOUNT:
            continue
        for number, unit, other in _AMOUNT.findall(text):
            if float(number.replace(",", ".")) > 0:
                name = "fl oz" if other.startswith("FL") else (unit or other).lower()
                (metric if unit else others)[f"{number} {name}"] = span
    amounts = metric or others
    return LabelFact(*next(iter(amounts.items()))) if len(amounts) == 1 else None


def _shares(lines: Sequence[OcrSpan]) -> Iterator[tuple[int, _Fibre, OcrSpan]]:
    """(per cent, fibre, line) in reading order, whichever of share and name stands first in the line."""
    for line in lines:
        marks = list(_SHARE.finditer(line.text))
        if not marks:
            continue
        ends = [mark.start() for mark in marks[1:]] + [len(line.text)]
        behind = [line.text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)]
        before = [line.text[start : m.start()] for start, m in zip([0, *(m.end() for m in marks)], marks, strict=False)]
        words = before if _fibre(before[0]) and not _fibre(behind[-1]) else behind
        for mark, part in zip(marks, words, strict=True):
            fibre, share = _fibre(part), int(mark.group(1))
            if fibre is not None and 1 <= share <= 100:
                yield share, fibre, line


def _fibre(text: str) -> _Fibre | None:
    """The first fibre that a piece of text names; other words ("organic") are passed over."""
    fibres = _fibres()
    for word in _WORD.findall(text):
        key = fold(word.replace("ł", "l").replace("Ł", "l"))
        if key in fibres:
            return fibres[key]
        near = {fibres[name] for name in fibres if len(name) >= _NEAR and one_edit_apart(key, name)}
        if len(near) == 1:
            return near.pop()
    return None
