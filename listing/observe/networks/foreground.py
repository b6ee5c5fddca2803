"""Where the item is on a photo: a mask by U2-Net-p (``u2net``).

A mask that covers next to nothing or nearly everything says nothing and is not used (``usable``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from listing.backends.base import has_bfloat16

WEIGHTS = "foreground.safetensors"
SIDE = 320  # pixels of a mask
QUICK_SIDE = 224  # pixels that the network looks at where nobody sees the mask's edge: half the time
LEAST, MOST = 0.02, 0.98  # share of the photo that a useful mask covers
MIN_PEAK = 0.5  # the network's own probability that at least one pixel must reach
THRESHOLD = 100  # of 255: from here on a pixel counts as the item's
_WHITE, _EVEN, _MOSTLY = 200, 24, 0.85  # of a ground's levels (0..255), and the share of it
MARGIN = 0.06  # of the item's size, left around it in the crop
Box = tuple[float, float, float, float]
_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class Foreground:
    """The network of a model folder.

    Args:
        side: pixels a side that it looks at; the mask is stretched.
    """

    def __init__(self, file: Path, side: int = QUICK_SIDE) -> None:
        import torch
        from safetensors.torch import load_file

        from listing.observe.networks.u2net import U2Net

        network: Any = U2Net()
        network.load_state_dict({name: tensor.float() for name, tensor in load_file(file).items()})
        self.side, self.dtype = side, torch.bfloat16 if has_bfloat16() else torch.float32
        self._network = network.to(self.dtype).to(memory_format=torch.channels_last).eval()

    def mask(self, photo: Image.Image) -> np.ndarray:
        """How much each pixel belongs to the item, uint8 [320, 320]; stretch it to the photo's size."""
        import torch

        size = (self.side, self.side)
        pixels = np.asarray(photo.convert("RGB").resize(size, Image.Resampling.LANCZOS), np.float32)
        pixels = (pixels / max(float(pixels.max()), 1.0) - _MEAN) / _STD
        batch = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(self.dtype)
        with torch.inference_mode():
            share = self._network(batch)[0, 0].numpy()
        low, high = float(share.min()), float(share.max())
        if high < MIN_PEAK:  # nothing stands out: a wall, a close-up of cloth
            return np.zeros((SIDE, SIDE), np.uint8)
        mask = Image.fromarray(np.asarray(255 * (share - low) / max(high - low, 1e-6), np.uint8))
        return np.asarray(mask.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def covered(mask: np.ndarray) -> float:
    """Share of the photo that the mask covers, 0..1."""
    return float((mask >= THRESHOLD).mean())


def usable(mask: np.ndarray) -> bool:
    """True if the mask tells item and background apart."""
    return LEAST <= covered(mask) <= MOST


def is_studio(photo: Image.Image, mask: np.ndarray) -> bool:
    """True if the item lies on the even white ground of a catalogue's photo."""
    pixels = np.asarray(photo.convert("RGB").resize(mask.shape[::-1], Image.Resampling.BILINEAR)).astype(float)
    ground = pixels[mask < THRESHOLD]
    if len(ground) < LEAST * mask.size:
        return False
    colour = np.median(ground, axis=0)
    even = (np.abs(ground - colour).max(axis=1) < _EVEN).mean()
    return bool(colour.min() > _WHITE and even > _MOSTLY)


def crop_box(mask: np.ndarray) -> Box:
    """(left, top, right, bottom) around the item as shares of the photo; all of it without a usable mask."""
    if not usable(mask):
        return (0.0, 0.0, 1.0, 1.0)
    inside = mask >= THRESHOLD
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    height, width = mask.shape
    top, bottom = rows[0] / height, (rows[-1] + 1) / height
    left, right = columns[0] / width, (columns[-1] + 1) / width
    y, x = MARGIN * (bottom - top), MARGIN * (right - left)
    return (max(0.0, left - x), max(0.0, top - y), min(1.0, right + x), min(1.0, bottom + y))
