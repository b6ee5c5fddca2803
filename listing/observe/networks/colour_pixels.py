"""Colours of the item's pixels in CIELAB: what the photo itself says, beside the towers.

The item is where the mask is (``foreground``). Its pixels are counted over a small codebook of colours; a linear model
(fitted on the training senders by ``benchmarks.training.colour``) turns counts and percentiles into probabilities of
the taxonomy's colour names. A name is *contradicted* only when it is hardly possible. Colours are named by
``colour_network`` where the model folder has it, and by this model otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

MODEL_FILE = Path(__file__).with_name("colour.json")
SIDE = 96  # longest side, in pixels, at which colours are counted
_INSIDE = 150  # of 255: the edge of the item, where colours mix, is left out
_MIN_ITEM, _MAX_ITEM = 0.02, 0.98
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class PixelView:
    """One photo's view of the item's colour: shares by name, and where its pixels were taken.

    second: shares of the second colour, where the network was asked. contradicted: names that the pixels rule out.
    """

    photo: int
    shares: Mapping[str, float]
    box: Box | None = None
    contradicted: tuple[str, ...] = ()
    second: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ColourModel:
    """codebook [k, 3] in CIELAB; weights [inputs + 1, names], bias last; below ``limit`` a name is contradicted."""

    names: tuple[str, ...]
    codebook: np.ndarray
    weights: np.ndarray
    limit: float

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """``inputs`` of ``describe`` -> probability of each name."""
        scores = inputs @ self.weights[:-1] + self.weights[-1]
        exp = np.exp(scores - scores.max())
        return np.asarray(exp / exp.sum())


@lru_cache(maxsize=1)
def load_model() -> ColourModel:
    """The fitted model that comes with the package."""
    raw = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    return ColourModel(tuple(raw["names"]), np.array(raw["codebook"]), np.array(raw["weights"]), raw["limit"])


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB uint8 [..., 3] -> CIELAB (D65) float [..., 3]."""
    unit = rgb.astype(np.float64) / 255.0
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = linear @ matrix.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def small_lab(image: Image.Image, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(CIELAB [h, w, 3] of the shrunken photo, where the item is: bool [h, w]); its middle without a usable mask."""
    scale = SIDE / max(image.size)
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    lab = to_lab(np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX)))
    if mask is not None:
        inside = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.BOX)) > _INSIDE
        if _MIN_ITEM < inside.mean() < _MAX_ITEM:
            return lab, inside
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    return lab, x**2 + y**2 < 0.45


def count(pixels: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Share [k] of pixels [n, 3] at each colour of the codebook."""
    nearest = ((codebook**2).sum(1) - 2 * pixels @ codebook.T).argmin(1)  # a pixel's own length moves none
    return np.bincount(nearest, minlength=len(codebook)) / len(pixels)


def describe(lab: np.ndarray, inside: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Features: root shares of the codebook's colours among the item's pixels, and their percentiles."""
    item = lab[inside]
    percentiles = np.percentile(item, (10, 25, 50, 75, 90), axis=0).ravel() / 50
    return np.concatenate([np.sqrt(count(item, codebook)), percentiles])


def contradicts(probabilities: Mapping[str, float], name: str) -> bool:
    """True if the pixels leave hardly any room for this colour; never for names that are no pixel colours."""
    return (
        name in probabilities
        and name not in ("multicolour", "gold", "silver")
        and probabilities[name] < load_model().limit
    )


def pixel_view(image: Image.Image, photo: int, mask: np.ndarray | None = None) -> PixelView:
    """View of photo number ``photo``: probabilities of colour names, the item's box, impossible names."""
    model = load_model()
    lab, inside = small_lab(image, mask)
    probabilities = model.probabilities(describe(lab, inside, model.codebook)).tolist()
    shares = dict(zip(model.names, probabilities, strict=True))
    return PixelView(photo, shares, _box(inside), tuple(n for n in shares if contradicts(shares, n)))


def _box(where: np.ndarray) -> Box:
    """The box that holds the middle 90 % of the marked pixels."""
    y, x = np.nonzero(where)
    height, width = where.shape
    x0, x1 = np.percentile(x, (5, 95))
    y0, y1 = np.percentile(y, (5, 95))
    return (
        round(float(x0 / width), 3),
        round(float(y0 / height), 3),
        round(float((x1 + 1) / width), 3),
        round(float((y1 + 1) / height), 3),
    )
