"""Print on the item and the brand that it names, as a draft states them."""

import numpy as np
import pytest
from PIL import Image

from listing.observe.printed.brand_list import Spotted
from listing.observe.printed.ocr import OcrSpan
from listing.observe.towers import EvidenceTowerHeads, TowerView
from tests.listing.stubs import StubReader, draft, of_photos


def test_there_is_no_brand_without_text_or_the_sellers_word():
    assert draft(of_photos()).attribute("brand").value is None
    span = OcrSpan("Adidas", (0.1, 0.1, 0.4, 0.2), 0.98)
    read = draft(of_photos(), reader=StubReader([span])).attribute("brand")
    assert read.value.lower() == "adidas"
    assert read.evidence[0].source == "ocr"
    assert read.evidence[0].box == span.box


def test_print_on_two_lines_is_joined_in_reading_order():
    lines = [OcrSpan("ZEALAND", (0.2, 0.5, 0.8, 0.6), 0.99), OcrSpan("NEW", (0.35, 0.38, 0.65, 0.48), 0.9)]
    request = of_photos()
    assert draft(request, reader=StubReader(lines)).attribute("text").value == "NEW ZEALAND"


def test_print_that_is_a_misread_brand_is_quoted_as_the_brand():
    line = OcrSpan("Rappa", (0.2, 0.5, 0.8, 0.6), 0.96, 0.0, Spotted("Kappa", 0.8))
    drafted = draft(of_photos(), reader=StubReader([line]))
    assert (drafted.attribute("brand").value, drafted.attribute("text").value) == ("Kappa", "Kappa")


def test_of_two_prints_the_larger_counts_unless_it_is_read_less_surely():
    small, large = OcrSpan("MODIS", (0.4, 0.2, 0.6, 0.24), 0.99), OcrSpan("SUMMER", (0.1, 0.5, 0.9, 0.7), 0.97)
    request = of_photos()
    assert draft(request, reader=StubReader([small, large])).attribute("text").value == "SUMMER"
    unsure = OcrSpan("SUMNFR", large.box, 0.85)
    assert draft(request, reader=StubReader([small, unsure])).attribute("text").value == "MODIS"


class LeftHalf:
    """A tower whose mask holds the left half of the photo."""

    def look(self, image: Image.Image) -> TowerView:
        mask = np.zeros((320, 320), np.uint8)
        mask[:, :160] = 255
        return TowerView(mask, {"label": {"Shirt": 0.95}, "item_type": {}})


@pytest.mark.parametrize(
    ("text", "left", "printed"),
    [
        ("SUMMER", 0.1, "SUMMER"),
        ("SUMMER", 0.6, None),
        ("口口口口", 0.1, None),
        ("ПРИВЕТ", 0.1, "ПРИВЕТ"),
        ("y i n 0 a g e", 0.1, None),
    ],
)
def test_print_is_what_stands_on_the_item_in_letters(text, left, printed):
    reader = StubReader([OcrSpan(text, (left, 0.4, left + 0.3, 0.5), 0.98)])
    drafted = draft(of_photos(), reader=reader, sources=[EvidenceTowerHeads(LeftHalf())], writes=False)
    assert drafted.attribute("text").value == printed
