"""Photos for tests."""

from __future__ import annotations

import io
import random

from PIL import Image


def picture(seed: int, side: int = 320) -> bytes:
    """A photo that looks like no other: blocks of random grey, the same ones for the same seed."""
    dice = random.Random(seed)
    small = Image.new("L", (8, 8))
    small.putdata([dice.randrange(256) for _ in range(64)])
    buffer = io.BytesIO()
    small.resize((side, side)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def files_there(services, photo_ids) -> list[bool]:
    return [services.media.path(photo_id).is_file() for photo_id in photo_ids]
