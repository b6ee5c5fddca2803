"""Colours, and what is printed, woven or painted on a surface."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from app.demo.photos.canvas import SIDE, Array, Canvas, area, curve, ellipse, letters, noise

RGB: dict[str, tuple[float, float, float]] = {
    "white": (0.93, 0.92, 0.90), "black": (0.12, 0.12, 0.13), "grey": (0.55, 0.56, 0.58), "navy": (0.12, 0.17, 0.33),
    "blue": (0.18, 0.38, 0.68), "light-blue": (0.60, 0.77, 0.90), "red": (0.76, 0.14, 0.15),
    "burgundy": (0.43, 0.09, 0.17), "green": (0.16, 0.50, 0.31), "olive": (0.38, 0.39, 0.20),
    "beige": (0.83, 0.74, 0.60), "brown": (0.50, 0.32, 0.19), "pink": (0.91, 0.58, 0.68), "yellow": (0.95, 0.77, 0.25),
    "orange": (0.91, 0.48, 0.17), "purple": (0.47, 0.30, 0.62), "silver": (0.74, 0.75, 0.77),
}  # fmt: skip
INK = {"light": np.array((0.95, 0.94, 0.90)), "dark": np.array((0.15, 0.16, 0.20))}


def rgb(canvas: Canvas, colour: str) -> np.ndarray:
    """A colour by its name, no two things quite the same."""
    shift = 1 + canvas.rng.normal(0, 0.05) + canvas.rng.normal(0, 0.015, 3)
    made: np.ndarray = np.clip(np.array(RGB[colour]) * shift, 0.03, 0.96)
    return made


def ink(colour: np.ndarray) -> np.ndarray:
    """What can be read on a colour."""
    return INK["dark" if colour @ (0.3, 0.59, 0.11) > 0.5 else "light"]


def woven(canvas: Canvas, pattern: str, first: np.ndarray, second: np.ndarray, upright: bool = False) -> np.ndarray:
    """Colours [side, side, 3] of a cloth; ``upright``: its stripes."""
    rng, x, y = canvas.rng, canvas.x, canvas.y
    bend = 0.004 * noise(rng, 0.3, 0.3)
    along = (x if upright else y) + bend
    mask: Array = np.zeros((SIDE, SIDE), np.float32)
    if pattern == "striped":
        wide = float(rng.choice((0.028, 0.045, 0.07)))
        mask = _band(along / wide, float(rng.choice((0.3, 0.5))))
    elif pattern == "checked":
        wide = float(rng.choice((0.05, 0.08)))
        mask = 0.5 * _band(x / wide, 0.45) + 0.5 * _band(y / wide, 0.45)
        dark = np.maximum(_band(x / wide + 0.25, 0.06), _band(y / wide + 0.25, 0.06))
        return _mix(first, second, mask) * (1 - 0.35 * dark[..., None])
    elif pattern == "polka-dot":
        wide = float(rng.choice((0.045, 0.065)))
        row = np.floor(y / wide)
        u, v = (x / wide + 0.5 * (row % 2)) % 1 - 0.5, y / wide % 1 - 0.5
        mask = np.clip((0.26 - np.sqrt(u**2 + v**2)) * wide * SIDE, 0, 1).astype(np.float32)
    elif pattern == "colour-block":
        mask = np.clip((y - 0.47 + bend) * SIDE, 0, 1).astype(np.float32)
    elif pattern == "floral":
        return _flowers(canvas, first, second)
    return _mix(first, second, mask)


def _band(along: Array, share: float) -> Array:
    """1 on that share of each unit."""
    return np.clip((share / 2 - np.abs(along % 1 - 0.5)) * 40, 0, 1).astype(np.float32)


def _mix(first: np.ndarray, second: np.ndarray, mask: Array) -> np.ndarray:
    made: np.ndarray = (first * (1 - mask[..., None]) + second * mask[..., None]).astype(np.float32)
    return made


def _flowers(canvas: Canvas, ground: np.ndarray, petal: np.ndarray) -> np.ndarray:
    """Small flowers with leaves, strewn."""
    rng = canvas.rng
    petals, hearts, leaves = (np.zeros((SIDE, SIDE), np.float32) for _ in range(3))
    tile = 200
    yy, xx = np.mgrid[0:tile, 0:tile].astype(np.float32)
    for cx, cy in ((45, 45), (140, 70), (80, 140), (170, 165)):
        r, turn = float(rng.uniform(20, 30)), float(rng.uniform(0, 6))
        u, v = xx - cx, yy - cy
        far, angle = np.hypot(u, v), np.arctan2(v, u) + turn
        petals[:tile, :tile] = np.maximum(petals[:tile, :tile], far < r * (0.74 + 0.26 * np.cos(5 * angle)))
        hearts[:tile, :tile] = np.maximum(hearts[:tile, :tile], far < r * 0.24)
        leaf = (np.abs(u - r * 1.25) / (r * 0.75)) ** 2 + (np.abs(v - r * 0.5) / (r * 0.28)) ** 2 < 1
        leaves[:tile, :tile] = np.maximum(leaves[:tile, :tile], leaf)
    small = [m[:tile:2, :tile:2] for m in (petals, hearts, leaves)]
    petals, hearts, leaves = (np.tile(m, (SIDE // 100 + 1,) * 2)[:SIDE, :SIDE] for m in small)
    made = _mix(ground, np.array((0.35, 0.52, 0.30)), leaves)
    made = made * (1 - petals[..., None]) + petal * petals[..., None]
    return np.asarray(made * (1 - hearts[..., None]) + np.array((0.95, 0.78, 0.25)) * hearts[..., None], np.float32)


@cache
def knit(ribs: bool = False, wide: float = 0.012) -> Array:
    """Relief of a knitted cloth: its stitches, or its ribs."""
    x, y = Canvas.x, Canvas.y
    if ribs:
        return np.asarray(1.3 * np.sin(2 * np.pi * x / wide), np.float32)
    return np.asarray(
        0.8 * np.sin(2 * np.pi * x / wide) * np.sin(2 * np.pi * (y / wide + 0.3 * np.sin(9 * x))), np.float32
    )


def printed(canvas: Canvas, text: str, centre: tuple[float, float], width: float, colour: np.ndarray) -> None:
    """Words, as screen print: the folds go on below it."""
    words, lit = text.split(), shade_of(canvas, colour)
    for number, word in enumerate(words):
        place = (centre[0], centre[1] + 0.085 * (number - (len(words) - 1) / 2))
        canvas.paint(letters(word, place, 0.055, 2, width), lit, 0.94)


def shade_of(canvas: Canvas, colour: np.ndarray) -> np.ndarray:
    """A colour with the light that falls on the cloth there."""
    bright = canvas.rgb.max(axis=2)
    usual = float(np.median(bright[canvas.alpha > 0.5])) + 1e-3
    return np.asarray(colour * np.clip(bright / usual, 0.6, 1.12)[..., None], np.float32)


def picture(canvas: Canvas, name: str, cx: float, cy: float, r: float, colours: Sequence[np.ndarray]) -> None:
    """A printed picture: sun, waves, mountain, heart or star."""
    first, second = (shade_of(canvas, c) for c in colours)
    disc = area(ellipse(cx, cy, r, r))
    if name == "sun":
        for a in np.linspace(0, 2 * np.pi, 12, endpoint=False):
            tip = [(cx + 1.5 * r * np.cos(a), cy + 1.5 * r * np.sin(a))]
            foot = [(cx + 1.08 * r * np.cos(a + s), cy + 1.08 * r * np.sin(a + s)) for s in (-0.16, 0.16)]
            canvas.paint(area([*tip, *foot]), second, 0.95)
        canvas.paint(disc, first, 0.95)
    elif name == "waves":
        canvas.paint(disc, first, 0.95)
        for k in range(3):
            wave = (
                np.abs(canvas.y - cy - r * (0.05 + 0.3 * k) - 0.014 * np.sin(2 * np.pi * canvas.x / 0.07 + k)) < 0.011
            )
            canvas.paint(disc * wave, second, 0.95)
    elif name == "mountain":
        canvas.paint(disc, first, 0.95)
        peaks = [(cx - r, cy + r), (cx - 0.35 * r, cy - 0.35 * r), (cx, cy + 0.15 * r), (cx + 0.4 * r, cy - 0.6 * r)]
        canvas.paint(disc * area([*peaks, (cx + 1.2 * r, cy + r)]), second, 0.95)
    elif name == "heart":
        half = [(cx, cy - 0.45 * r), (cx - 0.5 * r, cy - 0.95 * r), (cx - 1.05 * r, cy - 0.35 * r), (cx, cy + r)]
        whole = [*half, (cx, cy + r), *[(2 * cx - x, y) for x, y in reversed(half[:-1])]]
        canvas.paint(area(curve(whole)), first, 0.95)
    else:
        spikes = [
            (cx + k * r * np.sin(a), cy - k * r * np.cos(a))
            for a, k in zip(np.linspace(0, 2 * np.pi, 10, endpoint=False), (1.15, 0.48) * 5, strict=True)
        ]
        canvas.paint(area(spikes), first, 0.95)
