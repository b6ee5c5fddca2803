"""What sewn-in and printed labels state: size and material. Only explicit statements count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from listing.evidence.ocr import OcrSpan

_LETTERS = r"(?:XXS|XS|S|M|L|XL|XXL|XXXL|[2-6]XL)"
_NAMED_SIZE = re.compile(
    rf"\b(?!SIZES\b)(?:SIZE|SIZ|SZ|GR(?:Ö|O)(?:SS|ß)E|TAILLE|TALLA|EUR?|UK|US|FR|DE|IT)\s*[:.\-]?\s*({_LETTERS}|\d{{1,3}}(?:[.,/]\d{{1,2}})?)\b",
    re.IGNORECASE,
)
_BARE_SIZE = re.compile(rf"^\s*({_LETTERS})\s*$")
_SYSTEM = re.compile(r"\b(EUR?|UK|US|FR|DE|IT)\b", re.IGNORECASE)
_FIBRE = re.compile(r"(\d{1,3})\s*%\s*([A-Za-zéè]+)")
_MATERIALS = {
    "cotton": "cotton", "coton": "cotton", "baumwolle": "cotton", "algodon": "cotton",
    "wool": "wool", "wolle": "wool", "laine": "wool", "cashmere": "wool",
    "linen": "linen", "leinen": "linen", "lin": "linen",
    "polyester": "synthetic", "polyamide": "synthetic", "polyamid": "synthetic", "nylon": "synthetic",
    "acrylic": "synthetic", "acryl": "synthetic", "viscose": "synthetic", "viskose": "synthetic",
    "elastane": "synthetic",
    "leather": "leather", "leder": "leather", "cuir": "leather",
}  # fmt: skip


@dataclass(frozen=True)
class LabelFact:
    """A statement on a label: the attribute's value and the line that it stands in."""

    value: str
    span: OcrSpan


def find_size(spans: Sequence[OcrSpan]) -> LabelFact | None:
    """The size where a line names it ("SIZE M", "EU 38") or is nothing but a size letter beside other label text.

    Contradicting statements (two different sizes) give None unless they name different systems; then the first counts.
    """
    named: list[LabelFact] = []
    for span in spans:
        match = _NAMED_SIZE.search(span.text)
        if match:
            system = _SYSTEM.search(span.text)
            prefix = f"{system.group(1).upper()} " if system and match.group(1)[0].isdigit() else ""
            named.append(LabelFact(prefix + match.group(1).upper(), span))
    if named:
        systems = [fact.value.split()[0] if " " in fact.value else "" for fact in named]
        values = {fact.value for fact in named}
        return named[0] if len(values) == 1 or len(set(systems)) == len(systems) else None
    bare = [LabelFact(m.group(1).upper(), span) for span in spans if (m := _BARE_SIZE.match(span.text))]
    is_label = any(_FIBRE.search(span.text) or "MADE IN" in span.text.upper() for span in spans) or len(spans) >= 2
    return bare[0] if len({fact.value for fact in bare}) == 1 and is_label else None


def find_material(spans: Sequence[OcrSpan]) -> LabelFact | None:
    """The main fibre of a composition line ("80 % cotton 20 % polyester"), when it is at least half."""
    best: tuple[int, LabelFact] | None = None
    for span in spans:
        for share, fibre in _FIBRE.findall(span.text):
            value = _MATERIALS.get(fibre.lower())
            if value and 50 <= int(share) <= 100 and (best is None or int(share) > best[0]):
                best = int(share), LabelFact(value, span)
    return best[1] if best else None
