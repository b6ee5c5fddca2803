"""Brands are found in print and notes, and not found where a word only looks like one."""

from __future__ import annotations

from collections import Counter

import pytest

from listing.observe.printed.brand_list import spellings
from listing.observe.printed.brands import brand_names, find_brand, one_edit_apart
from listing.observe.printed.ocr import OcrSpan


def line(text: str, score: float = 0.95, box: tuple[float, float, float, float] = (0.1, 0.1, 0.5, 0.2)) -> OcrSpan:
    return OcrSpan(text, box, score)


def named(*spans: OcrSpan, note: str = "") -> str | None:
    match = find_brand(spans, note)
    return match.name if match else None


@pytest.mark.parametrize(
    ("text", "brand"),
    [
        ("NIKE", "Nike"),
        ("www.nike.com", "Nike"),
        ("adidas originals", "adidas"),
        ("LEVI'S", "Levi's"),
        ("Levi Strauss & Co.", "Levi's"),
        ("H&M", "H&M"),
        ("TOMMYHILFIGER", "Tommy Hilfiger"),
        ("NEW BALANCE", "New Balance"),
        ("Fjällräven", "Fjällräven"),
        ("JONSDALE LONDON", "Lonsdale"),
        ("AD1DAS", "adidas"),
        ("GUESS", "Guess"),
        ("GUESS JEANS", "Guess"),
        ("Columbia Sportswear Company", "Columbia"),
        ("SONY WH-1000XM4", "Sony"),
        ("Harman / Kardon", "Harman Kardon"),
    ],
)
def test_in_print(text: str, brand: str) -> None:
    span = line(text)
    match = find_brand([span])
    assert match is not None
    assert match.name == brand
    assert match.span is span
    assert 0.8 < match.score <= 0.95


@pytest.mark.parametrize(
    "text",
    [
        "BASICS",
        "mind the gap",
        "take a guess",
        "next summer",
        "COLUMBIA UNIVERSITY",
        "world champion 1998",
        "diesel engine",
        "conversely",
        "super dry fabric",
        "new york balance",
        "lee side of the hill",
        "100% COTTON",
        "MADE IN PORTUGAL",
        "MIKE",
        "sonny",
        "an apple a day",
        "filament",
        "GAP YEAR",
        "hp sauce",
        "",
    ],
)
def test_not_in_print(text: str) -> None:
    assert named(line(text)) is None


def test_ordinary_words_need_a_sure_reading() -> None:
    assert named(line("NEXT", 0.95)) == "Next"
    assert named(line("NEXT", 0.7)) is None
    assert named(line("NIKE", 0.7)) == "Nike"
    assert named(line("NIKE", 0.4)) is None


def test_two_lines_that_belong_together() -> None:
    upper, lower = line("JACK", box=(0.1, 0.1, 0.3, 0.2)), line("WOLFSKIN", box=(0.1, 0.21, 0.4, 0.31))
    match = find_brand([lower, upper])
    assert match is not None
    assert match.name == "Jack Wolfskin"
    assert match.span is not None
    assert match.span.box == (0.1, 0.1, 0.4, 0.31)
    assert named(upper, line("WOLFSKIN", box=(0.6, 0.8, 0.9, 0.9))) is None


def test_two_brands_cancel_unless_one_is_much_larger() -> None:
    nike = line("NIKE", box=(0.1, 0.1, 0.5, 0.2))
    assert named(nike, line("PUMA", box=(0.1, 0.5, 0.5, 0.6))) is None
    assert named(nike, line("PUMA", box=(0.1, 0.5, 0.2, 0.53))) == "Nike"


@pytest.mark.parametrize(
    ("note", "brand"),
    [
        ("Nike hoodie, worn twice", "Nike"),
        ("bought it from Zara. Fits well.", "Zara"),
        ("brand: gap", "Gap"),
        ("A Gap hoodie", "Gap"),
        ("north face jacket", "The North Face"),
        ("I guess it fits", None),
        ("gap at the seam", None),
        ("Next week only", None),
        ("not Nike", None),
        ("looks like Nike", None),
        ("Nike style", None),
        ("case for Samsung phones", None),
        ("no brand", None),
        ("Sony headphones, bought with a Samsung phone", None),
        ("", None),
    ],
)
def test_in_the_note(note: str, brand: str | None) -> None:
    match = find_brand([], note)
    assert (match.name if match else None) == brand
    assert match is None or match.span is None


def test_note_and_print() -> None:
    nike = line("NIKE")
    agreed = find_brand([nike], "my Nike hoodie")
    assert agreed is not None
    assert agreed.span is nike
    assert named(nike, note="Puma hoodie") == "Puma"
    assert named(nike, note="some hoodie") == "Nike"


def test_the_list() -> None:
    assert len(brand_names()) >= 300
    doubles = [key for key, count in Counter(s.key for s in spellings()).items() if count > 1]
    shared = [key for key in doubles if len({s.name for s in spellings() if s.key == key}) > 1]
    assert shared == []
    assert all(s.key for s in spellings())


def test_every_brand_is_found_by_its_own_name() -> None:
    assert [name for name in brand_names() if named(line(name, 0.99)) != name] == []


def test_one_edit() -> None:
    assert one_edit_apart("lonsdale", "jonsdale")
    assert one_edit_apart("lonsdale", "lonsdal")
    assert one_edit_apart("lonsdale", "lonnsdale")
    assert not one_edit_apart("lonsdale", "lonsdale")
    assert not one_edit_apart("lonsdale", "lansdole")
    assert not one_edit_apart("lonsdale", "onsdal")


def test_a_long_name_may_be_torn_in_two_but_not_a_short_or_common_one():
    assert named(line("NAU TICA")) == "Nautica"
    assert named(line("PU MA")) is None
    assert named(line("NAU TI CA")) is None
