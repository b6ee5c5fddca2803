"""A grey-blue hoodie with a chest print, laid on a wooden floor."""

from __future__ import annotations

import itertools

import numpy as np
from PIL import Image

from demo.canvas import (
    Point,
    area,
    blur,
    dashes,
    finish,
    light,
    noise,
    paint,
    planks,
    shadow,
    spline,
    stroke,
    text_mask,
)

SHAPE = (1200, 960)
CLOTH = np.array([0.23, 0.34, 0.50], dtype=np.float32)
PRINT = (0.93, 0.92, 0.87)
CORD = (0.90, 0.89, 0.85)

BODY: list[Point] = [
    (352, 345), (300, 372), (268, 430), (276, 560), (272, 720), (268, 880), (272, 1010),
    (380, 1022), (480, 1024), (580, 1022), (688, 1010), (692, 880), (688, 720), (684, 560),
    (692, 430), (660, 372), (608, 345), (480, 372),
]  # fmt: skip
LEFT_SLEEVE: list[Point] = [
    (318, 360), (262, 398), (214, 500), (170, 640), (128, 780), (104, 880), (120, 896), (176, 912),
    (196, 900), (232, 790), (264, 690), (296, 590), (320, 480),
]  # fmt: skip
LEFT_CUFF: list[Point] = [(104, 868), (88, 940), (100, 956), (168, 972), (182, 962), (204, 892), (150, 884)]
HOOD: list[Point] = [
    (352, 352), (334, 270), (346, 176), (400, 112), (480, 92), (560, 112), (614, 176), (626, 270), (608, 352),
    (552, 392), (480, 412), (408, 392),
]  # fmt: skip
OPENING: list[Point] = [
    (398, 330), (388, 262), (404, 200), (440, 166), (480, 156), (520, 166), (556, 200), (572, 262), (562, 330),
    (524, 366), (480, 384), (436, 366),
]  # fmt: skip
POCKET: list[Point] = [(352, 770), (608, 770), (664, 900), (664, 958), (296, 958), (296, 900)]
FOLDS: list[tuple[list[Point], float, float]] = [
    ([(300, 440), (360, 520), (400, 620)], 9, 5),
    ([(660, 440), (604, 530), (566, 640)], 9, 5),
    ([(290, 560), (340, 600), (380, 700)], 8, 4),
    ([(672, 560), (630, 620), (604, 730)], 8, 4),
    ([(420, 690), (470, 720), (560, 705)], 8, 3),
    ([(212, 560), (262, 600), (292, 590)], 9, 5),
    ([(170, 660), (220, 690), (262, 680)], 9, 5),
    ([(150, 760), (196, 770), (232, 800)], 8, 4),
    ([(748, 560), (698, 605), (668, 590)], 9, 5),
    ([(790, 660), (740, 700), (698, 680)], 9, 5),
    ([(810, 765), (764, 775), (728, 800)], 8, 4),
    ([(350, 200), (372, 270), (384, 340)], 8, 4),
    ([(610, 200), (588, 270), (576, 340)], 8, 4),
    ([(360, 1000), (372, 920), (350, 860)], 9, 3),
    ([(600, 1000), (588, 925), (612, 860)], 9, 3),
]  # fmt: skip


def mirrored(points: list[Point]) -> list[Point]:
    return [(SHAPE[1] - x, y) for x, y in points]


def draw(seed: int = 7) -> Image.Image:
    """The photo, 960 x 1200 px."""
    rng = np.random.default_rng(seed)
    picture = planks(rng, SHAPE)
    parts = {
        "body": area(SHAPE, spline(BODY)),
        "left": area(SHAPE, spline(LEFT_SLEEVE)),
        "right": area(SHAPE, spline(mirrored(LEFT_SLEEVE))),
        "cuff_left": area(SHAPE, spline(LEFT_CUFF)),
        "cuff_right": area(SHAPE, spline(mirrored(LEFT_CUFF))),
        "hem": area(SHAPE, [(270, 1006), (690, 1006), (680, 1076), (600, 1086), (360, 1086), (280, 1076)]),
        "hood": area(SHAPE, spline(HOOD)),
    }
    whole = np.maximum.reduce(list(parts.values()))
    picture = shadow(picture, whole, 12, 16, 16, 0.55)
    picture = shadow(picture, whole, 3, 4, 4, 0.45)
    relief = _relief(rng, parts)
    shade = np.clip(light(relief), 0.35, 1.45) * _occlusion(parts)
    picture = paint(picture, whole, CLOTH * (shade * _knit(rng, parts))[..., None])
    picture = _seams(picture)
    picture = _hood(picture, rng, shade)
    picture = _pocket(picture)
    picture = _print(picture, rng, shade)
    return finish(_cords(picture), rng)


def _relief(rng: np.random.Generator, parts: dict[str, np.ndarray]) -> np.ndarray:
    """Height of the cloth: rounded parts, drawn folds, and a little unrest."""
    height = sum(26 * blur(mask, 20) ** 0.8 + 9 * blur(mask, 5) for mask in parts.values())
    for line, width, amount in FOLDS:
        ridge = blur(stroke(SHAPE, spline(line, closed=False), width), width * 0.9)
        height = height + amount * 2.6 * ridge / (ridge.max() + 1e-9)
    return height + 2.2 * noise(rng, SHAPE, 34, 46) + 0.7 * noise(rng, SHAPE, 12, 15)


def _occlusion(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Darker where one part goes under another and towards the outline."""
    dark = np.ones(SHAPE, np.float32)
    for mask in parts.values():
        edge = np.clip(blur(mask, 9) - mask * 0.999, 0, 1)
        dark -= 0.5 * edge
    whole = np.maximum.reduce(list(parts.values()))
    return np.clip(dark, 0.4, 1) * (0.72 + 0.28 * np.clip(2 * blur(whole, 14) - 1, 0, 1))


def _knit(rng: np.random.Generator, parts: dict[str, np.ndarray]) -> np.ndarray:
    """Fine jersey everywhere, ribs on cuffs and hem."""
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32)
    jersey = 1 + 0.035 * noise(rng, SHAPE, 0.7, 1.6) + 0.03 * noise(rng, SHAPE, 2, 2) + 0.015 * np.sin(x * 2.1)
    ribs = 1 + 0.20 * np.sin(x * 2 * np.pi / 8.0 + 0.25 * np.sin(y / 9))
    ribbed = np.clip(parts["cuff_left"] + parts["cuff_right"] + parts["hem"], 0, 1)
    return jersey * (1 - ribbed) + jersey * ribs * ribbed * 0.93


def _seams(picture: np.ndarray) -> np.ndarray:
    left = spline([(352, 352), (316, 400), (298, 470), (300, 560), (288, 610)], closed=False)
    for line in (left, mirrored(left), [(270, 1008), (480, 1014), (690, 1008)], spline(LEFT_CUFF[-2:], closed=False)):
        picture = paint(picture, blur(stroke(SHAPE, line, 2.5), 1), CLOTH * 0.35, 0.8)
        beside = [(x + 3, y + 4) for x, y in line]
        picture = paint(picture, blur(stroke(SHAPE, beside, 1.5), 1), CLOTH * 1.5, 0.4)
    for line in ([(106, 872), (150, 886), (204, 896)], mirrored([(106, 872), (150, 886), (204, 896)])):
        picture = paint(picture, blur(stroke(SHAPE, line, 2.5), 1), CLOTH * 0.35, 0.8)
    return picture


def _hood(picture: np.ndarray, rng: np.random.Generator, shade: np.ndarray) -> np.ndarray:
    """The opening with the darker inside, the rim's stitching and the label at the neck."""
    outline = spline(OPENING)
    inside = area(SHAPE, outline)
    depth = 0.36 + 0.5 * np.clip((np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]][0] - 160) / 240.0, 0, 1)
    lining = CLOTH * (depth * (1 + 0.05 * noise(rng, SHAPE, 1, 1) + 0.06 * noise(rng, SHAPE, 22, 30)))[..., None]
    picture = paint(picture, inside, lining)
    picture = picture * (1 - 0.5 * np.clip(blur(1 - inside, 14) * inside, 0, 1))[..., None]
    picture = paint(picture, blur(stroke(SHAPE, [*outline, outline[0]], 5), 1.4), CLOTH * 1.25, 0.7)
    wider = [(480 + (x - 480) * 1.17, 268 + (y - 268) * 1.13) for x, y in outline]
    picture = paint(picture, dashes(SHAPE, wider, 1.6), CLOTH * 0.45, 0.8)
    tag = area(SHAPE, [(448, 298), (512, 298), (512, 332), (448, 332)])
    picture = shadow(picture, tag, 2, 4, 3, 0.5)
    picture = paint(picture, tag, (0.88, 0.87, 0.83))
    return paint(picture, text_mask(SHAPE, [("M", (480, 315), 24)], 1), (0.12, 0.12, 0.14))


def _pocket(picture: np.ndarray) -> np.ndarray:
    """The kangaroo pocket: raised edge, slanted openings, double stitching."""
    mask = area(SHAPE, POCKET)
    picture = picture * (1 - 0.45 * np.clip(blur(mask, 8) * (1 - mask), 0, 1))[..., None]
    picture = paint(picture, blur(mask, 1.5), picture * 1.09)
    closed = [*POCKET, POCKET[0]]
    picture = paint(picture, blur(stroke(SHAPE, closed, 3), 1), CLOTH * 0.38, 0.75)
    for a, b in ((POCKET[1], POCKET[2]), (POCKET[0], POCKET[5])):
        picture = paint(picture, blur(stroke(SHAPE, [a, b], 7), 2.5), CLOTH * 0.22, 0.85)
    for scale in (0.955, 0.93):
        line = [(480 + (x - 480) * scale, 868 + (y - 868) * scale) for x, y in closed]
        dense = [
            (float(x), float(y)) for a, b in itertools.pairwise(line) for x, y in np.linspace(a, b, 24, endpoint=False)
        ]
        picture = paint(picture, dashes(SHAPE, dense, 1.6, every=1), CLOTH * 1.55, 0.5)
    return picture


def _print(picture: np.ndarray, rng: np.random.Generator, shade: np.ndarray) -> np.ndarray:
    lines = [("HARBOUR", (480.0, 560.0), 74), ("ROWING CLUB", (480.0, 622.0), 34)]
    letters = text_mask(SHAPE, lines, 2)
    worn = np.clip(1.0 + 0.06 * noise(rng, SHAPE, 1.5, 1.5), 0.75, 1)
    ink = np.asarray(PRINT, np.float32) * np.clip(shade, 0.6, 1.08)[..., None]
    picture = paint(picture, letters * worn, ink, 0.96)
    return paint(picture, stroke(SHAPE, [(352, 654), (608, 654)], 4) * worn, ink, 0.9)


def _cords(picture: np.ndarray) -> np.ndarray:
    """Eyelets, two cords hanging down, with knots at their ends."""
    left = spline([(434, 392), (426, 432), (432, 472), (420, 512)], closed=False)
    right = spline([(526, 392), (534, 440), (524, 478), (532, 504)], closed=False)
    for line in (left, right):
        cord = stroke(SHAPE, line, 8)
        end = line[-1]
        knot = area(
            SHAPE, spline([(end[0] - 8, end[1]), (end[0], end[1] - 9), (end[0] + 8, end[1]), (end[0], end[1] + 10)])
        )
        both = np.maximum(cord, knot)
        picture = shadow(picture, both, 4, 5, 3, 0.6)
        rounded = np.clip(light(7 * blur(both, 2.2)), 0.55, 1.2)
        picture = paint(picture, both, np.asarray(CORD, np.float32) * rounded[..., None])
        picture = paint(picture, dashes(SHAPE, line, 7, every=1), (0.70, 0.69, 0.66), 0.35)
        x, y = line[0]
        ring = area(SHAPE, spline([(x - 9, y), (x, y - 9), (x + 9, y), (x, y + 9)]))
        hole = area(SHAPE, spline([(x - 4, y), (x, y - 4), (x + 4, y), (x, y + 4)]))
        picture = paint(paint(picture, ring, (0.66, 0.66, 0.68)), hole, (0.08, 0.08, 0.1))
    return picture
