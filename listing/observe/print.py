"""The source of what is read (``ocr``): brand, size, material, volume, bar code and print, by ``printed``."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from listing.observe.networks.foreground import THRESHOLD, crop_box
from listing.observe.printed.barcode import BarcodeFact, find_barcode
from listing.observe.printed.brand_list import fold
from listing.observe.printed.brands import find_brand
from listing.observe.printed.labels import find_material, find_size, find_volume
from listing.observe.printed.ocr import OcrSpan, merge, reading_order
from listing.observe.source import Context, Source, Stage
from listing.request import Photo
from listing.safety.contacts import scrub
from listing.schema import Box, Observation

BOOK, _SURE_CODE = "Book", 0.98  # the category of what bears an ISBN; a code has a check digit
_SURE_LINE = 0.8  # a line below this score is not quoted
_MAX_LENGTH = 60
_MIN_LETTERS = 3
_FEW_WORDS = 3  # "H & M" is a name
_LIKE_HEIGHT = 2.5  # of two lines of one print
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")  # whose letters the reader knows; others are pattern, not print
_SMALL, _AT_THE_NECK = 0.08, 0.12  # of the item's height: of letters on a label, and where its label is
_ON_ITEM = 0.4  # share of a print's surroundings that the mask of the item holds


class Print(Source):
    """Brand, size, material, volume and number by labels and print, and the print itself (question ``text``)."""

    name = "ocr"
    stage: Stage = "reading"

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """By each photo, without those of no item where another shows one; a label's lines are no print of the item."""
        roles = [context.role(i) for i in range(len(photos))]
        for i, role in enumerate(roles):
            if code := find_barcode(photos[i].image):  # the back of a book shows no item
                yield self._of_barcode("barcode", code.number, i, code)
                if code.of_book:
                    yield self._of_barcode("category", BOOK, i, code)
            if role == "nothing" and set(roles) != {"nothing"}:
                continue
            lines = context.lines(i)
            if brand := find_brand(lines):
                yield self._observation("brand", i, brand.name, brand.span, brand.score)
            for question, fact in (
                ("size", find_size(lines, label=role == "label")),
                ("material", find_material(lines)),
                ("volume", find_volume(lines)),
            ):
                if fact is not None:
                    yield self._observation(question, i, fact.value, fact.span, fact.span.score, fact.words)
            for block in print_blocks(lines) if role != "label" else ():
                mask = context.masks.get(i)
                if on_item(block.box, mask) and not on_neck_label(block.box, mask):
                    yield self._observation("text", i, block.text, block, block.score)

    def _of_barcode(self, question: str, value: str, photo: int, code: BarcodeFact) -> Observation:
        return Observation(
            source=self.name,
            question=question,
            photo=photo,
            probabilities={value: _SURE_CODE},
            box=code.box,
            text=code.number,
        )

    def _observation(
        self, question: str, photo: int, value: str, span: OcrSpan | None, score: float, words: str | None = None
    ) -> Observation:
        text = scrub(words or (span.text if span else value))
        return Observation(
            source=self.name,
            question=question,
            photo=photo,
            probabilities={value: min(1.0, score)},
            box=span.box if span else None,
            text=text or value,
        )


def on_item(box: Box, mask: np.ndarray | None) -> bool:
    """True if print stands on the item: its box, half as large again, lies on the mask; True without a mask."""
    if mask is None:
        return True
    height, width = mask.shape
    dx, dy = (box[2] - box[0]) / 4, (box[3] - box[1]) / 4
    left, right = max(0, int((box[0] - dx) * width)), int(np.ceil((box[2] + dx) * width))
    top, bottom = max(0, int((box[1] - dy) * height)), int(np.ceil((box[3] + dy) * height))
    inside = mask[top:bottom, left:right] >= THRESHOLD
    return inside.size == 0 or float(inside.mean()) >= _ON_ITEM


def on_neck_label(box: Box, mask: np.ndarray | None) -> bool:
    """True if small print stands at the item's upper edge: on a neck label or a hanger, and no print of the item."""
    if mask is None:
        return False
    _, top, _, bottom = crop_box(mask)
    height = max(bottom - top, 1e-6)
    return (box[3] - box[1]) < _SMALL * height and (box[1] + box[3]) / 2 < top + _AT_THE_NECK * height


def print_blocks(lines: Sequence[OcrSpan]) -> Iterator[OcrSpan]:
    """Lines that stand together, as one text each; no contact data, no label lines (size, fibres)."""
    blocks: list[list[OcrSpan]] = []
    corrected = [
        replace(s, text=s.spotted.name) if s.spotted and fold(s.text) != fold(s.spotted.name) else s for s in lines
    ]
    for row in reading_order([span for span in corrected if _quotable(span)]):
        line = merge(row)
        if blocks and _goes_on(blocks[-1][-1], line) and len(merge([*blocks[-1], line]).text) <= _MAX_LENGTH:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    for block in blocks:
        joined = replace(merge(block), text=_joined(block))
        if _is_print(joined.text) and scrub(joined.text) == joined.text:
            yield joined


def _joined(lines: Sequence[OcrSpan]) -> str:
    """The lines' words; what ends one line and begins the next was read twice."""
    words: list[str] = []
    for line in lines:
        own = line.text.split()
        words += own[1:] if words and own and fold(own[0]) == fold(words[-1]) else own
    return " ".join(words)


def _is_print(text: str) -> bool:
    """True if a text has letters enough, and is no row of single ones, as a pattern reads."""
    words = text.split()
    single = sum(len(word) == 1 for word in words)
    return sum(c.isalpha() for c in text) >= _MIN_LETTERS and (len(words) <= _FEW_WORDS or 2 * single <= len(words))


def _quotable(span: OcrSpan) -> bool:
    """True if a line is sure, is words, and is neither contact data nor what a label says."""
    text = " ".join(span.text.split())
    letters = [c for c in text if c.isalpha()]
    wordy = bool(letters) and len(text) <= _MAX_LENGTH and all(_in_script(c) for c in letters)
    sure = span.score >= _SURE_LINE
    stated = find_size([span]) or find_material([span]) or find_volume([span])
    return sure and wordy and scrub(text) == text and stated is None


def _in_script(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_SCRIPTS)


def _goes_on(line: OcrSpan, below: OcrSpan) -> bool:
    """True if ``below`` stands right under ``line``, in print of a like height."""
    (ax0, _, ax1, ay1), (bx0, by0, bx1, _) = line.box, below.box
    heights = sorted((_height(line), _height(below)))
    near = by0 - ay1 < heights[1] and min(ax1, bx1) > max(ax0, bx0)
    return near and heights[1] <= _LIKE_HEIGHT * heights[0]


def _height(span: OcrSpan) -> float:
    return span.box[3] - span.box[1]
