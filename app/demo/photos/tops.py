"""What is worn above: laid flat, seen from above."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.demo.photos.canvas import Canvas, Point, area, both, box, curve, dashes, ellipse, letters, line, mirror, noise
from app.demo.photos.surface import ink, knit, picture, printed, rgb, woven
from app.demo.things import Thing

NECK: list[Point] = [(0.405, 0.125), (0.33, 0.15), (0.285, 0.175), (0.285, 0.175)]


def _body(hem: float = 0.9, waist: float = 0.275) -> list[Point]:
    left = [*NECK, (0.282, 0.30), (waist, 0.42), (waist + 0.005, 0.65), (waist, hem), (waist, hem), (0.4, hem + 0.012)]
    return curve(both(left))


def _sleeve(lift: float) -> list[Point]:
    """A long left sleeve; ``lift``: how far it is stretched out."""
    x = 0.10 - lift
    return curve([
        (0.33, 0.15), (0.26, 0.19), (0.19, 0.34), (0.14 - lift / 2, 0.58), (x, 0.80), (x, 0.80), (x + 0.085, 0.825),
        (x + 0.085, 0.825), (0.225 - lift / 2, 0.62), (0.27, 0.42), (0.30, 0.30),
    ])  # fmt: skip


def _cuff(lift: float, height: float = 0.05) -> list[Point]:
    x = 0.10 - lift
    return [(x + 0.004, 0.795), (x + 0.084, 0.82), (x + 0.07, 0.82 + height), (x - 0.006, 0.795 + height)]


def _short_sleeve(long: float) -> list[Point]:
    y = 0.33 + long
    left = [(0.34, 0.145), (0.26, 0.18), (0.14, y), (0.14, y), (0.235, y + 0.07), (0.235, y + 0.07), (0.30, 0.31)]
    return curve(left)


def _long_sleeves(canvas: Canvas, cloth: np.ndarray, fold: Point = (0.09, 0.05), **more: Any) -> float:
    lift = float(canvas.rng.uniform(-0.02, 0.05))
    for outline in (_sleeve(lift), mirror(_sleeve(lift))):
        canvas.part(outline, cloth, fold=fold, puff=12, **more)
    return lift


def _round_neck(canvas: Canvas, colour: np.ndarray, deep: float = 0.06, band: float = 0.018) -> None:
    """Inside of the back, label, and the rib around the opening."""
    canvas.part(ellipse(0.5, 0.128, 0.1, deep), colour * 0.5, puff=2, folds=0.5, shadow=0)
    canvas.paint(area(box(0.475, 0.10, 0.525, 0.122)), (0.92, 0.91, 0.88))
    canvas.part(
        line(ellipse(0.5, 0.125, 0.105, deep, 0, 180), band), colour, puff=4, soft=0.006, folds=0, relief=knit(True)
    )
    canvas.part(line(ellipse(0.5, 0.124, 0.103, 0.022, 180, 360), band), colour, puff=4, soft=0.006, folds=0)


def t_shirt(canvas: Canvas, thing: Thing) -> None:
    """T-shirt: plain, striped, with words or a picture."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white")
    cloth = woven(canvas, thing.pattern, first, second)
    for outline in (_short_sleeve(0.04), mirror(_short_sleeve(0.04))):
        canvas.part(outline, cloth, folds=2.5)
    canvas.part(_body(), cloth, folds=3, puff=9)
    canvas.paint(dashes([(0.285, 0.875), (0.5, 0.888), (0.715, 0.875)]), first * 0.7, 0.6)
    for side in ([(0.15, 0.36), (0.232, 0.418)], mirror([(0.15, 0.36), (0.232, 0.418)])):
        canvas.paint(dashes(side), first * 0.7, 0.6)
    _round_neck(canvas, first)
    if thing.words:
        printed(canvas, thing.words, (0.5, 0.42), 0.34, ink(first))
    if thing.graphic:
        bright = [rgb(canvas, c) for c in ("yellow", "orange", "red", "light-blue") if c != thing.colour]
        shown = canvas.rng.permutation(len(bright))[:2]
        picture(canvas, thing.graphic, 0.5, 0.42, 0.1, [bright[i] for i in shown])


def jumper(canvas: Canvas, thing: Thing) -> None:
    """A knitted jumper with ribs: shorter than a shirt, its arms stretched out."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white")
    cloth, stitches = woven(canvas, thing.pattern, first, second), knit()
    lift = float(canvas.rng.uniform(0.04, 0.09))
    for side in (list, mirror):
        canvas.part(side(_sleeve(lift)), cloth, fold=(0.1, 0.05), puff=14, relief=stitches)
        canvas.part(side(_cuff(lift)), first, puff=6, folds=0, relief=knit(True), soft=0.01)
    canvas.part(_body(0.77), cloth, puff=13, relief=stitches, folds=3)
    canvas.part(both([(0.278, 0.76), (0.285, 0.82), (0.4, 0.83)]), first, puff=6, folds=0, relief=knit(True))
    _round_neck(canvas, first, 0.05, 0.03)


def _buttons(canvas: Canvas, places: list[Point], colour: np.ndarray, r: float = 0.009) -> None:
    for x, y in places:
        canvas.ball(x, y, r, r, colour)
        for dx in (-r / 3, r / 3):
            canvas.paint(area(ellipse(x + dx, y, r / 6, r / 6)), colour * 0.3)


def shirt(canvas: Canvas, thing: Thing) -> None:
    """A buttoned shirt with a collar and a chest pocket."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white")
    cloth = woven(canvas, thing.pattern, first, second, upright=True)
    lift = _long_sleeves(canvas, cloth)
    for side in (list, mirror):
        canvas.part(side(_cuff(lift, 0.045)), cloth, puff=5, folds=0.5, soft=0.008)
        _buttons(canvas, side([(0.15 - lift, 0.835)]), ink(first) * 0.9 + 0.05, 0.006)
    canvas.part(_body(0.89, 0.27), cloth, folds=2.6)
    canvas.part(ellipse(0.5, 0.13, 0.085, 0.05), first * 0.55, puff=2, folds=0, shadow=0)
    canvas.part([(0.482, 0.17), (0.518, 0.17), (0.518, 0.9), (0.482, 0.9)], cloth, puff=3, soft=0.004, folds=0.8)
    canvas.seam([(0.482, 0.18), (0.482, 0.9)], first)
    pocket = [(0.565, 0.345), (0.665, 0.345), (0.665, 0.44), (0.615, 0.468), (0.565, 0.44)]
    canvas.part(pocket, cloth, puff=2, soft=0.004, folds=0.5, shadow=0.3)
    canvas.seam([*pocket, pocket[0]], first)
    _buttons(canvas, [(0.5, y) for y in np.linspace(0.24, 0.85, 6)], ink(first) * 0.85 + 0.1)
    collar = [(0.405, 0.115), (0.42, 0.085), (0.5, 0.175), (0.445, 0.25), (0.37, 0.165)]
    for side in (list, mirror):
        canvas.part(side(collar), cloth, puff=4, soft=0.006, folds=0.4, shadow=0.6)
        canvas.seam(side(collar[2:]), first)


def hoodie(canvas: Canvas, thing: Thing) -> None:
    """A hoodie: hood, cords, kangaroo pocket, ribs."""
    first = rgb(canvas, thing.colour)
    hood = both([(0.5, 0.03), (0.41, 0.045), (0.355, 0.11), (0.36, 0.2), (0.43, 0.26)])
    canvas.part(curve(hood), first, puff=16, soft=0.03)
    lift = _long_sleeves(canvas, first, (0.1, 0.04), folds=4)
    for side in (list, mirror):
        canvas.part(side(_cuff(lift)), first * 0.95, puff=6, folds=0, relief=knit(True), soft=0.01)
    canvas.part(_body(0.85), first, puff=14, folds=4.5)
    hem = both([(0.278, 0.84), (0.29, 0.905), (0.4, 0.912)])
    canvas.part(hem, first * 0.95, puff=6, folds=0, relief=knit(True))
    canvas.part(curve(both([(0.5, 0.055), (0.42, 0.075), (0.385, 0.14), (0.42, 0.22), (0.5, 0.275)])), first, puff=9)
    canvas.part(curve(both([(0.5, 0.085), (0.44, 0.1), (0.415, 0.15), (0.44, 0.205), (0.5, 0.24)])), first * 0.42,
                puff=3, folds=1, shadow=0.3)  # fmt: skip
    canvas.paint(area(box(0.475, 0.195, 0.525, 0.22)), (0.9, 0.9, 0.87))
    pocket = both([(0.37, 0.62), (0.37, 0.62), (0.315, 0.74), (0.315, 0.82), (0.315, 0.82)])
    canvas.part(pocket, first, puff=5, soft=0.01, folds=2, shadow=0.5)
    canvas.seam([*pocket, pocket[0]], first)
    for side in (list, mirror):
        cord = side(curve([(0.452, 0.245), (0.448, 0.3), (0.458, 0.35), (0.45, 0.40)], closed=False))
        canvas.part(line(cord, 0.011), (0.93, 0.92, 0.88), puff=4, soft=0.004, folds=0, shadow=0.6)
    if thing.words:
        printed(canvas, thing.words, (0.5, 0.5), 0.36, ink(first))


def jacket(canvas: Canvas, thing: Thing) -> None:
    """A puffer jacket: quilted in bands, with a zip and a high collar."""
    colour = rgb(canvas, thing.colour)
    band = 0.085

    def quilt(turn: float) -> np.ndarray:
        along = canvas.y + turn * canvas.x + 0.006 * noise(canvas.rng, 0.1, 0.1)
        return np.asarray(13 * np.abs(np.sin(np.pi * along / band)) ** 0.55, np.float32)

    lift = float(canvas.rng.uniform(-0.02, 0.03))
    for side, turn in ((list, 0.25), (mirror, -0.25)):
        canvas.part(side(_sleeve(lift)), colour, relief=quilt(turn), puff=12, folds=1.5, fold=(0.03, 0.03))
        canvas.part(side(_cuff(lift, 0.03)), colour * 0.6, puff=4, folds=0, relief=knit(True))
    canvas.part(_body(0.86, 0.26), colour, relief=quilt(0), puff=14, folds=1.5, fold=(0.03, 0.03))
    canvas.part(both([(0.395, 0.075), (0.385, 0.17), (0.45, 0.185)]), colour, relief=quilt(0) * 0.6, puff=10)
    canvas.part(ellipse(0.5, 0.082, 0.1, 0.022), colour * 0.35, puff=1, folds=0, shadow=0)
    canvas.part(box(0.488, 0.09, 0.512, 0.87), colour * 0.75, puff=3, soft=0.004, folds=0, shadow=0.6)
    canvas.paint(line([(0.5, 0.095), (0.5, 0.865)], 0.006), (0.72, 0.72, 0.74))
    canvas.paint(dashes([(0.5, 0.095), (0.5, 0.865)], 0.008, 0.008), (0.3, 0.3, 0.32))
    canvas.part(box(0.493, 0.15, 0.507, 0.2, 0.004), (0.8, 0.8, 0.82), puff=3, folds=0)
    for side in (list, mirror):
        canvas.seam(side([(0.33, 0.62), (0.36, 0.74)]), colour * 0.4, stitched=False)
    canvas.paint(area(box(0.57, 0.27, 0.63, 0.295, 0.004)), ink(colour), 0.85)


def blazer(canvas: Canvas, thing: Thing) -> None:
    """A blazer: lapels over a lining, two buttons, flap pockets."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "grey")
    cloth = woven(canvas, thing.pattern, first, 0.6 * first + 0.4 * second)
    lift = _long_sleeves(canvas, cloth)
    for side in (list, mirror):
        x = 0.115 - lift
        _buttons(canvas, side([(x, 0.79), (x + 0.012, 0.765)]), first * 0.35, 0.006)
    canvas.part(_body(0.9, 0.285), cloth, folds=2, puff=10)
    opening = both([(0.405, 0.115), (0.43, 0.3), (0.5, 0.52)])
    canvas.part(opening, np.array((0.55, 0.42, 0.40)) * 0.55, puff=2, folds=1.5, shadow=0.2)
    canvas.paint(area(box(0.47, 0.15, 0.53, 0.175)), (0.15, 0.15, 0.16))
    canvas.part(ellipse(0.5, 0.12, 0.1, 0.03, 180, 360), cloth, puff=4, folds=0)
    lapel = [(0.40, 0.11), (0.365, 0.15), (0.335, 0.30), (0.385, 0.31), (0.365, 0.345), (0.505, 0.56), (0.455, 0.33),
             (0.425, 0.14)]  # fmt: skip
    for side in (mirror, list):
        canvas.part(side(lapel), cloth, puff=4, soft=0.008, folds=0.5, shadow=0.65)
        canvas.seam(side(lapel[2:4]), first)
    canvas.seam([(0.5, 0.56), (0.485, 0.75), (0.44, 0.9)], first, stitched=False)
    _buttons(canvas, [(0.5, 0.585), (0.495, 0.68)], first * 0.35, 0.013)
    for side in (list, mirror):
        flap = side([(0.315, 0.68), (0.42, 0.675), (0.42, 0.725), (0.315, 0.73)])
        canvas.part(flap, cloth, puff=3, soft=0.004, folds=0.3, shadow=0.5)
    canvas.part([(0.575, 0.37), (0.665, 0.355), (0.667, 0.378), (0.577, 0.393)], cloth, puff=2, soft=0.003, folds=0)


def dress(canvas: Canvas, thing: Thing) -> None:
    """A sleeveless dress with a wide skirt."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white")
    cloth = woven(canvas, thing.pattern, first, second)
    canvas.part(curve(both([(0.41, 0.09), (0.4, 0.14), (0.46, 0.2)])), first * 0.5, puff=2, folds=1)
    skirt = both([(0.385, 0.42), (0.33, 0.58), (0.23, 0.86), (0.2, 0.925), (0.2, 0.925), (0.35, 0.965), (0.5, 0.955)])
    turn = (canvas.x - 0.5) / (0.1 + 0.55 * np.clip(canvas.y - 0.38, 0, 1))
    pleats = 9 * np.sin(9 * turn + 0.8 * noise(canvas.rng, 0.2, 0.5)) * np.clip((canvas.y - 0.42) * 4, 0, 1)
    canvas.part(curve(skirt), cloth, relief=pleats.astype(np.float32), folds=2, puff=6)
    bodice = both([
        (0.5, 0.235), (0.45, 0.215), (0.425, 0.16), (0.415, 0.075), (0.415, 0.075), (0.365, 0.075), (0.365, 0.075),
        (0.37, 0.17), (0.335, 0.255), (0.345, 0.33), (0.385, 0.43), (0.385, 0.43),
    ])  # fmt: skip
    canvas.part(curve(bodice), cloth, folds=2.2, puff=9)
    canvas.part(both([(0.384, 0.415), (0.382, 0.45)]), first * 0.9, puff=5, soft=0.006, folds=0.6, shadow=0.5)
    neck = curve([(0.417, 0.08), (0.427, 0.16), (0.452, 0.213), (0.5, 0.233)], closed=False)
    for side in (list, mirror):
        canvas.seam(side(neck), first)


def label(canvas: Canvas, thing: Thing) -> None:
    """A woven label with the size, close."""
    colour = rgb(canvas, thing.colour)
    canvas.part(box(-0.1, -0.1, 1.1, 1.1), colour, puff=0, folds=9, fold=(0.3, 0.12), relief=2 * knit(False, 0.02))
    tape = curve([(-0.05, 0.2), (0.3, 0.26), (0.7, 0.26), (1.05, 0.2)], closed=False)
    canvas.part([*tape, *[(x, y - 0.09) for x, y in reversed(tape)]], colour * 0.7, puff=6, folds=0, relief=knit(True))
    for edge in (-0.01, -0.08):
        canvas.paint(dashes([(x, y + edge) for x, y in tape], 0.005, 0.022), np.clip(colour * 1.4 + 0.08, 0, 1), 0.8)
    canvas.part(box(0.3, 0.24, 0.7, 0.47), (0.10, 0.10, 0.12), puff=5, soft=0.008, folds=2, shadow=0.7)
    canvas.paint(letters(thing.size, (0.5, 0.355), 0.085, 1), (0.92, 0.90, 0.84))
    canvas.part(box(0.36, 0.45, 0.64, 0.92), (0.93, 0.92, 0.89), puff=6, soft=0.02, folds=3, shadow=0.6)
    material = thing.kind.facts.get("material", "cotton").upper()
    rows = [(f"100% {material}" if material != "SYNTHETIC" else "100% POLYESTER", 0.03), ("MACHINE WASH 30", 0.019)]
    for number, (text, height) in enumerate(rows):
        canvas.paint(letters(text, (0.5, 0.56 + 0.07 * number), height, 0, 0.24), (0.2, 0.2, 0.24))
    canvas.paint(line([(0.44, 0.70), (0.45, 0.74), (0.49, 0.74), (0.5, 0.70)], 0.004), (0.2, 0.2, 0.24))
    canvas.paint(line([(0.53, 0.74), (0.55, 0.70), (0.57, 0.74), (0.53, 0.74)], 0.004), (0.2, 0.2, 0.24))


TOPS: dict[str, Callable[[Canvas, Thing], None]] = {
    "t-shirt": t_shirt, "jumper": jumper, "shirt": shirt, "hoodie": hoodie, "jacket": jacket, "blazer": blazer,
    "dress": dress,
}  # fmt: skip
