"""What is read rather than seen: brand, size, material, other text. Each fact names its photo and place."""

from __future__ import annotations

from collections.abc import Sequence

from listing.evidence.brands import find_brand
from listing.evidence.labels import find_material, find_size
from listing.evidence.ocr import OcrSpan, Reader
from listing.facts import verify
from listing.request import DraftRequest
from listing.safety.contacts import scrub
from listing.schema import AttributeValue, Evidence
from listing.taxonomy import CategoryNode

_SURE_LINE = 0.8  # a line below this score is not quoted
_MAX_LENGTH = 60
_MIN_LETTERS = 3


def read_facts(request: DraftRequest, node: CategoryNode, reader: Reader) -> list[AttributeValue]:
    """Facts from legible text, at most one per attribute; only attributes of the category."""
    pages = [reader.read(photo.image) for photo in request.photos]
    facts = [_brand(pages, request.note), _label(pages, "size"), _label(pages, "material"), _text(pages)]
    return [fact for fact in facts if fact is not None and fact.name in node.attributes]


def _ordered(pages: Sequence[Sequence[OcrSpan]]) -> list[tuple[int, OcrSpan]]:
    """All lines, the surest first, so that the order of the photos decides nothing."""
    lines = [(i, span) for i, page in enumerate(pages) for span in page]
    return sorted(lines, key=lambda line: (-line[1].score, line[1].text))


def _evidence(photo: int, span: OcrSpan) -> Evidence:
    return Evidence(source="ocr", photo=photo, box=span.box, text=scrub(span.text), score=span.score)


def _brand(pages: Sequence[Sequence[OcrSpan]], note: str) -> AttributeValue | None:
    """The brand that print or note names; two different brands cancel each other."""
    printed = [(i, match) for i, page in enumerate(pages) if (match := find_brand(page)) is not None and match.span]
    noted = find_brand([], note)
    names = {match.name for _, match in printed} | ({noted.name} if noted else set())
    if len(names) != 1:
        return None
    if printed:
        photo, match = max(printed, key=lambda item: (item[1].score, -item[0]))
        assert match.span is not None
        return verify.read_fact("brand", match.name, _evidence(photo, match.span), match.score)
    assert noted is not None
    return verify.read_fact("brand", noted.name, Evidence(source="seller", text=noted.name), noted.score)


def _label(pages: Sequence[Sequence[OcrSpan]], name: str) -> AttributeValue | None:
    """A statement that one photo makes and no other photo contradicts."""
    find = {"size": find_size, "material": find_material}[name]
    statements = [(i, fact) for i, page in enumerate(pages) if (fact := find(page)) is not None]
    if not statements or len({fact.value for _, fact in statements}) > 1:
        return None
    photo, fact = max(statements, key=lambda item: (item[1].span.score, -item[0]))
    return verify.read_fact(name, fact.value, _evidence(photo, fact.span), fact.span.score)


def _text(pages: Sequence[Sequence[OcrSpan]]) -> AttributeValue | None:
    """The surest line of print, contact data taken out; label lines (size, fibres) are not print."""
    for photo, span in _ordered(pages):
        text = " ".join(span.text.split())
        letters = sum(c.isalpha() for c in text)
        if span.score < _SURE_LINE or letters < _MIN_LETTERS or len(text) > _MAX_LENGTH:
            continue
        if scrub(text) != text or find_size([span]) or find_material([span]):
            continue
        return verify.read_fact("text", text, _evidence(photo, span), span.score)
    return None
