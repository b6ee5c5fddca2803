"""What a seller's note states (size, brand, flaws, ...).

It is read by a small grammar over ``note.yaml``, built to miss rather than to invent: what it reads counts as the
seller's word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from listing.observe.printed.brands import brand_names, find_brand
from listing.observe.printed.labels import LETTERS, find_material
from listing.observe.printed.ocr import OcrSpan
from listing.safety.contacts import scrub
from listing.safety.injection import sentences_without_orders

MAX_FLAWS = 80  # characters, as of any fact that a seller states
_NUMBER = r"\d{1,3}(?:[.,]5| [123]/[23]|[/-]\d{1,3})?"
_EU_SIZES = range(16, 53)
_AMOUNT = r"\d{1,5}(?:[.,]\d{2})?"
_STATEMENTS = re.compile(r"[.!?;]+(?!\d)|\n|\s[–—-]\s|[()]")
_FIBRE = re.compile(r"(?:made (?:of|from)|pure|aus|en|de|100 ?%) (?:100 ?% )?(\w+)", re.I)


@dataclass(frozen=True)
class Noted:
    """``facts``: attribute -> value. ``age``: in the seller's words. ``paid``, ``price``: amounts, in any currency."""

    facts: dict[str, str] = field(default_factory=dict)
    age: str | None = None
    paid: float | None = None
    price: float | None = None


@lru_cache(maxsize=256)  # a press reads the same texts again
def read_note(note: str) -> Noted:
    """All that a note states; orders and contact data in it say nothing."""
    if not note.strip():
        return Noted()
    text = ". ".join(s.rstrip(".") for s in sentences_without_orders(scrub(note))).replace("’", "'")
    statements = list(_statements(text))
    flaws, wear = _flaws(statements)
    brand = _brand(text, statements)
    facts = {
        "size": _size(text, statements, brand),
        "brand": brand,
        "material": _material(text),
        "condition_grade": _grade(text.lower(), bool(flaws)),
        "condition": ", ".join(dict.fromkeys(wear)),
        "defects": _joined(flaws),
    }
    paid, price = _amounts(text.lower())
    return Noted({name: value for name, value in facts.items() if value}, _age(text), paid, price)


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("note.yaml").read_text(encoding="utf-8"))
    return raw


@lru_cache(maxsize=64)
def _any(*path: str) -> re.Pattern[str]:
    """A pattern of the words under these keys, as whole words."""
    at: Any = _words()
    for key in path:
        at = at[key]
    words = at if isinstance(at, str) else "|".join(at)
    return re.compile(rf"(?<![\w&])(?:{words})(?![\w&])", re.I)


def _statements(text: str) -> Iterator[list[str]]:
    """Sentences, each as its parts between commas."""
    for sentence in _STATEMENTS.split(text):
        for part in _any("joints").split(sentence) if sentence else ():
            if parts := [p.strip() for p in re.split(r",(?!\d)|\s/\s", part or "") if p.strip()]:
                yield parts


def _flaws(statements: Iterable[list[str]]) -> tuple[list[str], list[str]]:
    """(the seller's words, the kinds of wear) of every flaw that is told and not denied."""
    flaws: list[str] = []
    wear: list[str] = []
    for parts in statements:
        denied = False
        for part in parts:
            kinds = {
                kind
                for kind in _words()["flaws"]
                for match in _any("flaws", kind).finditer(part)
                if not _denied(part, match)
            }
            denies = bool(_any("denials").search(part)) and not kinds
            if kinds and not (denied and len(part.split()) <= 4):  # "no holes, stains or marks"
                flaws.append(_bare(part))
                wear += sorted(kinds - {"flaw"})
            denied = denies or (denied and not kinds)
    return flaws, wear


def _denied(part: str, flaw: re.Match[str]) -> bool:
    before = " ".join(part[: flaw.start()].split()[-3:])
    behind = part[flaw.end() :].lstrip(" -")
    listed = re.search(r"\b(?:or|and|ni|und|oder|ou|y|o)$", before) and _any("denials").search(part[: flaw.start()])
    return bool(_any("denials").search(before) or listed or _any("takes_back").match(behind))


def _bare(part: str) -> str:
    """Without the words that only open the sentence."""
    while (match := _any("openings").match(part)) and part[match.end() :].strip():
        part = part[match.end() :].strip()
    return part


def _joined(flaws: Iterable[str]) -> str:
    """The flaws that there is room for; the note itself, which stands in the listing, has all of them."""
    text = ""
    for flaw in flaws:
        longer = f"{text}; {flaw}" if text else flaw
        if len(longer) <= MAX_FLAWS:
            text = longer
        elif not text:
            text = flaw[:MAX_FLAWS].rpartition(" ")[0].rstrip(" ,;")
    return text


def _grade(text: str, flawed: bool) -> str | None:
    for grade in _words()["grades"]:
        if _any("grades", grade).search(text):
            return str(grade)
    return "very good" if not flawed and _any("seldom").search(text) else None


def _size(text: str, statements: Iterable[list[str]], brand: str | None) -> str | None:
    """The size that is named first; "UK 7" is kept apart from a plain 7."""
    return _jeans(text) or _childs(text) or _named(text) or _worded(text) or _alone(statements, brand)


def _jeans(text: str) -> str | None:
    match = re.search(r"\bw ?(\d{2})(?:[ /x]*l ?(\d{2}))?\b", text, re.I)
    if match is None:
        return None
    return f"W{match[1]} L{match[2]}" if match[2] else f"W{match[1]}"


def _childs(text: str) -> str | None:
    """A size by months or years of age."""
    words = _words()
    span = rf"(\d{{1,2}}(?:\s?-\s?\d{{1,2}})?) ?({words['months']}|{words['years']})(?! (?:old|alt|ago))\b"
    if match := re.search(rf"\b{span}", text, re.I):
        month = re.fullmatch(words["months"], match[2], re.I)
        if month or re.search(rf"\b(?:fits?|age|{words['size_words']})\b[\s:]*$", text[: match.start()], re.I):
            return f"{match[1].replace(' ', '')} {'months' if month else 'years'}"
    match = re.search(r"\bage[ds]?:? (\d{1,2}(?:\s?-\s?\d{1,2})?)\b", text, re.I)
    return f"{match[1].replace(' ', '')} years" if match else None


def _named(text: str) -> str | None:
    """Behind a word for "size", or a system of sizes."""
    words = _words()
    named, systems = words["size_words"], words["size_systems"]
    pattern = (
        r"(?<!\w)(?<!wear a )(?<!i'm a )(?<!i am a )(?:"
        rf"(?:(?P<front>{systems}) )?(?:{named})[\s:.\-]*(?:is )?(?:(?P<before>{systems}r?)[\s.]*)?"
        rf"|(?P<alone>{systems})[\s.:]*(?=\d)"
        r"|(?-i:T)\.? ?(?=\d))"
        rf"(?P<size>{LETTERS}|{_NUMBER})(?![\w%€£$])(?:\s*\(?(?P<behind>{systems})\b)?"
    )
    if (match := re.search(pattern, text, re.I)) is None:
        return None
    system = next((match[g] for g in ("front", "before", "alone", "behind") if match[g]), "")
    size: str = match["size"].upper()
    return f"{system.upper()} {size}" if system and size[0].isdigit() else size


def _worded(text: str) -> str | None:
    """In words ("a medium"), where that is no medium weight."""
    sizes: dict[str, str] = _words()["worded"]
    names = "|".join(sorted(sizes, key=len, reverse=True))
    match = re.search(rf"\b(?:an?|size|is) ({names})\b(?=\s*(?:$|[.,;!?)]|but|and|i'?d|size))", text, re.I)
    return sizes[match[1].lower()] if match else None


def _alone(statements: Iterable[list[str]], brand: str | None) -> str | None:
    """A statement that is nothing but a size, or a size behind the brand."""
    sizes: dict[str, str] = _words()["worded"]
    number = r"\d{2}(?: [123]/[23]|[.,]5)?|(?<=\w )\d{1,2}"
    for part in (part for statement in statements for part in statement):
        bare = part.removeprefix(brand).strip() if brand else part
        if bare.lower() in sizes:
            return sizes[bare.lower()]
        if match := re.fullmatch(rf"(?:it'?s an? )?({LETTERS}|{number})", bare, re.I):
            return match[1].upper()
    return None


def _brand(text: str, statements: Iterable[list[str]]) -> str | None:
    """A brand that is named as such, or one of the known ones."""
    words = _words()
    if match := re.search(rf"(?i:\b(?:{words['brand']}))\s*[:=]?\s*((?:[A-ZÀ-Þ][\w'&.-]*\s?){{1,3}})", text):
        spellings = {name.lower(): name for name in brand_names()}
        return spellings.get(match[1].strip(" .").lower(), match[1].strip(" ."))
    if brand := find_brand([], text):
        return brand.name
    for alias, name in words["aliases"].items():
        if re.search(rf"(?<!\w){re.escape(alias)}(?!\w)", text):
            return str(name)
    parts = {part for statement in statements for part in statement}
    alone = [name for name in brand_names() if name in parts]
    return alone[0] if len(alone) == 1 else None


def _material(text: str) -> str | None:
    spans = [OcrSpan(text, (0.0, 0.0, 1.0, 1.0), 1.0)]
    if (fact := find_material(spans)) is not None:
        return fact.value
    fibres = (find_material([OcrSpan(f"100% {m[1]}", spans[0].box, 1.0)]) for m in _FIBRE.finditer(text))
    return next((fibre.value for fibre in fibres if fibre is not None), None)


def _amounts(text: str) -> tuple[float | None, float | None]:
    """(what it cost, what is asked for it): an amount with its currency, or behind a word that says so."""
    money = _words()["currency"]
    paid = price = None
    for match in re.finditer(
        rf"(?P<left>{money})?\s?(?<![\d.,/])(?P<amount>{_AMOUNT})(?![\d/%])\s?(?P<right>{money})?", text
    ):
        before = text[max(0, match.start() - 30) : match.start()].rstrip(" :=")
        cost = re.search(rf"{_any('paid').pattern}(?: (?:me|it|this|about|around|over|only))*[\s.:]*$", before)
        wish = re.search(rf"{_any('asked').pattern}(?: (?:it|this|about|around|just|only))*[\s.:]*$", before)
        sign = match["left"] or match["right"]
        amount = float(match["amount"].replace(",", "."))
        if re.search(r"\d (?:for|für|pour|por)$", before) or (
            match["left"] == "eur" and amount in _EU_SIZES and not (cost or wish)
        ):
            continue  # several items, or a size
        if cost and (sign or not cost[0].startswith(("was", "were"))):
            paid = paid or amount
        elif sign or (wish and not wish[0].startswith("für")):
            price = price or amount
    return paid, price


def _age(text: str) -> str | None:
    words = _words()
    old = rf"(?<!he is )(?<!he's )\b\d{{1,2}} ?(?:{words['years']}|{words['months']}) (?:old|alt)\b"
    match = re.search(rf"{old}|\bfrom (?:the )?(?:\d{{2}}|\d{{4}})s?\b", text, re.I)
    return match[0] if match else None
