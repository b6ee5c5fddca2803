"""Perceptual hash: photos that look alike get hashes that differ in few bits."""

from __future__ import annotations

import numpy as np
from PIL import Image

BITS = 64
_SIDE, _LOW = 32, 8  # pixels of the grey photo, frequencies that are kept
_WAVES = np.cos(np.pi / (2 * _SIDE) * np.outer(np.arange(_LOW), 2 * np.arange(_SIDE) + 1))


def phash(image: Image.Image) -> str:
    """DCT hash of the grey photo at 32 x 32 (that of ImageHash's ``phash``), 64 bits as 16 hex digits."""
    grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    low = np.round(_WAVES @ np.asarray(grey, float) @ _WAVES.T, 6)  # a flat photo has no waves, whatever is rounded
    bits = "".join("01"[bit] for bit in (low > np.median(low)).ravel().tolist())
    return f"{int(bits, 2):0{BITS // 4}x}"


def hamming(a: str, b: str) -> int:
    """Number of differing bits (0..64) of two hashes in hex; ValueError where they have different lengths."""
    if len(a) != len(b):
        raise ValueError(
            f"Hashes of {len(a)} and {len(b)} digits cannot be compared; compute both by the same function."
        )
    return (int(a, 16) ^ int(b, 16)).bit_count()
