"""Sizes, materials and amounts on labels; brands in print, with misread letters, and in notes."""

from __future__ import annotations

import numpy as np
import pytest

from listing.observe.printed.brand_list import SpottingDecoder, best_path, spellings
from listing.observe.printed.brands import brand_names, find_brand, one_edit_apart
from listing.observe.printed.labels import find_material, find_size, find_volume
from listing.observe.printed.ocr import OcrSpan


def lines(*texts: str) -> list[OcrSpan]:
    return [OcrSpan(text, (0.1, 0.1 * i, 0.5, 0.1 * i + 0.05), 0.9) for i, text in enumerate(texts)]


def table(rows: str) -> list[tuple[list[str], str | None]]:
    """Lines of a label, divided by ``/``, and what they say; None is written ``-``."""
    pairs = (row.rsplit(" = ", 1) for row in rows.strip().splitlines())
    return [(texts.strip().split(" / "), None if said == "-" else said) for texts, said in pairs]


SIZES = """
    SIZE M = M
    SIZEM = M
    Size: XL = XL
    EU 38 = EU 38
    EU 38 / UK 12 = EU 38
    TAILLE L = L
    M / 100% COTTON = M
    SIZE M / SIZE L = -
    SIZES = -
    M = -
    MADE IN EU = -
    US NAVY 1984 = -
    W32 L34 = W32 L34
    W 30  L 32 = W30 L32
    Gr. 38 = 38
    GRÖSSE 42 = 42
    Taglia 44 = 44
    ROZMIAR M = M
    EUR 38 UK 10 US 6 = EU 38
    EUR M / USA M / MEX 28 = M
    5-6 Y / 116 cm = 5-6Y
    18-24 M = 18-24M
    100% COTTON / 110 = 110
    100% COTTON / 30 = -
    NEW YORK / 110 = -
    MAKE IT 2 = -
    US 50 STATES = -
    3M THINSULATE = -
    GR8 DAY = -
    SIZE US 9 = US 9
    6 YEARS = 6Y
"""
SHARES = """
    80% COTTON / 20% POLYESTER = 80 % cotton, 20 % polyester
    80% Baumwolle 20% Polyester = 80 % cotton, 20 % polyester
    80 % COTTON / 20 % POLYESTER / 80 % COTON / 20 % POLYESTER = 80 % cotton, 20 % polyester
    KATOEN 95% / ELASTAAN 5% = 95 % cotton, 5 % elastane
    60% bawełna/cotton / 37% poliester / 3% elastan = 60 % cotton, 37 % polyester, 3 % elastane
    92% viscosa 8% elastano = 92 % viscose, 8 % elastane
    55 % LIN / 45 % VISCOSE = 55 % linen, 45 % viscose
    70% lana 30% acrilico = 70 % wool, 30 % acrylic
    100 % Wolle = 100 % wool
    100% organic cottan = 100 % cotton
    SHELL 100% POLYESTER / LINING 100% COTTON = 100 % polyester
    30% WOOL = -
    50% OFF = -
    COTTON CLUB = -
"""
VOLUMES = """
    NET WT 12 OZ (340g) = 340 g
    NETWT/PODSNET 43g(1.5z) = 43 g
    2 fl oz = 2 fl oz
    2 FL.OZ = 2 fl oz
    Vanilla / 60 mL = 60 ml
    500 g e = 500 g
    80 BAGS = 80 bags
    Contents: 0,75 l = 0,75 l
    0g trans fat = -
    250 g / 500 g = -
    EST. 1984 L = -
    5G = 5 g
"""


@pytest.mark.parametrize(("texts", "size"), table(SIZES))
def test_only_an_explicit_size_counts(texts: list[str], size: str | None) -> None:
    spans = lines(*texts)
    label_fact = find_size(spans)
    assert (label_fact and label_fact.value) == size
    assert label_fact is None or label_fact.span in spans


def test_a_bare_number_counts_on_a_label() -> None:
    assert find_size(lines("NORDKIND", "104")) is None
    assert find_size(lines("NORDKIND", "104"), label=True).value == "104"
    assert find_size([]) is find_volume([]) is None
    # Read out of the marks of a ruler that lies beside the item.
    ruler = [OcrSpan("us", (0.0, 0.28, 0.11, 0.37), 0.59), OcrSpan("2", (0.12, 0.29, 0.15, 0.36), 0.6)]
    assert find_size(ruler) is None


@pytest.mark.parametrize(("texts", "words"), table(SHARES))
def test_a_composition_in_seven_languages_with_its_shares(texts: list[str], words: str | None) -> None:
    label_fact = find_material(lines(*texts))
    assert (label_fact and label_fact.words) == words


@pytest.mark.parametrize(("texts", "volume"), table(VOLUMES))
def test_a_packet_says_how_much_is_in_it(texts: list[str], volume: str | None) -> None:
    fact = find_volume(lines(*texts))
    assert (fact and fact.value) == volume


def test_an_amount_is_read_in_a_sure_line() -> None:
    assert find_volume([OcrSpan("241 ml", (0.1, 0.1, 0.3, 0.2), 0.58)]) is None


def test_main_fibre_has_the_largest_share() -> None:
    spans = [
        OcrSpan("COTTON", (0.2, 0.20, 0.4, 0.26), 0.9, 0.1),  # in two columns of a photo held askew
        OcrSpan("60%", (0.6, 0.24, 0.7, 0.29), 0.9, 0.1),
        OcrSpan("VISCOSE", (0.2, 0.27, 0.45, 0.33), 0.9, 0.1),
        OcrSpan("40%", (0.6, 0.31, 0.7, 0.36), 0.9, 0.1),
    ]
    assert find_material(spans).words == "60 % cotton, 40 % viscose"
    for line, main in (
        ("40% COTTON 60% POLYESTER", "synthetic"),
        ("45% COTTON 35% POLYESTER 20% VISCOSE", "synthetic"),
    ):
        assert find_material(lines(line)).value == main


@pytest.mark.parametrize(
    ("box", "score", "size"),
    [((0.48, 0.25, 0.52, 0.27), 0.99, "M"), ((0.3, 0.3, 0.7, 0.5), 0.99, None), ((0.48, 0.25, 0.52, 0.27), 0.8, None)],
)
def test_small_letter_in_the_neck_is_a_size(box, score, size):
    label_fact = find_size([OcrSpan("M", box, score), OcrSpan("HARBOUR", (0.3, 0.43, 0.7, 0.5), 0.99)])
    assert (label_fact.value if label_fact else None) == size


def line(text: str, score: float = 0.95, box: tuple[float, float, float, float] = (0.1, 0.1, 0.5, 0.2)) -> OcrSpan:
    return OcrSpan(text, box, score)


def named(*spans: OcrSpan, note: str = "") -> str | None:
    match = find_brand(spans, note)
    return match.name if match else None


BRANDS = """
    NIKE = Nike
    www.nike.com = Nike
    adidas originals = adidas
    LEVI'S = Levi's
    Levi Strauss & Co. = Levi's
    H&M = H&M
    TOMMYHILFIGER = Tommy Hilfiger
    NEW BALANCE = New Balance
    Fjällräven = Fjällräven
    JONSDALE LONDON = Lonsdale
    AD1DAS = adidas
    GUESS = Guess
    GUESS JEANS = Guess
    Columbia Sportswear Company = Columbia
    SONY WH-1000XM4 = Sony
"""
NO_BRANDS = """
    BASICS / mind the gap / take a guess / next summer / COLUMBIA UNIVERSITY / world champion 1998 / diesel engine /
    conversely / super dry fabric / new york balance / lee side of the hill / 100% COTTON / MADE IN PORTUGAL / MIKE /
    sonny / an apple a day / filament / GAP YEAR / hp sauce
"""
NOTES = """
    Nike hoodie, worn twice = Nike
    bought it from Zara. Fits well. = Zara
    brand: gap = Gap
    A Gap hoodie = Gap
    north face jacket = The North Face
    I guess it fits = -
    gap at the seam = -
    Next week only = -
    not Nike = -
    looks like Nike = -
    Nike style = -
    case for Samsung phones = -
    no brand = -
    Sony headphones, bought with a Samsung phone = -
"""


@pytest.mark.parametrize(("texts", "brand"), table(BRANDS))
def test_brands_in_print(texts: list[str], brand: str) -> None:
    span = line(*texts)
    match = find_brand([span])
    assert match is not None
    assert (match.name, match.span) == (brand, span)
    assert 0.8 < match.score <= 0.95


@pytest.mark.parametrize("text", [" ".join(text.split()) for text in NO_BRANDS.split("/")])
def test_words_that_only_look_like_brands(text: str) -> None:
    assert named(line(text)) is None


@pytest.mark.parametrize(("texts", "brand"), table(NOTES))
def test_brands_in_the_note(texts: list[str], brand: str | None) -> None:
    match = find_brand([], *texts)
    assert (match and match.name) == brand
    assert match is None or match.span is None


def test_ordinary_words_need_a_sure_reading() -> None:
    assert named(line("NEXT", 0.95)) == "Next"
    assert named(line("NEXT", 0.7)) is None
    assert named(line("NIKE", 0.7)) == "Nike"
    assert named(line("NIKE", 0.4)) is named(line("")) is None
    assert named(line("Harman / Kardon")) == "Harman Kardon"


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


def test_note_and_print() -> None:
    nike = line("NIKE")
    agreed = find_brand([nike], "my Nike hoodie")
    assert agreed is not None
    assert agreed.span is nike
    assert named(nike, note="Puma hoodie") == "Puma"
    assert named(nike, note="some hoodie") == "Nike"


def test_every_brand_is_found_by_its_name() -> None:
    assert len(brand_names()) >= 300
    assert [name for name in brand_names() if named(line(name, 0.99)) != name] == []
    names: dict[str, str] = {}
    assert all(s.key and names.setdefault(s.key, s.name) == s.name for s in spellings())


def test_long_names_may_be_torn_or_misread() -> None:
    assert named(line("NAU TICA")) == "Nautica"
    assert named(line("PU MA")) is None
    assert named(line("NAU TI CA")) is None
    assert (named(line("JONSDALE")), named(line("LANSDOLE"))) == ("Lonsdale", None)
    assert one_edit_apart("lonsdale", "lonsdal")
    assert not one_edit_apart("lonsdale", "lonsdale")


CHARACTERS = ["blank", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .&-'"]


class Greedy:
    """A decoder that reads the likeliest letters."""

    character = CHARACTERS

    def __call__(self, steps):
        best = steps.argmax(2)
        return [("".join(CHARACTERS[i] for i in row if i), 0.9) for row in best], None


def steps(read, doubts=()):
    """Probabilities [1, steps, characters] of a line; doubts: (place, other letter, its probability)."""
    probabilities = np.full((1, 2 * len(read), len(CHARACTERS)), 1e-5)
    for i, letter in enumerate(read):
        probabilities[0, 2 * i, CHARACTERS.index(letter)] = 0.98
        probabilities[0, 2 * i + 1, 0] = 0.98
    for place, letter, p in doubts:
        probabilities[0, 2 * place, CHARACTERS.index(letter)] = p
        probabilities[0, 2 * place, CHARACTERS.index(read[place])] = 0.98 - p
    return probabilities


@pytest.mark.parametrize(
    ("read", "doubts", "brand"),
    [
        ("adidas", (), "adidas"),
        ("adidos", [(4, "a", 0.2)], "adidas"),
        ("adidos", (), None),  # the letter is not even likely
        ("PUMR", [(3, "A", 0.3)], "Puma"),
        ("ROCK", (), None),
        ("NEXR", [(3, "T", 0.3)], None),  # a brand that is also a word has to be surer
    ],
)
def test_brand_is_spotted_by_likely_letters(read, doubts, brand):
    ((line, _),), _ = SpottingDecoder(Greedy())(steps(read, doubts))
    assert line == read
    assert (line.spotted.name if line.spotted else None) == brand


def test_double_letters_need_a_blank_between_them():
    one, two = np.log(steps("ab")[0]), np.array([[1, 2], [2, 2]])
    straight, double = best_path(one, two)
    assert straight > -0.2
    assert double < -10
