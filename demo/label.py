"""A close-up of the hoodie's woven label and care label: brand, size, material."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.canvas import area, blur, dashes, finish, light, noise, paint, shadow, spline, stroke, text_mask
from demo.hoodie import CLOTH

SHAPE = (900, 1200)
INK = (0.10, 0.11, 0.16)


def draw(seed: int = 11) -> Image.Image:
    """The photo, 960 x 720 px."""
    rng = np.random.default_rng(seed)
    picture = _cloth(rng)
    picture = _woven_label(picture, rng)
    picture = _care_label(picture, rng)
    return finish(picture, rng).resize((960, 720), Image.Resampling.LANCZOS)


def _cloth(rng: np.random.Generator) -> np.ndarray:
    """The inside of the neck: loops of the knit, two folds and the neck tape with its stitches."""
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32)
    bend = 10 * noise(rng, SHAPE, 160, 160)
    loops = 0.6 * np.sin((x + bend) * 2 * np.pi / 9) * np.sin((y + bend) * 2 * np.pi / 7)
    folds = sum(
        40 * blur(stroke(SHAPE, spline(line, closed=False), 60), 34)
        for line in ([(0, 700), (300, 760), (700, 720)], [(800, 860), (1000, 640), (1200, 560)])
    )
    shade = np.clip(light(loops + folds + 3 * noise(rng, SHAPE, 40, 40)), 0.4, 1.4)
    picture = np.asarray(CLOTH)[None, None, :] * 1.05 * (shade * (1 + 0.04 * noise(rng, SHAPE, 1.5, 1.5)))[..., None]
    edge = spline([(-20, 150), (300, 188), (600, 200), (900, 188), (1220, 150)], closed=False, steps=40)
    upper = [(px, py - 62) for px, py in edge]
    tape = area(SHAPE, [*edge, *reversed(upper)])
    picture = shadow(picture, tape, 2, 8, 6, 0.6)
    rib = 0.9 + 0.08 * np.sin(x * 2 * np.pi / 6)
    picture = paint(
        picture, tape, np.asarray(CLOTH)[None, None, :] * 0.62 * (rib * light(6 * blur(tape, 10)))[..., None]
    )
    for offset in (-8, -54):
        line = [(px, py + offset) for px, py in edge]
        picture = paint(picture, dashes(SHAPE, line, 3, every=1), CLOTH * 1.7, 0.75)
    return picture


def _woven_label(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black satin with the brand and the size woven in, sewn down at its two ends."""
    outline = [(372.0, 216.0), (838.0, 222.0), (834.0, 424.0), (368.0, 416.0)]
    mask = area(SHAPE, outline)
    picture = shadow(shadow(picture, mask, 8, 12, 12, 0.6), mask, 2, 3, 3, 0.5)
    y = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]][0]
    weave = 1 + 0.22 * np.sin(y * 2 * np.pi / 3.5) + 0.12 * noise(rng, SHAPE, 2, 0.7)
    bulge = np.clip(light(14 * blur(mask, 16) + 2 * noise(rng, SHAPE, 60, 40)), 0.6, 1.5)
    picture = paint(picture, mask, np.array([0.085, 0.09, 0.11]) * (weave * bulge)[..., None])
    words = text_mask(SHAPE, [("WRANGLER", (604.0, 292.0), 76), ("SIZE   M", (602.0, 372.0), 46)], 2)
    picture = paint(picture, words, np.array([0.90, 0.88, 0.80]) * (0.94 + 0.06 * (weave - 1) / 0.3)[..., None])
    for x in (386, 822):
        side = [(float(x), float(v)) for v in range(222, 420, 7)]
        picture = paint(picture, dashes(SHAPE, side, 3, every=1), (0.55, 0.54, 0.5), 0.9)
    return picture


def _care_label(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White tape below it with the material and how to wash it."""
    outline = spline(
        [
            (428, 380),
            (786, 384),
            (780, 480),
            (782, 600),
            (776, 720),
            (780, 836),
            (604, 838),
            (432, 830),
            (434, 720),
            (426, 600),
            (430, 480),
        ]
    )
    mask = area(SHAPE, outline) * (1 - area(SHAPE, [(360, 200), (850, 200), (850, 420), (360, 414)]))
    picture = shadow(shadow(picture, mask, 12, 16, 18, 0.55), mask, 2, 4, 4, 0.45)
    wavy = light(4 * blur(mask, 5) + 12 * noise(rng, SHAPE, 160, 60)) * (1 + 0.015 * noise(rng, SHAPE, 1, 1))
    picture = paint(picture, mask, np.array([0.90, 0.89, 0.86]) * np.clip(wavy, 0.7, 1.08)[..., None])
    lines = [
        ("80% COTTON", (604.0, 486.0), 42),
        ("20% POLYESTER", (604.0, 544.0), 42),
        ("MACHINE WASH 30", (604.0, 618.0), 28),
        ("DO NOT TUMBLE DRY", (604.0, 664.0), 28),
        ("MADE IN PORTUGAL", (604.0, 786.0), 28),
    ]
    picture = paint(picture, text_mask(SHAPE, lines), INK, 0.9)
    tub = spline([(486, 706), (492, 742), (536, 742), (542, 706)], closed=False)
    triangle = [(578.0, 708.0), (630.0, 708.0), (604.0, 746.0), (578.0, 708.0)]
    for line in (tub, triangle, [(676.0, 706.0), (712.0, 744.0)], [(712.0, 706.0), (676.0, 744.0)]):
        picture = paint(picture, stroke(SHAPE, line, 3), INK, 0.9)
    return picture
