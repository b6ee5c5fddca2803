"""Masks of a photo folder, computed once and stored: a mask takes up to a third of a second of one core."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from finetune.data.photosets import open_photo, per_photo
from listing.home import ipl_home
from listing.observe.networks.foreground import SIDE, WEIGHTS, Foreground

STORED_SIDE = 160  # pixels a side in the file


def masks_of(rows: list[dict[str, Any]], file: Path | None = None) -> list[np.ndarray]:
    """uint8 [320, 320] of every photo; ``file`` (.npz) keeps them, half as large."""
    network = cache(lambda: Foreground(ipl_home() / "models" / "ipl-mini" / WEIGHTS))

    def mask(number: int) -> np.ndarray:
        whole = Image.fromarray(network().mask(open_photo(rows[number]["image"])))
        return np.asarray(whole.resize((STORED_SIDE, STORED_SIDE), Image.Resampling.BOX))

    small = per_photo(rows, file, "masks", mask)
    return [np.asarray(Image.fromarray(m).resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for m in small]
