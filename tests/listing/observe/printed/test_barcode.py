"""Bar codes on photos, drawn by the library that reads them and photographed by a turned, blurred copy."""

from __future__ import annotations

from dataclasses import replace

import pytest
import zxingcpp
from PIL import Image, ImageFilter

from listing.calibration import UNCALIBRATED
from listing.decide.decision import Decision, Rules
from listing.observe.print import Print
from listing.observe.printed.barcode import find_barcode
from listing.observe.source import Context
from listing.taxonomy import load_taxonomy
from tests.listing.stubs import StubReader, of_photos


def photo_of(*codes: tuple[str, str], angle: float = 0) -> Image.Image:
    photo = Image.new("RGB", (900, 700), (200, 190, 170))
    for number, (text, kind) in enumerate(codes):
        code = zxingcpp.create_barcode(text, zxingcpp.barcode_format_from_str(kind))
        drawn = Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=3)).convert("RGB")
        photo.paste(drawn, (150 + 400 * number, 250))
    return photo.rotate(angle, fillcolor=(200, 190, 170)).filter(ImageFilter.GaussianBlur(0.8))


@pytest.mark.parametrize("angle", [0, 7, 90, 180])
def test_a_number_is_read_where_it_stands(angle):
    fact = find_barcode(photo_of(("9783161484100", "EAN13"), angle=angle))
    assert fact is not None
    assert fact.number == "9783161484100"
    left, top, right, bottom = fact.box
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1


def test_two_numbers_or_words_are_no_number():
    assert find_barcode(photo_of(("9783161484100", "EAN13"), ("96385074", "EAN8"))) is None
    assert find_barcode(photo_of(("call me", "QRCode"))) is None
    assert find_barcode(photo_of()) is None


def test_an_isbn_makes_a_book():
    photo = replace(of_photos().photos[0], image=photo_of(("9783161484100", "EAN13")))
    context = Context(of_photos(), load_taxonomy(), UNCALIBRATED, lambda: None, StubReader([]))  # type: ignore[arg-type, return-value]
    observations = list(Print().observe([photo], context))
    decision = Decision(observations, 1, Rules(load_taxonomy(), UNCALIBRATED, {}))
    assert decision.category.value == "Book"
    assert [fact.value for fact in decision.facts if fact.name == "barcode"] == ["9783161484100"]
    assert not decision.flags
