import pytest

from listing.observe.printed.labels import find_material, find_size, find_volume
from listing.observe.printed.ocr import OcrSpan


def lines(*texts):
    return [OcrSpan(text, (0.1, 0.1 * i, 0.5, 0.1 * i + 0.05), 0.9) for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "size"),
    [
        (["SIZE M"], "M"),
        (["SIZEM"], "M"),
        (["Size: XL"], "XL"),
        (["EU 38"], "EU 38"),
        (["EU 38", "UK 12"], "EU 38"),
        (["TAILLE L"], "L"),
        (["M", "100% COTTON"], "M"),
        (["SIZE M", "SIZE L"], None),
        (["SIZES"], None),
        (["M"], None),
        (["MADE IN EU"], None),
        (["US NAVY 1984"], None),
        (["W32 L34"], "W32 L34"),
        (["W 30  L 32"], "W30 L32"),
        (["Gr. 38"], "38"),
        (["GRÖSSE 42"], "42"),
        (["Taglia 44"], "44"),
        (["ROZMIAR M"], "M"),
        (["EUR 38 UK 10 US 6"], "EU 38"),
        (["EUR M", "USA M", "MEX 28"], "M"),
        (["5-6 Y", "116 cm"], "5-6Y"),
        (["18-24 M"], "18-24M"),
        (["100% COTTON", "110"], "110"),
        (["100% COTTON", "30"], None),  # degrees of the wash
        (["NEW YORK", "110"], None),
        (["MAKE IT 2"], None),
        (["US 50 STATES"], None),
        (["3M THINSULATE"], None),
        (["GR8 DAY"], None),
        (["SIZE US 9"], "US 9"),
        (["6 YEARS"], "6Y"),
        ([], None),
    ],
)
def test_only_an_explicit_size_counts(texts, size):
    label_fact = find_size(lines(*texts))
    assert (label_fact.value if label_fact else None) == size


def test_a_bare_number_counts_on_a_label():
    assert find_size(lines("NORDKIND", "104")) is None
    assert find_size(lines("NORDKIND", "104"), label=True).value == "104"


def test_the_fact_keeps_the_line_that_it_stands_in():
    spans = lines("WRANGLER", "SIZE M")
    assert find_size(spans).span is spans[1]


@pytest.mark.parametrize(
    ("texts", "material"),
    [
        (["80% COTTON", "20% POLYESTER"], "cotton"),
        (["100 % Wolle"], "wool"),
        (["40% COTTON 60% POLYESTER"], "synthetic"),
        (["30% WOOL"], None),
        (["50% OFF"], None),
        (["COTTON CLUB"], None),
        (["45% COTTON 35% POLYESTER 20% VISCOSE"], "synthetic"),
    ],
)
def test_the_main_fibre_of_a_composition_line(texts, material):
    label_fact = find_material(lines(*texts))
    assert (label_fact.value if label_fact else None) == material


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["80% Baumwolle 20% Polyester"], "80 % cotton, 20 % polyester"),
        (["80 % COTTON", "20 % POLYESTER", "80 % COTON", "20 % POLYESTER"], "80 % cotton, 20 % polyester"),
        (["KATOEN 95%", "ELASTAAN 5%"], "95 % cotton, 5 % elastane"),
        (["60% bawełna/cotton", "37% poliester", "3% elastan"], "60 % cotton, 37 % polyester, 3 % elastane"),
        (["92% viscosa 8% elastano"], "92 % viscose, 8 % elastane"),
        (["55 % LIN", "45 % VISCOSE"], "55 % linen, 45 % viscose"),
        (["70% lana 30% acrilico"], "70 % wool, 30 % acrylic"),
        (["100% organic cottan"], "100 % cotton"),  # one letter misread
        (["SHELL 100% POLYESTER", "LINING 100% COTTON"], "100 % polyester"),
    ],
)
def test_a_composition_in_seven_languages_with_its_shares(texts, words):
    assert find_material(lines(*texts)).words == words


def test_shares_and_fibres_in_two_columns_of_a_photo_held_askew():
    spans = [
        OcrSpan("COTTON", (0.2, 0.20, 0.4, 0.26), 0.9, 0.1),
        OcrSpan("60%", (0.6, 0.24, 0.7, 0.29), 0.9, 0.1),
        OcrSpan("VISCOSE", (0.2, 0.27, 0.45, 0.33), 0.9, 0.1),
        OcrSpan("40%", (0.6, 0.31, 0.7, 0.36), 0.9, 0.1),
    ]
    assert find_material(spans).words == "60 % cotton, 40 % viscose"


@pytest.mark.parametrize(
    ("box", "score", "size"),
    [((0.48, 0.25, 0.52, 0.27), 0.99, "M"), ((0.3, 0.3, 0.7, 0.5), 0.99, None), ((0.48, 0.25, 0.52, 0.27), 0.8, None)],
)
def test_a_small_sure_letter_in_the_neck_is_a_size(box, score, size):
    label_fact = find_size([OcrSpan("M", box, score), OcrSpan("HARBOUR", (0.3, 0.43, 0.7, 0.5), 0.99)])
    assert (label_fact.value if label_fact else None) == size


@pytest.mark.parametrize(
    ("texts", "volume"),
    [
        (["NET WT 12 OZ (340g)"], "340 g"),
        (["NETWT/PODSNET 43g(1.5z)"], "43 g"),
        (["2 fl oz"], "2 fl oz"),
        (["2 FL.OZ"], "2 fl oz"),
        (["Vanilla", "60 mL"], "60 ml"),
        (["500 g e"], "500 g"),
        (["80 BAGS"], "80 bags"),
        (["Contents: 0,75 l"], "0,75 l"),
        (["0g trans fat"], None),  # of a nutrient, not of the packet
        (["250 g", "500 g"], None),
        (["EST. 1984 L"], None),
        (["5G"], "5 g"),
        ([], None),
    ],
)
def test_a_packet_says_how_much_is_in_it(texts, volume):
    fact = find_volume(lines(*texts))
    assert (fact.value if fact else None) == volume
