"""Reading a cell: text out of HTML, an amount with its currency, the photos of a row."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any

from rag_index.imports.columns import currency_code

_HTML = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|&(?:[a-zA-Z]+|#\d+|#x[0-9a-fA-F]+);")
_BLOCKS = frozenset(("p", "br", "li", "div", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "section"))
_HIDDEN = frozenset(("script", "style", "template", "head"))
_MINUS = re.compile(r"(?<![\d\w])[-−]\s*[^\d\s]?\s*\d")
_PHOTO_KEYS = ("src", "url", "path", "file", "image", "id")
_NOTHING = frozenset(("na", "n/a", "n.a.", "none", "null", "nan", "-", "unknown", "does not apply"))
_QUOTED = re.compile(r"['\"]([^'\"]+)['\"]")
_ADDRESS = re.compile(r"[\s|;,]+(?=(?:https?|file)://)", re.IGNORECASE)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = max(0, self.hidden - (tag in _HIDDEN))
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def text_of(value: Any) -> str:
    """A cell as plain text: no HTML, runs of blanks as one, lines kept."""
    if value is None or (isinstance(value, float) and math.isnan(value)):  # Parquet writes an empty number as NaN
        return ""
    text = str(value)
    if _HTML.search(text):
        parser = _Text()
        parser.feed(text)
        parser.close()
        text = "".join(parser.parts)
    lines = (" ".join(line.split()) for line in text.replace("\x00", "").splitlines())
    return "\n".join(line for line in lines if line)


def price_of(value: Any) -> tuple[float | None, str | None]:
    """Amount and currency of "€ 12,50", "1.299,00 EUR", 15; the currency as far as it is stated; ValueError: none."""
    from price_parser import Price

    if isinstance(value, dict):  # {"amount": 12.5, "currency": "EUR"}
        value = " ".join(map(str, value.values()))
    text = text_of(value)
    if not text:
        return None, None
    amount: float | None
    if isinstance(value, int | float):
        amount, currency = float(value), None
    else:
        parsed = Price.fromstring(text)
        amount, currency = (-1.0 if _MINUS.search(text) else parsed.amount_float), currency_code(parsed.currency)
    if amount is None or not 0 <= amount < 1e12:
        raise ValueError("its price is no amount")
    return amount, currency


def photo_names(value: Any) -> list[str]:
    """Paths and addresses in a cell: a list, a JSON list, or text with "|", ";", "," or new lines between."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:  # as Python writes lists, and numpy without commas
            value = _QUOTED.findall(value) or value
    if isinstance(value, dict):
        nested = [each for each in value.values() if isinstance(each, dict | list)]
        value = next((value[key] for key in _PHOTO_KEYS if value.get(key)), nested)
    if isinstance(value, list | tuple):
        return [name for part in value for name in photo_names(part)]
    text = str(value or "").strip()
    parts: Iterable[str] = _ADDRESS.split(text) if "://" in text else re.split(r"[|;,\n]", text)
    return [part.strip() for part in parts if part.strip(" |;,")]


def named_values(value: Any) -> dict[str, str]:
    """A cell that holds attributes: an object, or an object in JSON; anything else holds none."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    if not isinstance(value, dict):
        return {}
    return {
        " ".join(str(k).split()): text
        for k, v in value.items()
        if not isinstance(v, dict | list) and (text := stated(v))
    }


def stated(value: Any) -> str:
    """A cell of an attribute as text; "" where it says that there is nothing to say."""
    value = ", ".join(map(str, value)) if isinstance(value, list) else value
    text = " ".join(text_of(value).split())
    return "" if text.lower() in _NOTHING else text
