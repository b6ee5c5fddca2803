"""Things of a home and for leisure: chair, cushion, backpack, soft toy, guitar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.demo.photos.canvas import Canvas, Point, area, blur, both, box, curve, dashes, ellipse, line, mirror, noise
from app.demo.photos.surface import rgb, woven
from app.demo.things import Thing


def _wood(canvas: Canvas, colour: np.ndarray) -> np.ndarray:
    """Colours of painted or plain wood, its grain upright."""
    grain = 1 + 0.06 * noise(canvas.rng, 0.006, 0.5) + 0.04 * noise(canvas.rng, 0.02, 0.8)
    made: np.ndarray = colour * grain[..., None]
    return made


def chair(canvas: Canvas, thing: Thing) -> None:
    """A wooden chair, seen a little from the side."""
    wood = _wood(canvas, rgb(canvas, thing.colour))
    look: dict[str, Any] = {"puff": 5, "soft": 0.012, "folds": 0, "grain": 0.01}
    canvas.part([(0.335, 0.56), (0.365, 0.56), (0.35, 0.83), (0.328, 0.83)], wood * 0.6, **look)
    canvas.part([(0.70, 0.56), (0.73, 0.56), (0.755, 0.83), (0.732, 0.83)], wood * 0.6, **look)
    canvas.part([(0.34, 0.71), (0.74, 0.71), (0.74, 0.728), (0.34, 0.728)], wood * 0.55, **look)
    canvas.part([(0.315, 0.06), (0.355, 0.055), (0.372, 0.57), (0.335, 0.57)], wood * 0.9, **look)
    canvas.part([(0.70, 0.055), (0.74, 0.06), (0.735, 0.57), (0.698, 0.57)], wood * 0.9, **look)
    for x in (0.43, 0.51, 0.59):
        canvas.part([(x, 0.16), (x + 0.032, 0.16), (x + 0.037, 0.5), (x + 0.005, 0.5)], wood * 0.92, **look)
    for y, high in ((0.075, 0.1), (0.475, 0.05)):
        rail = curve([(0.325, y), (0.325, y), (0.53, y - 0.018), (0.735, y), (0.735, y), (0.735, y + high),
                      (0.735, y + high), (0.53, y + high - 0.012), (0.33, y + high), (0.33, y + high)])  # fmt: skip
        canvas.part(rail, wood, **look)
    canvas.part([(0.265, 0.655), (0.295, 0.655), (0.285, 0.955), (0.262, 0.955)], wood * 0.9, **look)
    canvas.part([(0.735, 0.655), (0.77, 0.655), (0.79, 0.955), (0.767, 0.955)], wood * 0.9, **look)
    canvas.part([(0.275, 0.81), (0.78, 0.81), (0.78, 0.832), (0.275, 0.832)], wood * 0.8, **look)
    canvas.part([(0.245, 0.64), (0.79, 0.64), (0.785, 0.70), (0.25, 0.70)], wood * 0.75, **look)
    seat = curve([(0.335, 0.545), (0.335, 0.545), (0.725, 0.545), (0.725, 0.545), (0.805, 0.64), (0.80, 0.665),
                  (0.80, 0.665), (0.235, 0.665), (0.235, 0.665), (0.235, 0.64)])  # fmt: skip
    canvas.part(seat, wood * 1.08, puff=6, soft=0.02, folds=0, grain=0.01)


def cushion(canvas: Canvas, thing: Thing) -> None:
    """A square cushion with piping."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white")
    cloth = woven(canvas, thing.pattern, first, second, upright=bool(canvas.rng.integers(2)))
    quarter: list[Point] = [(0.5, 0.155), (0.3, 0.145), (0.12, 0.12), (0.12, 0.12), (0.145, 0.3)]
    left = [*quarter, (0.155, 0.5), *[(x, 1 - y) for x, y in reversed(quarter)]]
    outline = curve(both(left))
    canvas.part(line([*outline, outline[0]], 0.022), np.clip(first * 0.75, 0, 1), puff=8, soft=0.006, folds=0)
    far = np.maximum(np.abs(canvas.x - 0.5), np.abs(canvas.y - 0.5)) / 0.36
    bulge = 46 * np.sqrt(np.clip(1 - far**2, 0, 1))
    gathers = 7 * noise(canvas.rng, 0.06, 0.06) * np.clip(far - 0.55, 0, 1)
    canvas.part(outline, cloth, relief=(bulge + gathers).astype(np.float32), puff=6, folds=2.5, grain=0.035)


def backpack(canvas: Canvas, thing: Thing) -> None:
    """A backpack with two pockets, zips and a handle."""
    colour = rgb(canvas, thing.colour)
    trim = colour * 0.45 if colour.mean() > 0.25 else colour * 1.8 + 0.08
    leather = np.array((0.52, 0.34, 0.2))
    for side in (list, mirror):
        strap = side(curve([(0.37, 0.16), (0.24, 0.28), (0.165, 0.55), (0.2, 0.83)], closed=False))
        canvas.part(line(strap, 0.055), colour * 0.75, puff=8, folds=1)
        canvas.part(side(curve([(0.25, 0.60), (0.185, 0.64), (0.185, 0.84), (0.26, 0.88)])), colour * 0.9, puff=12)
    canvas.part(
        line(curve([(0.44, 0.115), (0.445, 0.045), (0.555, 0.045), (0.56, 0.115)], closed=False), 0.026), trim, puff=6
    )
    body = curve(both([(0.5, 0.09), (0.38, 0.095), (0.275, 0.155), (0.235, 0.3), (0.225, 0.6), (0.23, 0.85),
                       (0.27, 0.93), (0.5, 0.945)]))  # fmt: skip
    canvas.part(body, colour, puff=26, soft=0.06, folds=4, grain=0.035)
    zip_ = curve(
        [(0.285, 0.52), (0.285, 0.28), (0.36, 0.185), (0.5, 0.165), (0.64, 0.185), (0.715, 0.28), (0.715, 0.52)],
        closed=False,
    )
    canvas.part(line(zip_, 0.018), trim, puff=3, soft=0.004, folds=0)
    canvas.paint(dashes(zip_, 0.006, 0.008), (0.72, 0.72, 0.74))
    canvas.part(box(0.265, 0.335, 0.285, 0.40, 0.006), leather, puff=3, folds=0)
    pocket = curve(both([(0.5, 0.555), (0.33, 0.555), (0.295, 0.60), (0.285, 0.74), (0.305, 0.87), (0.5, 0.885)]))
    canvas.part(pocket, colour, puff=20, soft=0.04, folds=3.5, grain=0.035, shadow=0.6)
    zip_ = [(0.325, 0.625), (0.675, 0.625)]
    canvas.part(line(zip_, 0.018), trim, puff=3, soft=0.004, folds=0)
    canvas.paint(dashes(zip_, 0.006, 0.008), (0.72, 0.72, 0.74))
    canvas.part(box(0.65, 0.625, 0.668, 0.685, 0.005), leather, puff=3, folds=0)
    canvas.part(box(0.44, 0.33, 0.56, 0.42, 0.01), leather, puff=4, soft=0.008, folds=0, shadow=0.5)
    hills = curve([(0.47, 0.395), (0.49, 0.36), (0.505, 0.38), (0.52, 0.35), (0.54, 0.395)], closed=False)
    canvas.paint(line(hills, 0.006), (0.85, 0.72, 0.5))
    stitches = [(0.447, 0.337), (0.553, 0.337), (0.553, 0.413), (0.447, 0.413), (0.447, 0.337)]
    canvas.paint(dashes(stitches, 0.003, 0.009), (0.85, 0.72, 0.5))


def teddy(canvas: Canvas, thing: Thing) -> None:
    """A teddy bear, sitting."""
    fur = rgb(canvas, thing.colour)
    pale = fur + 0.45 * (np.array((0.97, 0.93, 0.86)) - fur)
    for side in (-1, 1):
        canvas.ball(0.5 + side * 0.165, 0.13, 0.078, 0.078, fur, fur=0.07)
        canvas.ball(0.5 + side * 0.165, 0.135, 0.044, 0.044, pale * 0.93, fur=0.07)
    canvas.ball(0.5, 0.645, 0.215, 0.25, fur, fur=0.045)
    canvas.ball(0.5, 0.665, 0.14, 0.165, pale, fur=0.05)
    for side in (-1, 1):
        canvas.ball(0.5 + side * 0.245, 0.575, 0.078, 0.145, fur, fur=0.06)
        canvas.ball(0.5 + side * 0.2, 0.845, 0.105, 0.115, fur, fur=0.05)
        canvas.ball(0.5 + side * 0.2, 0.86, 0.067, 0.072, pale, fur=0.05)
    canvas.ball(0.5, 0.27, 0.205, 0.185, fur, fur=0.045)
    canvas.ball(0.5, 0.335, 0.095, 0.078, pale, fur=0.05)
    dark = np.array((0.12, 0.09, 0.08))
    for side in (-1, 1):
        canvas.ball(0.5 + side * 0.085, 0.235, 0.021, 0.022, dark)
        canvas.paint(area(ellipse(0.494 + side * 0.085, 0.228, 0.006, 0.006)), (0.95, 0.95, 0.95))
    canvas.ball(0.5, 0.298, 0.032, 0.022, dark)
    canvas.paint(line(curve([(0.5, 0.32), (0.5, 0.352), (0.465, 0.37)], closed=False), 0.006), dark, 0.85)
    canvas.paint(line(curve([(0.5, 0.352), (0.535, 0.37)], closed=False), 0.006), dark, 0.85)
    ribbon = rgb(canvas, "red" if thing.colour != "pink" else "light-blue")
    for half in (list, mirror):
        bow = half(curve([(0.5, 0.455), (0.43, 0.415), (0.395, 0.43), (0.395, 0.485), (0.43, 0.495)]))
        canvas.part(bow, ribbon, puff=8, soft=0.015, folds=1.5)
    canvas.ball(0.5, 0.456, 0.025, 0.025, ribbon * 0.9)


def guitar(canvas: Canvas, thing: Thing) -> None:
    """An acoustic guitar, upright."""
    colour = rgb(canvas, thing.colour)
    dark, bone = np.array((0.2, 0.13, 0.09)), np.array((0.92, 0.88, 0.78))
    left: list[Point] = [
        (0.5, 0.425), (0.425, 0.425), (0.37, 0.465), (0.365, 0.53), (0.395, 0.59), (0.375, 0.645), (0.315, 0.71),
        (0.295, 0.80), (0.335, 0.89), (0.41, 0.94), (0.5, 0.95),
    ]  # fmt: skip
    outline = curve(both(left))
    canvas.part(outline, dark * 0.9 + 0.35 * colour, puff=6, folds=0)
    inner = [(0.5 + (x - 0.5) * 0.955, 0.69 + (y - 0.69) * 0.968) for x, y in outline]
    far = np.hypot((canvas.x - 0.5) / 0.26, (canvas.y - 0.72) / 0.33)
    burst = colour * (1.12 - 0.5 * np.clip(far, 0, 1.3) ** 3)[..., None]
    grain = 1 + 0.05 * noise(canvas.rng, 0.006, 0.8) + 0.03 * noise(canvas.rng, 0.015, 0.9)
    top = canvas.part(inner, burst * grain[..., None], puff=5, soft=0.012, folds=0, grain=0.008, shadow=0)
    for r, tone in ((0.082, bone), (0.077, dark), (0.069, bone * 0.8), (0.063, np.array((0.05, 0.04, 0.03)))):
        canvas.paint(area(ellipse(0.5, 0.615, r, r)), tone)
    guard = curve([(0.53, 0.66), (0.565, 0.64), (0.605, 0.685), (0.595, 0.745), (0.55, 0.74), (0.525, 0.70)])
    canvas.part(guard, dark * 0.8, puff=1, soft=0.004, folds=0, shadow=0.2)
    canvas.part(box(0.475, 0.13, 0.525, 0.585), dark, puff=3, soft=0.01, folds=0, grain=0.01, shadow=0.6)
    for y in 0.585 - 0.45 * (1 - 2.0 ** (-np.arange(1, 15) / 12)) / (1 - 2.0 ** (-15 / 12)):
        canvas.paint(line([(0.476, 0.715 - y), (0.524, 0.715 - y)], 0.003), (0.75, 0.73, 0.68))
    for y in (0.245, 0.305, 0.36, 0.41):
        canvas.paint(area(ellipse(0.5, y, 0.006, 0.006)), bone)
    head = [
        (0.475, 0.135),
        (0.462, 0.115),
        (0.455, 0.025),
        (0.5, 0.015),
        (0.545, 0.025),
        (0.538, 0.115),
        (0.525, 0.135),
    ]
    canvas.part(head, dark * 1.15, puff=4, soft=0.008, folds=0)
    for y in (0.045, 0.075, 0.105):
        for x in (0.442, 0.558):
            canvas.ball(x, y, 0.013, 0.009, (0.8, 0.8, 0.82))
    canvas.paint(area(box(0.474, 0.13, 0.526, 0.139)), bone)
    canvas.part(box(0.425, 0.795, 0.575, 0.825, 0.01), dark, puff=4, soft=0.006, folds=0)
    canvas.paint(area(box(0.445, 0.80, 0.555, 0.806)), bone)
    for k, x in enumerate(np.linspace(-0.019, 0.019, 6)):
        string = line([(0.5 + x, 0.134), (0.5 + x * 1.75, 0.803)], 0.002)
        canvas.paint(string, (0.86, 0.84, 0.78) if k > 2 else (0.78, 0.68, 0.5), 0.85)
        canvas.ball(0.5 + x * 2.2, 0.816, 0.005, 0.005, bone)
    canvas.light(blur(top * area(curve([(0.33, 0.76), (0.36, 0.71), (0.40, 0.74), (0.36, 0.84)])), 0.02), 0.3)


FURNISHINGS: dict[str, Callable[[Canvas, Thing], None]] = {
    "chair": chair, "cushion": cushion, "backpack": backpack, "teddy": teddy, "guitar": guitar,
}  # fmt: skip
