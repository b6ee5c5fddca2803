"""Perceptual hash: photos that look alike get hashes that differ in few bits."""

from __future__ import annotations

from PIL import Image

BITS = 64


def phash(image: Image.Image) -> str:
    """DCT hash of the grey photo at 32 x 32 (ImageHash's ``phash``), 64 bits as 16 hex digits."""
    import imagehash

    return str(imagehash.phash(image))


def hamming(a: str, b: str) -> int:
    """Number of differing bits (0..64) of two hashes in hex; ValueError where they have different lengths."""
    if len(a) != len(b):
        raise ValueError(
            f"Hashes of {len(a)} and {len(b)} digits cannot be compared; compute both by the same function."
        )
    return (int(a, 16) ^ int(b, 16)).bit_count()
