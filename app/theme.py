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

# Colours that Gradio itself needs, by their names in static/tokens.css, which are light or dark by themselves.
_COLOURS = {
    "body_background_fill": "var(--paper)",
    "body_text_color": "var(--ink)",
    "body_text_color_subdued": "var(--soft)",
    "block_background_fill": "transparent",
    "block_label_text_color": "var(--ink)",
    "block_title_text_color": "var(--ink)",
    "block_info_text_color": "var(--soft)",
    "input_background_fill": "var(--card)",
    "input_placeholder_color": "var(--soft)",
    "button_primary_background_fill": "var(--accent)",
    "button_primary_background_fill_hover": "var(--accent)",
    "button_primary_text_color": "var(--accent-ink)",
}


def make_theme() -> Base:
    """The Gradio theme of all pages (light and dark). Imports gradio."""
    from gradio.themes import Base

    theme = Base(font=SYSTEM_FONTS, font_mono=MONO_FONTS, radius_size="lg", spacing_size="md", text_size="md")
    return theme.set(**{f"{name}{suffix}": value for name, value in _COLOURS.items() for suffix in ("", "_dark")})


def page_options(name: str) -> dict[str, Any]:
    """Options of ``mount_gradio_app`` for the page of that name: its look, and nothing readable but the page."""
    return {
        "theme": make_theme(),
        "css": stylesheet(name),
        "head": f"{HEAD}<script>{script('calls')}{script('seller')}</script>",
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
