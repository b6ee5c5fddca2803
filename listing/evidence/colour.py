"""Colours of the object's pixels in CIELAB: a check of what the MLLM says, and a first guess where it was not tuned.

The object is what differs from the photo's border, with a prior for the centre. Its pixels are counted over a small
codebook of colours; a linear model (fitted on the training senders by ``benchmarks.drafts.colour_agreement``) turns the
counts into probabilities of the taxonomy's colour names. A name is *contradicted* only when it is hardly possible.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

MODEL_FILE = Path(__file__).with_name("colour.json")
SIDE = 96  # longest side, in pixels, at which colours are counted
_BORDER = 0.07
_MIN_OBJECT, _MAX_OBJECT = 0.04, 0.92
_MIN_SHARE = 0.05
Box = tuple[float, float, float, float]

# CIELAB of what people call by these names, several shades each; multicolour is no colour of a pixel.
_SHADES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "black": ((8, 0, 0), (18, 0, 0), (24, 1, -2)),
    "white": ((95, 0, 0), (88, 0, 1), (84, 0, -3)),
    "grey": ((40, 0, -1), (55, 0, 0), (70, 0, -1)),
    "beige": ((80, 4, 18), (72, 5, 20), (62, 5, 18)),
    "brown": ((30, 12, 18), (42, 15, 28), (24, 7, 8)),
    "red": ((45, 62, 38), (38, 55, 32), (52, 55, 28)),
    "burgundy": ((25, 32, 10), (32, 38, 12)),
    "pink": ((75, 25, 2), (60, 48, 2), (82, 15, 4)),
    "orange": ((65, 42, 58), (60, 45, 40)),
    "yellow": ((85, 0, 70), (75, 8, 60), (88, -6, 45)),
    "green": ((50, -35, 25), (35, -18, 10), (75, -25, 25), (60, -30, 0)),
    "olive": ((40, -5, 20), (32, -3, 13)),
    "blue": ((40, 5, -40), (50, -8, -30), (42, -3, -18)),
    "navy": ((18, 4, -16), (26, 3, -20)),
    "light-blue": ((72, -6, -18), (80, -6, -10), (65, -6, -24)),
    "purple": ((35, 30, -28), (60, 22, -22)),
    "gold": ((66, 6, 42),),
    "silver": ((74, -1, -2),),
}


class PixelColour(NamedTuple):
    """A colour name, its share of the object's pixels (0..1), and where it lies (shares of width and height)."""

    name: str
    share: float
    box: Box


@dataclass(frozen=True)
class PixelView:
    """What the pixels of one photo say of the object's colour: shares by name, and where they were taken."""

    photo: int
    shares: Mapping[str, float]
    box: Box | None = None
    contradicted: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColourModel:
    """codebook [k, 3] in CIELAB; weights [k + 1, names], bias last; below ``limit`` a name is contradicted."""

    names: tuple[str, ...]
    codebook: np.ndarray
    weights: np.ndarray
    limit: float

    def probabilities(self, counts: np.ndarray) -> np.ndarray:
        """Counts [k] (sum 1) -> probability of each name."""
        scores = np.sqrt(counts) @ self.weights[:-1] + self.weights[-1]
        exp = np.exp(scores - scores.max())
        return exp / exp.sum()


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


def _means(points: np.ndarray, k: int, rounds: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Plain k-means from spread-out starts: (centres [k, 3], shares [k])."""
    order = np.argsort(points[:, 0])
    centres = points[order[np.linspace(0, len(points) - 1, k).astype(int)]].copy()
    nearest = np.zeros(len(points), int)
    for _ in range(rounds):
        nearest = ((points[:, None] - centres) ** 2).sum(-1).argmin(1)
        for j in range(k):
            if (nearest == j).any():
                centres[j] = points[nearest == j].mean(0)
    return centres, np.bincount(nearest, minlength=k) / len(points)


def _otsu(values: np.ndarray) -> float:
    """The threshold that parts ``values`` into two groups best."""
    counts, edges = np.histogram(values, bins=48)
    weight = np.cumsum(counts) / counts.sum()
    centre = (edges[:-1] + edges[1:]) / 2
    mean = np.cumsum(counts * centre) / counts.sum()
    between = (mean[-1] * weight - mean) ** 2 / np.maximum(weight * (1 - weight), 1e-9)
    return float(edges[1:][int(between[:-1].argmax())])


def object_mask(lab: np.ndarray) -> np.ndarray:
    """bool [h, w]: where the object probably is. Distance from the border's colours, with a prior for the centre."""
    height, width = lab.shape[:2]
    edge = max(2, round(_BORDER * min(height, width)))
    border = np.ones((height, width), bool)
    border[edge:-edge, edge:-edge] = False
    centres, shares = _means(lab[border], 4)
    # A colour that touches only a little of the border may be the object itself.
    background = centres[shares >= 0.12]
    distance = np.sqrt(((lab[:, :, None] - background) ** 2 * np.array([0.6, 1.2, 1.2])).sum(-1)).min(-1)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    prior = np.exp(-(x**2 + y**2) / (2 * 0.55**2))
    saliency = np.minimum(distance, 60) * (0.25 + prior)
    mask = saliency > _otsu(saliency.ravel())
    if not _MIN_OBJECT < mask.mean() < _MAX_OBJECT:
        mask = x**2 + y**2 < 0.45
    return mask


def _small_lab(image: Image.Image) -> np.ndarray:
    scale = SIDE / max(image.size)
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    return to_lab(np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX)))


def object_pixels(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """(CIELAB [h, w, 3] of the shrunken photo, object mask [h, w])."""
    lab = _small_lab(image)
    return lab, object_mask(lab)


def count(pixels: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Share [k] of pixels [n, 3] at each colour of the codebook."""
    nearest = ((pixels[:, None] - codebook) ** 2).sum(-1).argmin(1)
    return np.bincount(nearest, minlength=len(codebook)) / len(pixels)


def _named(lab: np.ndarray) -> np.ndarray:
    """Index of the nearest named shade [...]."""
    shades = np.array([shade for group in _SHADES.values() for shade in group])
    owner = np.array([i for i, group in enumerate(_SHADES.values()) for _ in group])
    return owner[((lab[..., None, :] - shades) ** 2).sum(-1).argmin(-1)]


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


def pixel_colours(image: Image.Image) -> list[PixelColour]:
    """Colour names of the object's pixels, the largest share first; shares under 5 % are left out."""
    lab, mask = object_pixels(image)
    return _colours(lab, mask)


def _colours(lab: np.ndarray, mask: np.ndarray) -> list[PixelColour]:
    names, index = tuple(_SHADES), _named(lab)
    colours = [
        PixelColour(name, round(float(share), 4), _box(mask & (index == i)))
        for i, name in enumerate(names)
        if (share := (index[mask] == i).mean()) >= _MIN_SHARE
    ]
    return sorted(colours, key=lambda c: -c.share)


def colour_probabilities(image: Image.Image) -> dict[str, float]:
    """Probability of each colour name as the *main* colour, by the pixels alone; sums to 1."""
    model = load_model()
    lab, mask = object_pixels(image)
    return dict(zip(model.names, model.probabilities(count(lab[mask], model.codebook)).tolist(), strict=True))


def contradicts(probabilities: dict[str, float], name: str) -> bool:
    """Whether the pixels leave hardly any room for this colour; never for names that are no pixel colours."""
    return (
        name in probabilities
        and name not in ("multicolour", "gold", "silver")
        and probabilities[name] < load_model().limit
    )


def pixel_view(image: Image.Image, photo: int) -> PixelView:
    """What photo number ``photo`` says: probabilities of colour names, the object's box, impossible names."""
    model = load_model()
    lab, mask = object_pixels(image)
    shares = dict(zip(model.names, model.probabilities(count(lab[mask], model.codebook)).tolist(), strict=True))
    return PixelView(
        photo=photo, shares=shares, box=_box(mask), contradicted=tuple(n for n in shares if contradicts(shares, n))
    )
