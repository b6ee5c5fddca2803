"""Drawing tools for the demo photos: smooth shapes, noise, light on cloth. Arrays are float, 0..1, [height, width]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy.ndimage import gaussian_filter

Point = tuple[float, float]
Colour = tuple[float, float, float]


def blur(field: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur; the radius is in pixels."""
    return gaussian_filter(field.astype(np.float32), radius, mode="nearest")


def noise(rng: np.random.Generator, shape: tuple[int, int], sx: float, sy: float) -> np.ndarray:
    """Smooth noise, mean 0, spread 1, with grains of about ``sx`` by ``sy`` pixels."""
    field = gaussian_filter(rng.standard_normal(shape).astype(np.float32), (sy, sx), mode="wrap")
    return (field - field.mean()) / (field.std() + 1e-9)


def spline(points: Sequence[Point], closed: bool = True, steps: int = 14) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    p = np.asarray(points, dtype=float)
    n = len(p)
    out: list[Point] = []
    for i in range(n if closed else n - 1):
        index = [(i + k) % n if closed else min(max(i + k, 0), n - 1) for k in (-1, 0, 1, 2)]
        a, b, c, d = p[index]
        for t in np.linspace(0, 1, steps, endpoint=False):
            q = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
            out.append((float(q[0]), float(q[1])))
    return out if closed else [*out, (float(p[-1][0]), float(p[-1][1]))]


def area(shape: tuple[int, int], outline: Sequence[Point]) -> np.ndarray:
    """1 inside the outline, 0 outside, with a soft edge of a pixel."""
    height, width = shape
    mask = Image.new("L", (width * 2, height * 2), 0)
    ImageDraw.Draw(mask).polygon([(x * 2, y * 2) for x, y in outline], fill=255)
    return np.asarray(mask.resize((width, height), Image.Resampling.BOX), dtype=np.float32) / 255


def stroke(shape: tuple[int, int], line: Sequence[Point], width: float) -> np.ndarray:
    """1 on the line, 0 off it."""
    mask = Image.new("L", (shape[1] * 2, shape[0] * 2), 0)
    points = [(x * 2, y * 2) for x, y in line]
    ImageDraw.Draw(mask).line(points, fill=255, width=max(1, round(width * 2)), joint="curve")
    return np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.BOX), dtype=np.float32) / 255


def dashes(shape: tuple[int, int], line: Sequence[Point], width: float, every: int = 2) -> np.ndarray:
    """A stitched line: every second piece of the curve."""
    pieces = [stroke(shape, line[i : i + every + 1], width) for i in range(0, len(line) - every, 2 * every)]
    return np.clip(np.sum(pieces, axis=0), 0, 1) if pieces else np.zeros(shape, np.float32)


def light(height_field: np.ndarray, direction: tuple[float, float, float] = (-0.55, -0.65, 0.9)) -> np.ndarray:
    """Lambert shading of a relief (pixels high), 1 where it lies flat."""
    gy, gx = np.gradient(height_field)
    lx, ly, lz = np.asarray(direction) / np.linalg.norm(direction)
    return ((-gx * lx - gy * ly + lz) / np.sqrt(gx**2 + gy**2 + 1)) / lz


def text_mask(shape: tuple[int, int], lines: Sequence[tuple[str, Point, int]], bold: int = 0) -> np.ndarray:
    """1 on the letters; each line is (text, centre, letter height in pixels). Its font comes with Pillow."""
    mask = Image.new("L", (shape[1], shape[0]), 0)
    draw = ImageDraw.Draw(mask)
    for text, centre, size in lines:
        draw.text(centre, text, fill=255, font=ImageFont.load_default(size), anchor="mm", stroke_width=bold)
    return np.asarray(mask, dtype=np.float32) / 255


def paint(picture: np.ndarray, mask: np.ndarray, colour: np.ndarray | Colour, strength: float = 1.0) -> np.ndarray:
    """``colour`` ([h, w, 3] or one colour) over the picture where the mask is."""
    alpha = (mask * strength)[..., None]
    return picture * (1 - alpha) + np.asarray(colour, dtype=np.float32) * alpha


def shadow(picture: np.ndarray, mask: np.ndarray, dx: float, dy: float, radius: float, strength: float) -> np.ndarray:
    """The soft shadow that a shape throws."""
    moved = np.roll(mask, (round(dy), round(dx)), axis=(0, 1))
    return picture * (1 - strength * blur(moved, radius))[..., None]


def planks(rng: np.random.Generator, shape: tuple[int, int], wide: int = 150) -> np.ndarray:
    """A wooden floor seen from above, [height, width, 3]."""
    height, width = shape
    x = np.arange(width)[None, :] + noise(rng, shape, 200, 400) * 0.6
    board = (x // wide).astype(int)
    tint = rng.normal(0, 0.045, board.max() + 2)[board]
    grain = 0.035 * noise(rng, shape, 1.2, 60) + 0.03 * noise(rng, shape, 6, 160)
    rings = 0.02 * np.sin(noise(rng, shape, 18, 260) * 9)
    value = 0.62 + tint + grain + rings
    seam = np.exp(-(((x % wide) - 2) ** 2) / 4)
    ends = np.zeros(shape, np.float32)
    for number in range(board.max() + 1):
        for y in rng.integers(0, height, 1):
            ends[max(0, y - 1) : y + 2][board[max(0, y - 1) : y + 2] == number] = 0.8
    value = value * (1 - 0.55 * np.clip(seam + ends, 0, 1))
    return value[..., None] * np.array([1.12, 0.86, 0.62], dtype=np.float32)


def finish(picture: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """As a phone would take it: uneven light, a little blur and sensor noise."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    falloff = 1.06 - 0.22 * (((x / width - 0.4) ** 2) + ((y / height - 0.4) ** 2))
    lit = picture * falloff[..., None] + rng.normal(0, 0.008, picture.shape)
    return Image.fromarray((np.clip(lit, 0, 1) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))
