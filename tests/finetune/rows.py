"""Annotation rows for tests, in the format of clothing_cc0."""

from __future__ import annotations

from typing import Any


def annotated(**changes: Any) -> dict[str, Any]:
    """A navy zip hoodie; change what the test is about."""
    row: dict[str, Any] = {
        "image": "a.jpg", "sender_id": 1, "label": "Hoodie", "label_ok": True, "item": "hoodie",
        "colour": "navy", "colour2": None, "pattern": "solid", "sleeve": "long", "neckline": "hood", "closure": "zip",
        "material": "fleece", "audience": "men", "text": None, "brand": None, "condition": ["creased"], "guess": [],
    }  # fmt: skip
    return {**row, **changes}
