"""A photo that lies on its side is turned, where the evidence tower is sure of the item only then.

A phone held flat writes no orientation, or a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PIL import Image

from listing.schema import Box

if TYPE_CHECKING:
    from listing.observe.towers import TowerView

SURE = 0.9  # of a kind after the turn, and what is as sure before is not turned
UNSURE = 0.6  # the most that the kind after the turn had before it: a table is wide, and a table either way
_TURNS = {1: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_270}


def upright(photo: Image.Image, look: Callable[[Image.Image], TowerView]) -> tuple[TowerView, Image.Image, int]:
    """The look at a photo, turned or not, the photo that was looked at, and its quarter turns to the left (0, 1, 3)."""
    view = look(photo)
    before = view.kinds
    if photo.width <= photo.height or not before or max(before.values()) >= SURE:
        return view, photo, 0
    found = view, photo, 0
    surest = SURE
    for quarters, turn in _TURNS.items():
        turned = photo.transpose(turn)
        seen = look(turned)
        kind, sure = max(seen.kinds.items(), key=lambda item: item[1])
        if sure >= surest and before.get(kind, 0.0) < UNSURE:
            found, surest = (seen, turned, quarters), sure
    return found


def turned_back(box: Box, quarters: int) -> Box:
    """A box on the turned photo, in shares (0..1), as it stands on the photo before its quarter turns to the left."""
    for _ in range(quarters):
        x0, y0, x1, y1 = box
        box = (1 - y1, x0, 1 - y0, x1)
    return box
