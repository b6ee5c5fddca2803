"""What a photo is for: it shows the item, or a label, or nothing that could be sold.

A photo that the tower knows shows the item, whatever else is on it. Of the others, one with the words of a label is a
label; one on which the mask finds nothing, or ImageNet neither a garment nor another known thing, shows no item.
The limits were chosen on training senders (``python -m benchmarks.drafts.photo_roles`` measures them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from listing.observe.printed.labels import label_words
from listing.observe.printed.ocr import OcrSpan

Role = Literal["item", "label", "nothing"]
SURE = 0.65  # of the likeliest category: such a photo shows an item, and its text is not read for this
_LOST = 0.35  # below it the tower knows no category
_STRANGE = -1.3  # log ratio of clothes to other things, below which ImageNet sees no garment
_OTHER = 0.35  # probability of another known thing, which is an item too


@dataclass(frozen=True)
class Range:
    """What the ImageNet head says: log ratio of clothes to other things, probability of the likeliest other thing."""

    garment: float
    other: float


def photo_role(
    label: Mapping[str, float], found: bool, lines: Callable[[], Sequence[OcrSpan]], ranged: Callable[[], Range | None]
) -> Role:
    """The role of one photo.

    Args:
        label: the towers' probability of each category; empty without a tower, and then every photo shows the item.
        found: whether the mask holds an item.
        lines, ranged: the photo's text and what ImageNet says; asked for only where they are needed.
    """
    top = max(label.values(), default=1.0)
    if top >= SURE:
        return "item"
    if label_words(lines()):
        return "label"
    if top >= _LOST:
        return "item"
    seen = ranged()
    if seen is not None and seen.other >= _OTHER:
        return "item"
    return "nothing" if not found or (seen is not None and seen.garment < _STRANGE) else "item"
