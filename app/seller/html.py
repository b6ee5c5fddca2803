"""Templates of the seller's page, and marks in its texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from app import templates
from listing.schema import Flag

FOLDER = Path(__file__).parent / "templates"


def render(name: str, **values: Any) -> str:
    """The template ``NAME.html`` filled with values."""
    return templates.render(FOLDER / f"{name}.html", **values)


def marked(text: str, flags: Iterable[Flag]) -> Markup:
    """The text with every flagged span in a ``<mark>``; spans outside the text or across another are passed over."""
    parts, at = Markup(), 0
    for start, end in sorted(flag.span for flag in flags if flag.span):
        if at <= start < end <= len(text):
            parts += escape(text[at:start]) + Markup("<mark>{}</mark>").format(text[start:end])
            at = end
    return parts + escape(text[at:]) + Markup("\u200b")
