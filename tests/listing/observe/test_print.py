"""What stands on photos: text and its place, without a network, bar codes, and what a draft states of them."""

from __future__ import annotations

import socket
from dataclasses import replace

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from listing.calibration import UNCALIBRATED
from listing.decide.decision import Decision
from listing.observe.print import Print
from listing.observe.printed.barcode import find_barcode
from listing.observe.printed.brand_list import Spotted, fold
from listing.observe.printed.ocr import OcrError, OcrSpan, Reader
from listing.observe.source import Context
from listing.observe.towers import EvidenceTowerHeads, TowerView
from listing.rules import Rules
from listing.taxonomy import load_taxonomy
from tests.listing.stubs import StubReader, draft, of_photos


def test_no_brand_without_print_or_seller():
    assert draft(of_photos()).attribute("brand").value is None
    span = OcrSpan("Adidas", (0.1, 0.1, 0.4, 0.2), 0.98)
    read = draft(of_photos(), reader=StubReader([span])).attribute("brand")
    assert read.value.lower() == "adidas"
    assert read.evidence[0].source == "ocr"
    assert read.evidence[0].box == span.box


def test_two_lines_are_joined_in_order():
    lines = [OcrSpan("ZEALAND", (0.2, 0.5, 0.8, 0.6), 0.99), OcrSpan("NEW", (0.35, 0.38, 0.65, 0.48), 0.9)]
    request = of_photos()
    assert draft(request, reader=StubReader(lines)).attribute("text").value == "NEW ZEALAND"


def test_a_word_between_two_lines_is_read_once():
    upper, lower = (
        OcrSpan("BORA BORA", (0.3, 0.38, 0.7, 0.48), 0.97),
        OcrSpan("Bora Island", (0.2, 0.5, 0.8, 0.6), 0.97),
    )
    assert draft(of_photos(), reader=StubReader([lower, upper])).attribute("text").value == "BORA BORA Island"


def test_misread_brand_is_quoted_as_the_brand():
    line = OcrSpan("Rappa", (0.2, 0.5, 0.8, 0.6), 0.96, 0.0, Spotted("Kappa", 0.8))
    drafted = draft(of_photos(), reader=StubReader([line]))
    assert (drafted.attribute("brand").value, drafted.attribute("text").value) == ("Kappa", "Kappa")


def test_larger_print_counts_if_read_surely():
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
def test_print_stands_on_the_item_in_letters(text, left, printed):
    reader = StubReader([OcrSpan(text, (left, 0.4, left + 0.3, 0.5), 0.98)])
    drafted = draft(of_photos(), reader=reader, sources=[EvidenceTowerHeads(LeftHalf())], writes=False)
    assert drafted.attribute("text").value == printed


@pytest.mark.parametrize(
    ("text", "top", "said"), [("MODIS", 0.03, False), ("MODIS", 0.4, True), ("EU SIZE", 0.4, False)]
)
def test_a_label_is_no_print_of_the_item(text, top, said):
    reader = StubReader([OcrSpan(text, (0.1, top, 0.3, top + 0.05), 0.98)])
    drafted = draft(of_photos(), reader=reader, sources=[EvidenceTowerHeads(LeftHalf())], writes=False)
    assert (text in drafted.title) is said


def sign(size: tuple[int, int], lines: list[tuple[str, tuple[int, int], int]], grey: int = 215) -> Image.Image:
    image = Image.new("RGB", size, (grey, grey, grey - 10))
    draw = ImageDraw.Draw(image)
    for text, at, height in lines:
        draw.text(at, text, fill=(25, 25, 40), font=ImageFont.load_default(height))
    return image


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def test_text_and_its_place(reader: Reader) -> None:
    image = sign((1000, 800), [("MARSHALL", (100, 120), 60), ("80% COTTON", (550, 560), 44)])
    spans = {fold(span.text): span for span in reader.read(image)}
    assert set(spans) == {"marshall", "80cotton"}
    x0, y0, x1, y1 = spans["marshall"].box
    assert 0.07 < x0 < 0.13
    assert 0.12 < y0 < 0.19
    assert x1 < 0.55
    assert y1 < 0.27
    left, top, *_ = spans["80cotton"].box
    assert left > 0.5
    assert top > 0.65
    assert all(span.score > 0.8 for span in spans.values())


def test_small_turned_and_empty_photos_are_read(reader: Reader) -> None:
    small = reader.read(sign((320, 240), [("KARRIMOR", (60, 100), 20)]))
    assert [fold(span.text) for span in small] == ["karrimor"]
    assert 0.15 < small[0].box[0] < 0.22  # shares of the photo, not of the enlarged one
    turned = reader.read(sign((900, 500), [("BERGHAUS", (200, 200), 70)]).rotate(180))
    assert [fold(span.text) for span in turned] == ["berghaus"]
    assert reader.read(Image.new("RGB", (400, 300), (90, 120, 90))) == []
    assert reader.read(Image.new("L", (40, 40))) == []


def test_loading_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert Reader().read(sign((600, 300), [("OFFLINE", (100, 100), 60)]))


def test_missing_weights_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    import rapidocr

    monkeypatch.setattr(rapidocr, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(OcrError, match="install it again"):
        Reader().read(Image.new("RGB", (64, 64)))


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
