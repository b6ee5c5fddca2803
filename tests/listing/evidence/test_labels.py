import pytest

from listing.evidence.labels import find_material, find_size
from listing.evidence.ocr import OcrSpan


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
        ([], None),
    ],
)
def test_only_an_explicit_size_counts(texts, size):
    found = find_size(lines(*texts))
    assert (found.value if found else None) == size


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
    ],
)
def test_the_main_fibre_of_a_composition_line(texts, material):
    found = find_material(lines(*texts))
    assert (found.value if found else None) == material
