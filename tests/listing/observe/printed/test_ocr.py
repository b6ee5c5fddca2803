"""Text is found where it was drawn, without a network."""

from __future__ import annotations

import socket

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from listing.observe.printed.brand_list import fold, fold_confused
from listing.observe.printed.ocr import OcrError, OcrSpan, Reader, denormals_as_zero, merge


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


def test_small_photos_are_enlarged(reader: Reader) -> None:
    spans = reader.read(sign((320, 240), [("KARRIMOR", (60, 100), 20)]))
    assert [fold(span.text) for span in spans] == ["karrimor"]
    assert 0.15 < spans[0].box[0] < 0.22  # shares of the photo, not of the enlarged one


def test_upside_down(reader: Reader) -> None:
    spans = reader.read(sign((900, 500), [("BERGHAUS", (200, 200), 70)]).rotate(180))
    assert [fold(span.text) for span in spans] == ["berghaus"]


def test_nothing_to_read(reader: Reader) -> None:
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


def test_folding() -> None:
    assert fold("Lévi's® 501 ") == "levis501"
    assert fold_confused("ADlDAS") == fold_confused("adidas") == fold_confused("AD1DAS")
    assert fold_confused("B0SE") == fold_confused("bose")
    assert fold_confused("nike") != fold_confused("mike")


def test_merge() -> None:
    both = merge([OcrSpan("JACK", (0.1, 0.2, 0.3, 0.3), 0.9), OcrSpan("WOLFSKIN", (0.05, 0.31, 0.4, 0.4), 0.7)])
    assert both == OcrSpan("JACK WOLFSKIN", (0.05, 0.2, 0.4, 0.4), 0.7)


def test_of_two_readings_of_one_place_the_surer_is_kept() -> None:
    from listing.observe.printed.ocr import OcrSpan, _surer

    first = [OcrSpan("Ree tok", (0.1, 0.1, 0.5, 0.2), 0.9), OcrSpan("MODIS", (0.1, 0.5, 0.5, 0.6), 0.99)]
    second = [OcrSpan("Reebok", (0.12, 0.1, 0.5, 0.21), 1.0), OcrSpan("new", (0.7, 0.7, 0.8, 0.8), 0.6)]
    assert [span.text for span in _surer(first, second)] == ["Reebok", "MODIS", "new"]


def test_denormals_count_as_zero_while_text_is_looked_for_and_not_after() -> None:
    small = torch.tensor([1e-39])
    with denormals_as_zero():
        inside = float(small * 1)
    if inside:  # a processor without the switch
        assert not torch.set_flush_denormal(True)
    assert float(small * 1) > 0
