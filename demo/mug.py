"""A red enamel mug on a table by a window: a thing that is not a garment."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.canvas import area, blur, finish, noise, paint, planks, shadow, stroke, text_mask

SHAPE = (1000, 1000)
LEFT, RIGHT, TOP, BOTTOM = 280.0, 690.0, 300.0, 770.0
GLAZE = np.array([0.70, 0.10, 0.09], dtype=np.float32)
TILT = 0.17  # height of the rim's ellipse against its width


def ellipse(cx: float, cy: float, rx: float, ry: float) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    return [(float(cx + rx * np.cos(a)), float(cy + ry * np.sin(a))) for a in angles]


def draw(seed: int = 5) -> Image.Image:
    """The photo, 1000 x 1000 px."""
    rng = np.random.default_rng(seed)
    cx, rx = (LEFT + RIGHT) / 2, (RIGHT - LEFT) / 2
    base_rx = rx * 0.94
    picture = _room(rng)
    angles = np.linspace(0, np.pi, 90)
    bottom = [(cx + base_rx * np.cos(a), BOTTOM + base_rx * TILT * np.sin(a)) for a in angles]
    body = area(SHAPE, [(LEFT, TOP), *[(float(x), float(y)) for x, y in reversed(bottom)], (RIGHT, TOP)])
    rim = area(SHAPE, ellipse(cx, TOP, rx, rx * TILT))
    wall = np.maximum(body, rim)
    thrown = area(SHAPE, ellipse(cx + 110, BOTTOM + 20, rx * 1.25, rx * 0.3))
    picture = picture * (1 - 0.55 * blur(thrown, 26))[..., None]
    foot = area(SHAPE, ellipse(cx + 14, BOTTOM + 22, base_rx * 1.02, base_rx * TILT))
    picture = picture * (1 - 0.6 * blur(foot, 9))[..., None]
    picture = _handle(picture)
    x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]][1]
    round_ = np.clip((x - cx) / rx, -1, 1)
    shade = 0.40 + 0.75 * np.clip(np.cos((round_ + 0.38) * 1.25), 0, 1) ** 1.4
    glaze = GLAZE * (shade * (1 + 0.012 * noise(rng, SHAPE, 8, 8)))[..., None]
    picture = paint(picture, wall, glaze)
    picture = _words(picture, cx, rx, shade)
    for at, wide, strength in ((-0.62, 0.05, 0.55), (0.72, 0.03, 0.18)):
        window = np.exp(-(((round_ - at) / wide) ** 2)) * body
        window[: int(TOP) + 70] = 0
        window[int(BOTTOM) - 60 :] = 0
        picture = paint(picture, blur(window, 7), (1.0, 0.97, 0.93), strength)
    return finish(_mouth(picture, rng, cx, rx), rng)


def _room(rng: np.random.Generator) -> np.ndarray:
    """A wall, out of focus, above a wooden table."""
    wood = np.transpose(planks(rng, (SHAPE[1], SHAPE[0]), 190), (1, 0, 2)) * 0.92
    y = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]][0].astype(np.float32)
    wall = np.array([0.80, 0.81, 0.78]) * (0.94 + 0.05 * noise(rng, SHAPE, 90, 90) * 0.4)[..., None]
    table = np.clip((y - 470) / 14, 0, 1)
    return wall * (1 - table[..., None]) + wood * table[..., None]


def _handle(picture: np.ndarray) -> np.ndarray:
    tube = area(SHAPE, ellipse(668, 520, 156, 158)) - area(SHAPE, ellipse(664, 520, 106, 110))
    picture = shadow(picture, tube, 14, 18, 12, 0.35)
    gy, gx = np.gradient(18 * blur(tube, 9))
    lit = np.clip(0.78 + 0.42 * (gx + gy), 0.3, 1.25)
    picture = paint(picture, tube, GLAZE * lit[..., None])
    shine = [(float(662 + 132 * np.cos(a)), float(512 + 134 * np.sin(a))) for a in np.linspace(-1.3, 0.1, 60)]
    return paint(picture, blur(stroke(SHAPE, shine, 6), 3.5), (1.0, 0.95, 0.92), 0.55)


def _words(picture: np.ndarray, cx: float, rx: float, shade: np.ndarray) -> np.ndarray:
    """The print, bent around the mug: narrower to the sides, sagging like the rim."""
    flat = text_mask(SHAPE, [("GOOD", (500.0, 470.0), 92), ("MORNING", (500.0, 566.0), 66)], 3)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32)
    around = np.arcsin(np.clip((x - cx) / rx, -0.999, 0.999))
    sag = rx * TILT * (np.cos(around) - 1)
    column = np.clip(500 + around * rx, 0, SHAPE[1] - 1).astype(int)
    row = np.clip(y - sag, 0, SHAPE[0] - 1).astype(int)
    letters = blur(flat[row, column], 0.7) * (np.abs(x - cx) < rx * 0.98)
    return paint(picture, letters, np.array([0.96, 0.94, 0.88]) * np.clip(shade, 0.5, 1.02)[..., None], 0.97)


def _mouth(picture: np.ndarray, rng: np.random.Generator, cx: float, rx: float) -> np.ndarray:
    """The rim, the inside and the coffee in it."""
    lip = area(SHAPE, ellipse(cx, TOP, rx, rx * TILT))
    inner = area(SHAPE, ellipse(cx, TOP + 1, rx * 0.95, rx * TILT * 0.93))
    picture = paint(picture, lip, (0.86, 0.26, 0.22))
    x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]][1]
    inside = (0.55 + 0.35 * np.clip((x - LEFT) / (RIGHT - LEFT), 0, 1))[..., None] * np.array([0.95, 0.93, 0.88])
    picture = paint(picture, inner, inside)
    coffee = area(SHAPE, ellipse(cx, TOP + 26, rx * 0.90, rx * TILT * 0.80)) * inner
    brew = np.array([0.20, 0.11, 0.06]) * (1 + 0.10 * noise(rng, SHAPE, 30, 8))[..., None]
    picture = paint(picture, coffee, brew)
    glint = area(SHAPE, ellipse(cx - 70, TOP + 20, 56, 7)) * coffee
    return paint(picture, blur(glint, 4), (0.9, 0.85, 0.8), 0.45)
