"""The look of the pages: one accent colour, system fonts, nothing fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

HEAD = """<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">"""

# Colours that Gradio itself needs; the pages' own names stand in static/tokens.css. Each pair is light, dark.
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


def page_options(name: str) -> dict[str, Any]:
    """What ``mount_gradio_app`` needs for the page of that name: its look, and nothing readable but the page."""
    return {
        "theme": make_theme(),
        "css": stylesheet(name),
        "head": f"{HEAD}<script>{script('connection')}{script('requests')}</script>",
        "footer_links": [],
        "allowed_paths": [],
        "show_error": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "pwa": False,
        "mcp_server": False,
    }


def stylesheet(name: str) -> str:
    """The text of ``static/NAME.css`` after the colours of all pages."""
    return "".join((STATIC / f"{part}.css").read_text(encoding="utf-8") for part in ("tokens", name))


def script(name: str) -> str:
    """The text of ``static/NAME.js``."""
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")
