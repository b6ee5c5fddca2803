"""The languages that a larger model may be asked to write in; commands name them before any package is imported."""

from __future__ import annotations

ENGLISH = "en"
LANGUAGES = {
    **{"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian"},
    **{"nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "sv": "Swedish", "da": "Danish"},
}
