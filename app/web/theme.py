"""The look of the pages: one accent colour, system fonts, nothing fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradio.themes import Base

STATIC = Path(__file__).parent / "static"
SYSTEM_FONTS = (
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "Liberation Sans",
    "Arial",
    "system-ui",
    "sans-serif",
)
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

# Colours that Gradio itself needs; the pages' own names stand in static/seller.css. Each pair is light, dark.
_COLOURS = {
    "body_background_fill": ("#f6f5f2", "#111615"),
    "body_text_color": ("#1c2422", "#eef2f0"),
    "body_text_color_subdued": ("#55605c", "#a9b5b0"),
    "block_background_fill": ("transparent", "transparent"),
    "block_label_text_color": ("#1c2422", "#eef2f0"),
    "block_title_text_color": ("#1c2422", "#eef2f0"),
    "block_info_text_color": ("#55605c", "#a9b5b0"),
    "input_background_fill": ("#ffffff", "#1a201f"),
    "input_placeholder_color": ("#55605c", "#a9b5b0"),
    "button_primary_background_fill": ("#0b6655", "#6cd0b6"),
    "button_primary_background_fill_hover": ("#0d7562", "#82d9c3"),
    "button_primary_text_color": ("#ffffff", "#06231c"),
}


def make_theme() -> Base:
    """The Gradio theme of all pages (light and dark). Imports gradio."""
    from gradio.themes import Base

    theme = Base(font=SYSTEM_FONTS, font_mono=MONO_FONTS, radius_size="lg", spacing_size="md", text_size="md")
    both = {
        f"{name}{suffix}": value
        for name, pair in _COLOURS.items()
        for suffix, value in zip(("", "_dark"), pair, strict=True)
    }
    return theme.set(**both)


def stylesheet(name: str) -> str:
    """The text of ``static/NAME.css``."""
    return (STATIC / f"{name}.css").read_text(encoding="utf-8")


def script(name: str) -> str:
    """The text of ``static/NAME.js``."""
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")
