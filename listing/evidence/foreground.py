"""Where the item is on a photo: a mask by U2-Net-p (Qin et al. 2020, Apache-2.0), run by onnxruntime.

A mask that covers next to nothing or nearly everything says nothing and is not used (``usable``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WEIGHTS = "u2netp.onnx"
SIDE = 320  # pixels, the network's input
LEAST, MOST = 0.02, 0.98  # share of the photo that a useful mask covers
SEEN = 0.5  # the network's own probability that at least one pixel must reach
THRESHOLD = 100  # of 255: from here on a pixel counts as the item's
MARGIN = 0.06  # of the item's size, left around it in the crop
Box = tuple[float, float, float, float]
_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class Foreground:
    """The network of a model folder."""

    def __init__(self, file: Path, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def mask(self, photo: Image.Image) -> np.ndarray:
        """How much each pixel belongs to the item, uint8 [320, 320]; stretch it to the photo's size."""
        pixels = np.asarray(photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float32)
        pixels = (pixels / max(float(pixels.max()), 1.0) - _MEAN) / _STD
        (out,) = self._session.run([self._output], {self._input: pixels.transpose(2, 0, 1)[None]})
        share = out[0, 0]
        low, high = float(share.min()), float(share.max())
        if high < SEEN:  # nothing stands out: a wall, a close-up of cloth
            return np.zeros((SIDE, SIDE), np.uint8)
        return np.asarray(255 * (share - low) / max(high - low, 1e-6), np.uint8)


def covered(mask: np.ndarray) -> float:
    """Share of the photo that the mask covers, 0..1."""
    return float((mask >= THRESHOLD).mean())


def usable(mask: np.ndarray) -> bool:
    """Whether the mask tells item and background apart."""
    return LEAST <= covered(mask) <= MOST


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
