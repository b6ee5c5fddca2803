"""What is read rather than seen: brand, size, material, other text. Each fact names its photo and place."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from listing.backends.base import Words
from listing.evidence.photo_roles import Role
from listing.evidence.printed.brands import find_brand
from listing.evidence.printed.folding import fold
from listing.evidence.printed.labels import LabelFact, find_material, find_size
from listing.evidence.printed.ocr import OcrSpan, Reader, merge, reading_order
from listing.facts import verify
from listing.request import DraftRequest, Photo
from listing.safety.contacts import scrub
from listing.safety.injection import sentences_without_orders
from listing.schema import AttributeValue, Evidence
from listing.taxonomy import CategoryNode

_SURE_LINE, _VERY_SURE = 0.8, 0.95  # a line below the first score is not quoted
_MAX_LENGTH = 60
_MIN_LETTERS = 3
_LIKE_HEIGHT = 2.5  # of two lines of one print


class Pages:
    """The lines of each photo, read when they are first asked for."""

    def __init__(self, photos: Sequence[Photo], reader: Reader) -> None:
        self._photos, self._reader = photos, reader
        self._read: dict[int, list[OcrSpan]] = {}

    def of(self, photo: int) -> list[OcrSpan]:
        """The lines of one photo."""
        if photo not in self._read:
            self._read[photo] = self._reader.read(self._photos[photo].image)
        return self._read[photo]

    def all(self, roles: Sequence[Role] = ()) -> list[list[OcrSpan]]:
        """The lines of every photo; of one that shows no item, such as a receipt, none. No roles: each shows it."""
        empty = {photo for photo, role in enumerate(roles) if role == "nothing"}
        return [[] if photo in empty else self.of(photo) for photo in range(len(self._photos))]


def read_facts(
    request: DraftRequest,
    node: CategoryNode,
    pages: Sequence[Sequence[OcrSpan]],
    labels: Container[int] = (),
    said: Mapping[str, Words] | None = None,
) -> list[AttributeValue]:
    """Facts from legible text, at most one per attribute; only attributes of the category.

    Args:
        pages: the lines of each photo.
        labels: numbers of the photos that show a label: their text is no print of the item.
        said: what a model reads or calls by itself; it fills what was not read here, as a guess.
    """
    sizes = [find_size(page, label=i in labels) for i, page in enumerate(pages)]
    materials = [find_material(page) for page in pages]
    prints = [[] if i in labels else page for i, page in enumerate(pages)]
    facts = [_brand(pages, request.note), _label("size", sizes), _label("material", materials), find_text(prints)]
    found = {fact.name: fact for fact in facts if fact is not None}
    found = {**{name: _guess(name, words, pages) for name, words in (said or {}).items()}, **found}
    return [fact for fact in found.values() if fact.name in node.attributes]


def _guess(name: str, words: Words, pages: Sequence[Sequence[OcrSpan]]) -> AttributeValue:
    """With the place of the first line that holds the words, where one was read."""
    wanted, box, photo = fold(words.text), None, words.photo
    for i, page in enumerate(pages):
        line = next((span for span in page if wanted and wanted in fold(span.text)), None)
        if line is not None and words.photo in (i, None):
            photo, box = i, line.box
            break
    return verify.guess(
        name, words.text, Evidence(source="mllm", photo=photo, box=box, text=words.text, score=words.sure), words.sure
    )


def _evidence(photo: int, span: OcrSpan) -> Evidence:
    return Evidence(source="ocr", photo=photo, box=span.box, text=scrub(span.text), score=span.score)


def _brand(pages: Sequence[Sequence[OcrSpan]], note: str) -> AttributeValue | None:
    """The brand that print or note names; two different brands cancel each other."""
    printed = [(i, match) for i, page in enumerate(pages) if (match := find_brand(page)) is not None and match.span]
    noted = find_brand([], ". ".join(sentences_without_orders(note)))
    names = {match.name for _, match in printed} | ({noted.name} if noted else set())
    if len(names) != 1:
        return None
    if printed:
        photo, match = max(printed, key=lambda item: (item[1].score, -item[0]))
        assert match.span is not None
        return verify.read_fact("brand", match.name, _evidence(photo, match.span), match.score)
    assert noted is not None
    return verify.read_fact("brand", noted.name, Evidence(source="seller", text=noted.name), noted.score)


def _label(name: str, stated: Sequence[LabelFact | None]) -> AttributeValue | None:
    """A statement that one photo makes and no other photo contradicts."""
    statements = [(i, fact) for i, fact in enumerate(stated) if fact is not None]
    if not statements or len({fact.value for _, fact in statements}) > 1:
        return None
    photo, fact = max(statements, key=lambda item: (len(item[1].blend), item[1].span.score, -item[0]))
    found = _evidence(photo, fact.span).model_copy(update={"text": scrub(fact.words)})
    return verify.read_fact(name, fact.value, found, fact.span.score)


def find_text(pages: Sequence[Sequence[OcrSpan]]) -> AttributeValue | None:
    """The largest print that was surely read, its lines joined in reading order.

    The order of the photos decides nothing.
    """
    prints = [(i, block) for i, page in enumerate(pages) for block in _blocks(page)]
    if not prints:
        return None
    photo, block = max(prints, key=lambda entry: (entry[1].score >= _VERY_SURE, _area(entry[1]), entry[1].text))
    return verify.read_fact("text", block.text, _evidence(photo, block), block.score)


def _blocks(page: Sequence[OcrSpan]) -> Iterator[OcrSpan]:
    """Lines that stand together, as one text each; no contact data, no label lines (size, fibres)."""
    blocks: list[list[OcrSpan]] = []
    named = [replace(s, text=s.spotted.name) if s.spotted and fold(s.text) != fold(s.spotted.name) else s for s in page]
    for row in reading_order([span for span in named if _quotable(span)]):
        line = merge(row)
        if blocks and _goes_on(blocks[-1][-1], line) and len(merge([*blocks[-1], line]).text) <= _MAX_LENGTH:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    for block in blocks:
        joined = merge(block)
        if sum(c.isalpha() for c in joined.text) >= _MIN_LETTERS and scrub(joined.text) == joined.text:
            yield joined


def _quotable(span: OcrSpan) -> bool:
    """Whether a line is sure, is words, and is neither contact data nor what a label says."""
    text = " ".join(span.text.split())
    wordy = any(c.isalpha() for c in text) and len(text) <= _MAX_LENGTH
    sure = span.score >= _SURE_LINE
    return sure and wordy and scrub(text) == text and find_size([span]) is None and find_material([span]) is None


def _goes_on(line: OcrSpan, below: OcrSpan) -> bool:
    """Whether ``below`` stands right under ``line``, in print of a like height."""
    (ax0, _, ax1, ay1), (bx0, by0, bx1, _) = line.box, below.box
    heights = sorted((_height(line), _height(below)))
    near = by0 - ay1 < heights[1] and min(ax1, bx1) > max(ax0, bx0)
    return near and heights[1] <= _LIKE_HEIGHT * heights[0]


def _height(span: OcrSpan) -> float:
    return span.box[3] - span.box[1]


def _area(span: OcrSpan) -> float:
    return _height(span) * (span.box[2] - span.box[0])
