"""Templates of the seller's page. Autoescape is on: whatever a person or a model wrote is shown, never executed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from listing.schema import Flag

FOLDER = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, **values: Any) -> str:
    """The template ``NAME.html`` filled with values; an unknown name in a template is an error."""
    return _templates().get_template(f"{name}.html").render(**values)


def marked(text: str, flags: Iterable[Flag]) -> Markup:
    """The text with every flagged span in a ``<mark>``; spans outside the text or across another are passed over."""
    parts, at = Markup(), 0
    for start, end in sorted(flag.span for flag in flags if flag.span):
        if at <= start < end <= len(text):
            parts += escape(text[at:start]) + Markup("<mark>{}</mark>").format(text[start:end])
            at = end
    return parts + escape(text[at:]) + Markup("\u200b")
