"""What is worn below, on the feet and on the head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.demo.photos.canvas import Canvas, Point, area, blur, both, box, curve, dashes, ellipse, line, mirror, noise
from app.demo.photos.surface import rgb, woven
from app.demo.things import Thing

THREAD = np.array((0.80, 0.58, 0.30))


def jeans(canvas: Canvas, thing: Thing) -> None:
    """Jeans: two legs, pockets, orange thread, paler where they were worn."""
    colour = rgb(canvas, thing.colour)
    leg = curve([
        (0.335, 0.10), (0.335, 0.10), (0.305, 0.26), (0.285, 0.55), (0.28, 0.95), (0.28, 0.95), (0.435, 0.955),
        (0.435, 0.955), (0.465, 0.6), (0.5, 0.36), (0.5, 0.36), (0.5, 0.10), (0.5, 0.10),
    ])  # fmt: skip
    twill = 0.5 * np.sin(2 * np.pi * (canvas.x + canvas.y) / 0.007)
    for side, middle in ((list, 0.385), (mirror, 0.615)):
        far = ((canvas.x - middle) / 0.055) ** 2 + ((canvas.y - 0.42) / 0.26) ** 2
        worn = colour + (0.22 * np.exp(-far))[..., None] * (1 - colour)
        mask = canvas.part(
            side(leg), worn, relief=twill.astype(np.float32), fold=(0.05, 0.1), folds=3.5, puff=9, grain=0.05
        )
        canvas.paint(mask * (canvas.y > 0.925), colour * 0.85, 0.5)
        edge = side([(0.30, 0.14), (0.285, 0.55), (0.292, 0.92)])
        canvas.paint(dashes([(x + (0.014 if side is list else -0.014), y) for x, y in edge]), THREAD, 0.5)
        canvas.paint(dashes(side([(0.285, 0.925), (0.43, 0.93)])), THREAD, 0.9)
        pocket = side(curve([(0.395, 0.145), (0.39, 0.19), (0.36, 0.215), (0.318, 0.222)], closed=False))
        canvas.paint(blur(line(pocket, 0.006), 0.002), colour * 0.35, 0.8)
        canvas.paint(dashes([(x, y + 0.012) for x, y in pocket]), THREAD, 0.9)
    fly = curve([(0.535, 0.15), (0.535, 0.27), (0.515, 0.32), (0.5, 0.335)], closed=False)
    canvas.paint(dashes(fly), THREAD, 0.9)
    canvas.seam([(0.5, 0.15), (0.5, 0.36)], colour, stitched=False)
    band = both([(0.333, 0.085), (0.333, 0.145), (0.4, 0.152)])
    canvas.part(band, colour, puff=4, soft=0.01, folds=1, relief=twill.astype(np.float32))
    for y in (0.098, 0.138):
        canvas.paint(dashes([(0.34, y), (0.5, y + 0.006), (0.66, y)]), THREAD, 0.9)
    for x in (0.375, 0.625):
        canvas.part(box(x - 0.009, 0.078, x + 0.009, 0.16), colour, puff=3, soft=0.004, folds=0)
    canvas.ball(0.5, 0.118, 0.014, 0.014, (0.72, 0.55, 0.35))
    canvas.ball(0.5, 0.118, 0.006, 0.006, (0.5, 0.38, 0.25))


def shorts(canvas: Canvas, thing: Thing) -> None:
    """Shorts with a gathered waist and a cord."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white")
    cloth = woven(canvas, thing.pattern, first, second, upright=True)
    leg = curve([
        (0.27, 0.22), (0.27, 0.22), (0.20, 0.48), (0.155, 0.80), (0.155, 0.80), (0.46, 0.83), (0.46, 0.83),
        (0.5, 0.55), (0.5, 0.55), (0.5, 0.22), (0.5, 0.22),
    ])  # fmt: skip
    for side in (list, mirror):
        canvas.part(side(leg), cloth, folds=4, puff=10, fold=(0.06, 0.2))
        canvas.paint(dashes(side([(0.16, 0.775), (0.455, 0.803)])), first * 0.65, 0.8)
        pocket = side(curve([(0.30, 0.25), (0.285, 0.32), (0.25, 0.385)], closed=False))
        canvas.paint(blur(line(pocket, 0.007), 0.003), first * 0.4, 0.75)
        canvas.paint(dashes(side([(0.345, 0.25), (0.325, 0.33), (0.262, 0.405)])), first * 0.65, 0.7)
    canvas.seam([(0.5, 0.26), (0.5, 0.55)], first, stitched=False)
    gathers = (2.5 * noise(canvas.rng, 0.02, 0.4)).astype(np.float32)
    canvas.part(both([(0.265, 0.165), (0.265, 0.245), (0.4, 0.255)]), cloth, puff=8, folds=0, relief=gathers)
    for y in (0.19, 0.22):
        canvas.seam([(0.27, y), (0.73, y)], first, stitched=False)
    for side, end in ((list, 0.41), (mirror, 0.38)):
        cord = side(curve([(0.492, 0.215), (0.475, 0.28), (0.485, 0.34), (0.47, end)], closed=False))
        canvas.part(line(cord, 0.011), (0.93, 0.92, 0.88), puff=4, soft=0.004, folds=0, shadow=0.6)
    for side in (list, mirror):
        loop = side(curve([(0.5, 0.215), (0.455, 0.195), (0.43, 0.235), (0.5, 0.22)], closed=False))
        canvas.part(line(loop, 0.011), (0.93, 0.92, 0.88), puff=4, soft=0.004, folds=0, shadow=0.6)
    canvas.ball(0.5, 0.216, 0.016, 0.014, (0.93, 0.92, 0.88))


def skirt(canvas: Canvas, thing: Thing) -> None:
    """A pleated skirt: sharp pleats that widen to the hem."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white")
    cloth = woven(canvas, thing.pattern, first, second)
    outline = curve([
        (0.325, 0.16), (0.325, 0.16), (0.25, 0.42), (0.145, 0.82), (0.145, 0.82), (0.32, 0.865), (0.5, 0.875),
        (0.68, 0.865), (0.855, 0.82), (0.855, 0.82), (0.75, 0.42), (0.675, 0.16), (0.675, 0.16),
    ])  # fmt: skip
    turn = (canvas.x - 0.5) / (0.175 + 0.29 * np.clip((canvas.y - 0.16) / 0.68, 0, 1.1))
    pleat = (turn * 6.5 + 0.05 * noise(canvas.rng, 0.3, 0.3)) % 1
    canvas.part(
        outline, cloth * (0.72 + 0.33 * pleat)[..., None], relief=(11 * pleat).astype(np.float32), folds=1.5, puff=6
    )
    hem = [(0.155, 0.80), (0.32, 0.846), (0.5, 0.856), (0.68, 0.846), (0.845, 0.80)]
    canvas.paint(dashes(curve(hem, closed=False)), first * 0.6, 0.5)
    canvas.part(both([(0.325, 0.11), (0.325, 0.175), (0.4, 0.182)]), cloth, puff=6, soft=0.008, folds=0.8, shadow=0.6)
    canvas.ball(0.64, 0.143, 0.013, 0.013, first * 0.5 + 0.1)


def _shoe(canvas: Canvas, colour: np.ndarray, stripe: np.ndarray, dx: float, dy: float, size: float) -> None:
    """A trainer from the side, its toe to the right."""

    def at(points: list[Point]) -> list[Point]:
        return [(dx + size * (x - 0.5), dy + size * (y - 0.5)) for x, y in points]

    sole = curve([
        (0.05, 0.66), (0.06, 0.76), (0.10, 0.79), (0.5, 0.795), (0.86, 0.79), (0.955, 0.755), (0.97, 0.69),
        (0.9, 0.665), (0.55, 0.675), (0.2, 0.65),
    ])  # fmt: skip
    upper = curve([
        (0.06, 0.69), (0.06, 0.69), (0.055, 0.55), (0.075, 0.40), (0.10, 0.345), (0.10, 0.345), (0.17, 0.385),
        (0.25, 0.40), (0.345, 0.335), (0.345, 0.335), (0.42, 0.37), (0.54, 0.475), (0.68, 0.535), (0.85, 0.575),
        (0.945, 0.64), (0.96, 0.70), (0.96, 0.70),
    ])  # fmt: skip
    tongue = curve([(0.29, 0.40), (0.315, 0.285), (0.36, 0.255), (0.42, 0.285), (0.47, 0.40), (0.40, 0.42)])
    canvas.part(at(tongue), colour * 0.85, puff=6, folds=0.5)
    canvas.part(at(curve([(0.10, 0.35), (0.2, 0.33), (0.34, 0.34), (0.3, 0.41), (0.18, 0.42)])), colour * 0.4, folds=0)
    canvas.part(at(upper), colour, puff=14, soft=0.035, folds=1.0)
    toe = curve([(0.78, 0.70), (0.76, 0.60), (0.80, 0.56), (0.88, 0.585), (0.95, 0.64), (0.965, 0.70)])
    canvas.part(at(toe), colour * 0.92, puff=7, soft=0.03, folds=0.4, shadow=0.3)
    heel = curve([(0.055, 0.69), (0.055, 0.5), (0.09, 0.36), (0.14, 0.4), (0.15, 0.55), (0.17, 0.69)])
    canvas.part(at(heel), stripe, puff=5, folds=0.4, shadow=0.3)
    for x in (0.0, 0.085, 0.17):
        band = [(0.36 + x, 0.67), (0.40 + x, 0.67), (0.385 + x, 0.49 + x * 0.55), (0.345 + x, 0.47 + x * 0.55)]
        canvas.part(at(band), stripe, puff=2, soft=0.006, folds=0.3, shadow=0.3)
    for k in range(5):
        x, y = 0.385 + 0.055 * k, 0.375 + 0.043 * k
        lace = at(curve([(x - 0.045, y - 0.052), (x, y - 0.03), (x + 0.012, y + 0.035)], closed=False))
        canvas.part(line(lace, 0.017 * size), (0.95, 0.95, 0.93), puff=4, soft=0.004, folds=0, shadow=0.6)
    canvas.part(at(sole), (0.93, 0.92, 0.90), puff=7, soft=0.012, folds=0.3, shadow=0.5)
    canvas.paint(line(at([(0.07, 0.755), (0.5, 0.765), (0.94, 0.745)]), 0.005), (0.74, 0.73, 0.71), 0.8)
    canvas.paint(
        dashes(at(curve([(0.1, 0.665), (0.5, 0.688), (0.92, 0.68)], closed=False)), 0.003, 0.01), (0.7, 0.7, 0.68)
    )


def trainers(canvas: Canvas, thing: Thing) -> None:
    """A pair of trainers, one behind the other."""
    colour = rgb(canvas, thing.colour)
    stripe = np.array((0.93, 0.92, 0.9)) if colour.mean() < 0.6 else colour * np.array((0.35, 0.4, 0.55))
    _shoe(canvas, colour * 0.9, stripe * 0.9, 0.54, 0.36, 0.82)
    _shoe(canvas, colour, stripe, 0.46, 0.60, 0.86)


def beanie(canvas: Canvas, thing: Thing) -> None:
    """A knitted hat with a folded edge and a pom-pom."""
    first, second = rgb(canvas, thing.colour), rgb(canvas, thing.colour2 or "white")
    cloth = woven(canvas, thing.pattern, first, second)
    canvas.ball(0.5, 0.17, 0.115, 0.105, second if thing.pattern != "solid" else first * 0.6 + 0.38, fur=0.09)
    dome = curve(both([(0.5, 0.235), (0.4, 0.25), (0.285, 0.33), (0.215, 0.47), (0.20, 0.66), (0.20, 0.66)]))
    around = np.arcsin(np.clip((canvas.x - 0.5) / (0.31 * np.clip(0.35 + (canvas.y - 0.2) * 2.1, 0.2, 1)), -1, 1))
    stitches = 2.2 * np.sin(around * 26) + 0.8 * np.sin(2 * np.pi * canvas.y / 0.014)
    canvas.part(dome, cloth, relief=stitches.astype(np.float32), puff=30, soft=0.07, folds=2)
    brim = curve(both([(0.5, 0.615), (0.3, 0.60), (0.185, 0.57), (0.185, 0.57), (0.18, 0.65), (0.19, 0.765),
                       (0.19, 0.765), (0.33, 0.80), (0.5, 0.81)]))  # fmt: skip
    around = np.arcsin(np.clip((canvas.x - 0.5) / 0.34, -1, 1))
    ribs = (3.0 * np.sin(around * 30)).astype(np.float32)
    canvas.part(brim, first, relief=ribs, puff=16, soft=0.03, folds=0.8, shadow=0.6)
    canvas.part(box(0.60, 0.665, 0.70, 0.725, 0.006), (0.80, 0.70, 0.55), puff=3, soft=0.006, folds=0, shadow=0.5)
    canvas.paint(area(ellipse(0.65, 0.695, 0.018, 0.014)), (0.35, 0.27, 0.2), 0.8)


GARMENTS: dict[str, Callable[[Canvas, Thing], None]] = {
    "jeans": jeans, "shorts": shorts, "skirt": skirt, "trainers": trainers, "beanie": beanie,
}  # fmt: skip
