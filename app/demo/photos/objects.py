"""Things that stand on a table: turned ones, a lamp, a clock, a camera, a book."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.demo.photos.canvas import Canvas, Point, area, blur, both, box, curve, ellipse, letters, line
from app.demo.photos.surface import ink, rgb, woven
from app.demo.things import Thing

METAL = np.array((0.74, 0.75, 0.77))
CREAM = np.array((0.95, 0.93, 0.88))


def _glaze(canvas: Canvas, thing: Thing) -> np.ndarray:
    """The surface of something turned; what is on it bends round."""
    return woven(canvas, thing.pattern, rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white"))


def _mouth(canvas: Canvas, y: float, r: float, colour: np.ndarray, inside: np.ndarray, tilt: float = 0.16) -> None:
    canvas.paint(area(ellipse(0.5, y, r, r * tilt)), colour * 1.12)
    lit = 0.5 + 0.4 * np.clip((canvas.x - 0.5 + r) / (2 * r), 0, 1)
    canvas.paint(area(ellipse(0.5, y + 0.002, r * 0.93, r * tilt * 0.86)), inside * lit[..., None])


def mug(canvas: Canvas, thing: Thing) -> None:
    """A mug with a handle, plain or with something on it."""
    colour = rgb(canvas, thing.colour)
    handle = line(curve([(0.68, 0.34), (0.83, 0.35), (0.865, 0.49), (0.81, 0.63), (0.66, 0.66)], closed=False), 0.055)
    canvas.part(handle, colour, puff=14, soft=0.018, folds=0, grain=0.005)
    canvas.lathe([(0.22, 0.235), (0.5, 0.235), (0.74, 0.232), (0.80, 0.215)], _glaze(canvas, thing), gloss=0.5)
    if thing.words:
        words = thing.words.split()
        for number, word in enumerate(words):
            canvas.paint(
                letters(word, (0.5, 0.52 + 0.11 * (number - (len(words) - 1) / 2)), 0.062, 2, 0.34), ink(colour), 0.95
            )
    _mouth(canvas, 0.22, 0.235, colour, CREAM)


def teapot(canvas: Canvas, thing: Thing) -> None:
    """A round teapot with spout, handle and lid."""
    colour, glaze = rgb(canvas, thing.colour), _glaze(canvas, thing)
    handle = line(curve([(0.69, 0.38), (0.86, 0.33), (0.93, 0.47), (0.87, 0.62), (0.70, 0.69)], closed=False), 0.045)
    canvas.part(handle, colour, puff=12, soft=0.016, folds=0, grain=0.005)
    spout = curve([
        (0.31, 0.70), (0.2, 0.62), (0.14, 0.48), (0.07, 0.37), (0.07, 0.37), (0.135, 0.345), (0.135, 0.345),
        (0.205, 0.42), (0.25, 0.5), (0.32, 0.54),
    ])  # fmt: skip
    canvas.part(spout, colour, puff=16, soft=0.03, folds=0, grain=0.005)
    canvas.paint(area(ellipse(0.103, 0.358, 0.034, 0.012)), colour * 0.35)
    angles = np.linspace(0.42, 2.72, 24)
    body = [(float(0.565 - 0.245 * np.cos(a)), float(0.265 * np.sin(a) ** 0.8)) for a in angles]
    canvas.lathe(body, glaze, gloss=0.55)
    canvas.lathe([(0.275, 0.055), (0.30, 0.095), (0.335, 0.125)], colour, gloss=0.4)
    canvas.ball(0.5, 0.25, 0.036, 0.034, colour)


def vase(canvas: Canvas, thing: Thing) -> None:
    """A vase with a few branches in it."""
    rng, colour = canvas.rng, rgb(canvas, thing.colour)
    leaf, bloom = np.array((0.42, 0.52, 0.33)), rgb(canvas, str(rng.choice(("beige", "pink", "yellow", "white"))))
    for lean in rng.uniform(-0.24, 0.24, 7):
        tip = (0.5 + lean, float(rng.uniform(0.06, 0.2)))
        stem = curve([(0.5 + lean * 0.15, 0.45), (0.5 + lean * 0.4, 0.28), tip], closed=False)
        canvas.part(line(stem, 0.006), leaf * 0.8, puff=2, soft=0.003, folds=0, shadow=0)
        for k in range(2, len(stem), 3):
            x, y = stem[k]
            side = 0.03 * (-1) ** k
            leaf_shape = curve([(x, y), (x + side * 0.6, y - 0.026), (x + side * 1.5, y - 0.03), (x + side, y + 0.002)])
            canvas.part(leaf_shape, leaf * rng.uniform(0.8, 1.15), puff=3, soft=0.008, folds=0, shadow=0.2)
        canvas.ball(tip[0], tip[1], 0.026, 0.03, bloom * rng.uniform(0.9, 1.05), fur=0.12)
    shapes: list[list[Point]] = [
        [(0.42, 0.075), (0.47, 0.06), (0.56, 0.1), (0.68, 0.165), (0.8, 0.15), (0.88, 0.1)],
        [(0.42, 0.10), (0.5, 0.085), (0.58, 0.15), (0.65, 0.19), (0.75, 0.165), (0.88, 0.11)],
        [(0.42, 0.12), (0.55, 0.135), (0.7, 0.14), (0.88, 0.12)],
    ]
    shape = shapes[int(rng.integers(3))]
    heights, radii = np.array(shape).T
    fine = np.linspace(heights[0], heights[-1], 40)
    weights = np.interp(fine, heights, radii)
    smooth = np.convolve(np.pad(weights, 3, mode="edge"), np.ones(7) / 7, "valid")
    canvas.lathe([(float(h), float(r)) for h, r in zip(fine, smooth, strict=True)], _glaze(canvas, thing), gloss=0.5)
    r = float(smooth[0])
    lip = ellipse(0.5, 0.42, r, r * 0.16, 0, 180)
    canvas.part(line(lip, 0.012), colour, puff=4, soft=0.004, folds=0, shadow=0.3)


def lamp(canvas: Canvas, thing: Thing) -> None:
    """A table lamp: coloured shade, turned foot, switched on."""
    colour = rgb(canvas, thing.colour)
    wood = np.array((0.62, 0.43, 0.27)) if canvas.rng.random() < 0.6 else METAL * 0.8
    canvas.lathe([(0.36, 0.016), (0.78, 0.016)], METAL * 0.75)
    canvas.lathe([(0.52, 0.02), (0.58, 0.05), (0.66, 0.085), (0.74, 0.07), (0.79, 0.03)], wood, gloss=0.35)
    canvas.lathe([(0.79, 0.05), (0.82, 0.14), (0.85, 0.15)], wood, gloss=0.3)
    shade = both([(0.385, 0.10), (0.27, 0.46)])
    mask = area([*ellipse(0.5, 0.10, 0.115, 0.015, 180, 360), *ellipse(0.5, 0.46, 0.23, 0.032, 0, 180)])
    mask = np.maximum(mask, area(shade))
    glow = np.exp(-((canvas.x - 0.5) ** 2 / 0.02 + (canvas.y - 0.32) ** 2 / 0.035))
    lit = 0.62 + 0.25 * np.clip(np.cos((canvas.x - 0.42) * 7), 0, 1)
    cloth = colour * (lit * (1 + 0.02 * np.sin(2 * np.pi * canvas.x / 0.008)))[..., None]
    canvas.paint(mask, cloth + (0.5 * glow)[..., None] * np.array((1, 0.85, 0.55)) * (0.35 + 0.65 * colour))
    for y, r in ((0.10, 0.115), (0.46, 0.23)):
        canvas.paint(line(ellipse(0.5, y, r, r * 0.14, 0, 180), 0.009), colour * 0.75)


def clock(canvas: Canvas, thing: Thing) -> None:
    """A round wall clock with figures and hands."""
    colour = rgb(canvas, thing.colour)
    canvas.ball(0.5, 0.5, 0.40, 0.40, colour)
    canvas.part(ellipse(0.5, 0.5, 0.385, 0.385), colour, puff=16, soft=0.03, folds=0, grain=0.004, shadow=0)
    canvas.paint(area(ellipse(0.5, 0.5, 0.325, 0.325)), colour * 0.5)
    face = area(ellipse(0.5, 0.5, 0.32, 0.32))
    canvas.paint(face, CREAM * (1.02 - 0.12 * (canvas.y + canvas.x - 0.6))[..., None])
    dark = np.array((0.13, 0.13, 0.15))
    for minute in range(60):
        a, inner = np.radians(6 * minute), 0.27 if minute % 5 == 0 else 0.295
        tick = [(0.5 + r * np.sin(a), 0.5 - r * np.cos(a)) for r in (inner, 0.31)]
        canvas.paint(line(tick, 0.009 if minute % 5 == 0 else 0.003), dark)
    for hour in range(1, 13):
        a = np.radians(30 * hour)
        canvas.paint(letters(str(hour), (0.5 + 0.228 * np.sin(a), 0.5 - 0.228 * np.cos(a)), 0.042, 1), dark)
    at = float(canvas.rng.uniform(0, 12))
    for turn, length, wide, tone in ((30 * at, 0.15, 0.018, dark), (360 * (at % 1), 0.235, 0.011, dark),
                                     (137.0, 0.25, 0.004, np.array((0.75, 0.15, 0.12)))):  # fmt: skip
        a = np.radians(turn)
        hand = line(
            [(0.5 - 0.05 * np.sin(a), 0.5 + 0.05 * np.cos(a)), (0.5 + length * np.sin(a), 0.5 - length * np.cos(a))],
            wide,
        )
        canvas.darken(blur(np.roll(hand, (5, 3), (0, 1)), 0.006), 0.3)
        canvas.paint(hand, tone)
    canvas.ball(0.5, 0.5, 0.018, 0.018, dark)
    glass = area(curve([(0.26, 0.42), (0.36, 0.27), (0.52, 0.21), (0.42, 0.32)]))
    canvas.light(blur(glass, 0.02), 0.28)


def book(canvas: Canvas, thing: Thing) -> None:
    """A hardback, its title on the cover."""
    rng, colour = canvas.rng, rgb(canvas, thing.colour)
    pages = [(0.235, 0.115), (0.79, 0.09), (0.815, 0.895), (0.26, 0.925)]
    canvas.part([(x + 0.012, y + 0.02) for x, y in pages], colour * 0.7, puff=2, folds=0)
    canvas.part([(x + 0.006, y + 0.009) for x, y in pages], (0.93, 0.90, 0.82), puff=1, folds=0, shadow=0.2)
    cover = [(0.22, 0.105), (0.785, 0.085), (0.80, 0.88), (0.235, 0.905)]
    mask = canvas.part(cover, colour, puff=2, soft=0.008, folds=0.3, grain=0.03)
    canvas.darken(mask * np.exp(-(((canvas.x - 0.255) / 0.012) ** 2)), 0.35)
    light = ink(colour)
    second = rgb(
        canvas, str(rng.choice([c for c in ("yellow", "orange", "light-blue", "pink", "white") if c != thing.colour]))
    )
    third = 0.5 * second + 0.5 * colour
    motif = int(rng.integers(3))
    if motif == 0:
        canvas.paint(area(ellipse(0.53, 0.56, 0.15, 0.15)), second)
        hills = [(0.2, 0.72), (0.36, 0.60), (0.5, 0.68), (0.64, 0.57), (0.9, 0.72), (0.9, 1), (0.2, 1)]
        canvas.paint(mask * area(curve(hills)), third)
    elif motif == 1:
        for k in range(5):
            wave = np.abs(canvas.y - 0.52 - 0.06 * k - 0.02 * np.sin(2 * np.pi * canvas.x / 0.2 + k)) < 0.013
            canvas.paint(mask * wave, second if k % 2 else third)
    else:
        for r, tone in ((0.2, third), (0.14, second), (0.08, colour)):
            canvas.paint(area(ellipse(0.52, 0.58, r * 0.8, r)), tone)
    words = thing.words.split()
    for number, word in enumerate(words):
        canvas.paint(letters(word, (0.52, 0.20 + 0.085 * number), 0.055, 2, 0.42), light)
    names = ("A. HOLM", "M. REYES", "J. LINDEN", "S. OKORO", "T. VALE")
    canvas.paint(letters(str(rng.choice(names)), (0.52, 0.83), 0.026, 1), light)


def camera(canvas: Canvas, thing: Thing) -> None:
    """A film camera from the front."""
    leather = rgb(canvas, thing.colour) if thing.colour != "silver" else np.array((0.16, 0.15, 0.15))
    metal = METAL if thing.colour != "black" else np.array((0.2, 0.2, 0.21))
    canvas.part(box(0.2, 0.235, 0.285, 0.29, 0.01), metal * 0.9, puff=6, folds=0)
    canvas.part(box(0.70, 0.245, 0.80, 0.29, 0.012), metal * 0.9, puff=6, folds=0)
    canvas.ball(0.66, 0.262, 0.024, 0.022, METAL)
    canvas.part(box(0.1, 0.275, 0.9, 0.75, 0.045), metal, puff=10, soft=0.02, folds=0, grain=0.006)
    hump = [(0.385, 0.285), (0.42, 0.19), (0.42, 0.19), (0.58, 0.19), (0.58, 0.19), (0.615, 0.285), (0.615, 0.285)]
    canvas.part(hump, metal, puff=8, folds=0, grain=0.006)
    skin = 1.6 * (canvas.rng.standard_normal((canvas.y.shape), np.float32))
    canvas.part(box(0.105, 0.375, 0.895, 0.675), leather, puff=3, soft=0.01, folds=0, relief=blur(skin, 0.004) * 2)
    canvas.paint(area(box(0.445, 0.215, 0.555, 0.26, 0.005)), (0.16, 0.18, 0.22))
    canvas.paint(area(box(0.17, 0.305, 0.27, 0.35, 0.008)), (0.14, 0.16, 0.20))
    canvas.light(area([(0.18, 0.31), (0.22, 0.31), (0.2, 0.345), (0.18, 0.345)]), 0.3)
    for r, tone in ((0.205, metal * 0.85), (0.19, np.array((0.13, 0.13, 0.14))), (0.155, metal * 0.7),
                    (0.142, np.array((0.08, 0.08, 0.09)))):  # fmt: skip
        canvas.part(ellipse(0.5, 0.51, r, r), tone, puff=7, soft=0.012, folds=0, grain=0.004, shadow=0.5)
    far = np.hypot(canvas.x - 0.5, canvas.y - 0.51) / 0.115
    deep = np.array((0.07, 0.09, 0.16)) + 0.25 * np.clip(1 - far, 0, 1)[..., None] * np.array((0.35, 0.2, 0.6))
    canvas.paint(area(ellipse(0.5, 0.51, 0.115, 0.115)), deep)
    canvas.paint(line(ellipse(0.5, 0.51, 0.085, 0.085), 0.004), (0.3, 0.3, 0.36), 0.6)
    canvas.light(blur(area(ellipse(0.462, 0.468, 0.03, 0.022)), 0.008), 0.75)
    canvas.light(blur(area(ellipse(0.545, 0.56, 0.014, 0.012)), 0.004), 0.4)
    for k in range(24):
        a = np.radians(15 * k)
        knurl = line([(0.5 + r * np.cos(a), 0.51 + r * np.sin(a)) for r in (0.172, 0.188)], 0.005)
        canvas.paint(knurl, (0.4, 0.4, 0.42), 0.7)
    canvas.ball(0.835, 0.33, 0.017, 0.017, (0.72, 0.2, 0.16))


OBJECTS: dict[str, Callable[[Canvas, Thing], None]] = {
    "mug": mug, "teapot": teapot, "vase": vase, "lamp": lamp, "clock": clock, "book": book, "camera": camera,
}  # fmt: skip
