"""Drawing with light: parts with a relief, laid over each other. Positions are shares (0..1) of a square canvas."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 512  # pixels of the canvas
Point = tuple[float, float]
Array = np.ndarray[Any, np.dtype[Any]]  # of float32
LIGHT = (np.array([-0.5, -0.62, 0.9]) / np.linalg.norm([-0.5, -0.62, 0.9])).astype(np.float32)
GRAIN = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
_Y, _X = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE


def curve(points: Sequence[Point], closed: bool = True, steps: int = 8) -> list[Point]:
    """A Catmull-Rom curve through the points; one that is given twice is a corner."""
    p = np.asarray(points, np.float64)
    corner = (p == np.roll(p, -1, 0)).all(1)
    if closed and corner.any():  # begin at a corner: each side is a curve of its own
        p = np.roll(p, -int(np.flatnonzero(corner)[0]) - 1, 0)
        ends = np.flatnonzero((p[:-1] == p[1:]).all(1)) + 1
        return [q for side in np.split(p, ends) for q in curve([(x, y) for x, y in side], False, steps)]
    n = len(p)
    if n < 3:
        return [(float(x), float(y)) for x, y in p]
    index = np.arange(n if closed else n - 1)[:, None] + np.arange(-1, 3)
    a, b, c, d = np.moveaxis(p[index % n if closed else np.clip(index, 0, n - 1)], 1, 0)[:, :, None]
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    q = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    found = [(float(x), float(y)) for x, y in q.reshape(-1, 2)]
    return found if closed else [*found, (float(p[-1, 0]), float(p[-1, 1]))]


def mirror(points: Sequence[Point]) -> list[Point]:
    """The same on the other side of the middle."""
    return [(1 - x, y) for x, y in points]


def both(points: Sequence[Point]) -> list[Point]:
    """A closed outline from its left half, top to bottom."""
    return [*points, *reversed(mirror(points))]


def ellipse(cx: float, cy: float, rx: float, ry: float, first: float = 0, last: float = 360) -> list[Point]:
    """Points of an ellipse or, with angles in degrees (clockwise from the right), of an arc."""
    angles = np.radians(np.linspace(first, last, 48, endpoint=last - first < 360))
    return [(float(cx + rx * np.cos(a)), float(cy + ry * np.sin(a))) for a in angles]


def box(x0: float, y0: float, x1: float, y1: float, r: float = 0.0) -> list[Point]:
    """A rectangle, with round corners of radius ``r``."""
    if not r:
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    corners = ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180), (x1 - r, y0 + r, 270))
    return [p for x, y, a in corners for p in ellipse(x, y, r, r, a, a + 89)]


def area(outline: Sequence[Point]) -> Array:
    """1 inside, 0 outside, soft at the edge."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.round(np.asarray(outline) * SIDE * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def line(points: Sequence[Point], width: float) -> Array:
    """1 on the line; ``width`` is a share of the canvas."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    path = [np.round(np.asarray(points) * SIDE * 16).astype(np.int32)]
    cv2.polylines(mask, path, False, 255, max(1, round(width * SIDE)), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def dashes(points: Sequence[Point], width: float = 0.003, gap: float = 0.012) -> Array:
    """A stitched line."""
    p = np.asarray(points)
    way = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(p, axis=0).T))])
    at = np.arange(0, way[-1], gap)
    starts, ends = (np.stack([np.interp(a, way, p[:, k]) for k in (0, 1)], 1) for a in (at, at + gap * 0.6))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    pieces = np.round(np.stack([starts, ends], 1) * SIDE * 16).astype(np.int32)
    cv2.polylines(mask, list(pieces), False, 255, max(1, round(width * SIDE)), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def blur(field: Array, radius: float) -> Array:
    """Gaussian blur; the radius is a share of the canvas. Wide ones are made on a smaller copy."""
    pixels = radius * SIDE
    if pixels < 4 or min(field.shape) < 32:
        return cv2.GaussianBlur(field, (0, 0), max(pixels, 0.3))
    few = 2 if pixels < 12 else 4
    small = cv2.resize(field, None, fx=1 / few, fy=1 / few, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), pixels / few)
    return cv2.resize(small, (field.shape[1], field.shape[0]), interpolation=cv2.INTER_LINEAR)


def noise(rng: np.random.Generator, across: float, down: float, shape: tuple[int, int] = (SIDE, SIDE)) -> Array:
    """Smooth noise, mean 0, spread about 1, with grains of about that size (shares of the canvas)."""
    cells = (max(3, round(size / SIDE / grain)) for size, grain in zip(shape, (down, across), strict=True))
    few = [min(count, size) for count, size in zip(cells, shape, strict=True)]
    field = 1.3 * rng.standard_normal(few, np.float32)
    return cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def shading(relief: Array) -> Array:
    """Light on a relief (heights in pixels), 1 where it lies flat."""
    gx, gy = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=1 / 8)
    lit = (LIGHT[2] - gx * LIGHT[0] - gy * LIGHT[1]) / cv2.sqrt(gx * gx + gy * gy + 1)
    return np.asarray(lit / LIGHT[2], np.float32)


def window(mask: Array, margin: float = 0.0) -> tuple[slice, slice]:
    """The part of the canvas that a mask covers, with a margin around it."""
    x, y, wide, high = cv2.boundingRect((mask > 0).view(np.uint8))
    m = round(margin * SIDE)
    return slice(max(y - m, 0), min(y + high + m, SIDE)), slice(max(x - m, 0), min(x + wide + m, SIDE))


def _in(where: tuple[slice, slice], colour: Any) -> Array:
    made = np.asarray(colour, np.float32)
    return made[where] if made.ndim == 3 else made


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def letters(text: str, centre: Point, height: float, bold: int = 2, width: float = 0.0) -> Array:
    """1 on the letters; ``height`` of a capital and the most ``width`` are shares of the canvas."""
    font = _font(max(8, round(height * SIDE * 1.4)))
    if width and (there := font.getlength(text)) > width * SIDE:
        font = _font(max(8, round(height * SIDE * 1.4 * width * SIDE / there)))
    mask = Image.new("L", (SIDE, SIDE), 0)
    place = (centre[0] * SIDE, centre[1] * SIDE)
    ImageDraw.Draw(mask).text(place, text, fill=255, font=font, anchor="mm", stroke_width=bold)
    return np.asarray(mask, np.float32) / 255


class Canvas:
    """Colours (0..1) and how much of each pixel is covered."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.rgb = np.zeros((SIDE, SIDE, 3), np.float32)
        self.alpha = np.zeros((SIDE, SIDE), np.float32)

    x, y = _X, _Y

    def paint(self, mask: Array, colour: Any, strength: float = 1.0) -> None:
        """A colour, or colours [side, side, 3], over what is there."""
        where = window(mask)
        self._over(where, mask[where] * np.float32(strength), _in(where, colour))

    def _over(self, where: tuple[slice, slice], mask: Array, colour: Array) -> None:
        """``mask`` and ``colour`` of the window ``where``."""
        below = self.rgb[where]
        below += (colour - below) * mask[..., None]
        self.alpha[where] = np.maximum(self.alpha[where], mask)

    def darken(self, mask: Array, strength: float) -> None:
        """Take light away."""
        where = window(mask)
        self.rgb[where] *= (1 - strength * np.clip(mask[where], 0, 1))[..., None]

    def light(self, mask: Array, strength: float) -> None:
        """Add light, as of a window in a glaze."""
        where = window(mask)
        self.rgb[where] += (strength * mask[where])[..., None] * (1 - self.rgb[where])

    def _shadow(self, where: tuple[slice, slice], mask: Array, radius: float, strength: float) -> None:
        if strength:
            cast = blur(np.roll(mask, (5, 3), (0, 1)), radius) * self.alpha[where]
            self.rgb[where] *= (1 - np.float32(strength) * np.clip(cast, 0, 1))[..., None]

    def part(
        self,
        outline: Sequence[Point] | Array,
        colour: Any,
        *,
        puff: float = 10.0,
        soft: float = 0.02,
        folds: float = 3.0,
        fold: Point = (0.05, 0.16),
        relief: Array | None = None,
        grain: float = 0.02,
        shadow: float = 0.45,
    ) -> Array:
        """A piece of cloth, leather or wood over what is there; returns its mask.

        Args:
            puff: how high (pixels) its middle lies above its edge; ``soft``: how far in the edge reaches.
            folds: height of folds, of about the size ``fold``. relief: heights of its own, added.
        """
        whole = outline if isinstance(outline, np.ndarray) else area(outline)
        where = window(whole, 0.04)
        mask = whole[where]
        self._shadow(where, mask, 0.012, shadow)
        height = puff * cv2.sqrt(np.clip(2 * blur(mask, soft) - 1, 0, 1)) + 2 * mask
        if folds:
            height += folds * noise(self.rng, *fold, mask.shape)
            height += 0.3 * folds * noise(self.rng, fold[1] / 3, fold[0], mask.shape)
        if relief is not None:
            height += relief[where]
        lit = np.clip(shading(blur(height, 0.003)), 0.45, 1.3)
        lit *= 0.8 + 0.2 * np.clip(2 * blur(mask, 0.012) - 1, 0, 1)
        if grain:
            lit *= 1 + grain * GRAIN[where]
        self._over(where, mask, _in(where, colour) * lit[..., None])
        return whole

    def seam(self, points: Sequence[Point], colour: Any, stitched: bool = True) -> None:
        """A sewn line, a little darker than the cloth, with stitches beside it."""
        self.paint(blur(line(points, 0.004), 0.0015), np.asarray(colour) * 0.5, 0.6)
        if stitched:
            beside = [(x + 0.006, y + 0.004) for x, y in points]
            self.paint(dashes(beside), np.clip(np.asarray(colour) * 1.35 + 0.05, 0, 1), 0.5)

    def lathe(self, profile: Sequence[tuple[float, float]], colour: Any, cx: float = 0.5, gloss: float = 0.5) -> Array:
        """A turned body: (height on the canvas, radius) from top to bottom; its foot is a little round. Its mask."""
        heights, radii = np.array(profile).T
        foot = [
            (cx - radii[-1] * np.cos(a), heights[-1] + 0.16 * radii[-1] * np.sin(a)) for a in np.linspace(0, np.pi, 24)
        ]
        left = [(cx - r, h) for h, r in profile]
        mask = area([*left, *foot, *((2 * cx - x, y) for x, y in reversed(left))])
        radius = np.interp(_Y[:, 0], heights, radii).astype(np.float32)[:, None]
        around = np.clip((_X - cx) / np.maximum(radius, 1e-3), -1, 1)
        slope = np.gradient(radius[:, 0])[:, None] * SIDE
        lit = 0.42 + 0.72 * np.clip(np.cos((around + 0.4) * 1.25), 0, 1) ** 1.3
        lit = lit * np.clip(1 - 0.22 * slope, 0.6, 1.25)
        where = window(mask, 0.04)
        around, lit, mask_in = around[where], lit[where].astype(np.float32), mask[where]
        self._shadow(where, mask_in, 0.012, 0.4)
        self._over(where, mask_in, _in(where, colour) * np.clip(lit, 0, 1.4)[..., None])
        glass = mask_in * np.clip(2 * blur(mask_in, 0.02) - 0.9, 0, 1)
        shine = np.exp(-(((around + 0.52) / 0.1) ** 2)) + 0.35 * np.exp(-(((around - 0.66) / 0.05) ** 2))
        self.rgb[where] += gloss * blur((shine * glass).astype(np.float32), 0.008)[..., None] * (1 - self.rgb[where])
        return mask

    def ball(self, cx: float, cy: float, rx: float, ry: float, colour: Any, fur: float = 0.0) -> Array:
        """A round body; ``fur`` roughens its edge and surface."""
        where = window(area(ellipse(cx, cy, rx * 1.1, ry * 1.1)), 0.04)
        u, v = (_X[where] - cx) / rx, (_Y[where] - cy) / ry
        far = cv2.sqrt(u**2 + v**2)
        if fur:
            far += fur * noise(self.rng, 0.008, 0.012, far.shape)
        mask = np.clip((1 - far) * min(rx, ry) * SIDE / 1.5, 0, 1).astype(np.float32)
        self._shadow(where, mask, 0.015, 0.45)
        up = cv2.sqrt(np.clip(1 - np.clip(far, 0, 1) ** 2, 0, 1))
        lit = 0.5 + 0.62 * np.clip(u * LIGHT[0] + v * LIGHT[1] + up * LIGHT[2], 0, 1)
        if fur:
            lit *= 1 + 0.09 * noise(self.rng, 0.004, 0.01, far.shape) + 0.05 * noise(self.rng, 0.01, 0.004, far.shape)
        self._over(where, mask, _in(where, colour) * lit[..., None].astype(np.float32))
        whole = np.zeros((SIDE, SIDE), np.float32)
        whole[where] = mask
        return whole
