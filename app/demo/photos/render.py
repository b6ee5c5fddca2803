"""Photos of a thing: from the front, at an angle, and a detail."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from app.demo.photos import tops
from app.demo.photos.canvas import Canvas
from app.demo.photos.furnishings import FURNISHINGS
from app.demo.photos.garments import GARMENTS
from app.demo.photos.objects import OBJECTS
from app.demo.photos.scene import View, photo
from app.demo.things import Thing

DRAWINGS: dict[str, Callable[[Canvas, Thing], None]] = {**tops.TOPS, **GARMENTS, **OBJECTS, **FURNISHINGS}
LYING = {*tops.TOPS, *GARMENTS, "cushion", "book"} - {"trainers"}
QUALITY = 84
THIRD = 0.15  # share of the things with a third photo
DETAIL = {  # what of a kind is shown close
    "t-shirt": (0.5, 0.36), "jumper": (0.3, 0.72), "shirt": (0.5, 0.25), "hoodie": (0.5, 0.28), "jacket": (0.5, 0.25),
    "blazer": (0.5, 0.4), "dress": (0.5, 0.33), "jeans": (0.5, 0.2), "shorts": (0.5, 0.27), "skirt": (0.55, 0.27),
    "trainers": (0.55, 0.5), "beanie": (0.58, 0.66), "chair": (0.52, 0.5), "guitar": (0.5, 0.68), "camera": (0.5, 0.5),
    "backpack": (0.5, 0.5), "teddy": (0.5, 0.3), "clock": (0.5, 0.45), "book": (0.5, 0.3), "mug": (0.6, 0.45),
    "teapot": (0.4, 0.45), "vase": (0.5, 0.55), "lamp": (0.5, 0.45), "cushion": (0.35, 0.35),
}  # fmt: skip


def photos_of(thing: Thing) -> list[bytes]:
    """JPEG files, two or three."""
    return [_jpeg(picture) for picture in pictures(thing)]


def pictures(thing: Thing, every: bool = False) -> list[np.ndarray]:
    """uint8 [height, width, 3]; equal for equal things. every: also those that not every thing has."""
    canvas, rng = Canvas(thing.seed), np.random.default_rng([thing.seed, 1])
    DRAWINGS[thing.kind.name](canvas, thing)
    lying = thing.kind.name in LYING
    side = float(rng.choice((-1, 1)))
    views = [View(float(rng.normal(0, 2.5)) if lying else 0.0, 0.0, float(rng.uniform(0.78, 0.86)))]
    if lying:
        views.append(View(side * float(rng.uniform(10, 24)), float(rng.uniform(0.5, 0.9)), 0.86))
    else:
        views.append(View(0.0, side * float(rng.uniform(0.6, 1.1)), 0.76))
    found = [photo(canvas, view, lying, rng, thing.seed) for view in views]
    if thing.size in ("XS", "S", "M", "L", "XL") and not every and rng.random() < THIRD:
        close = Canvas(thing.seed)
        tops.label(close, thing)
        return [*found, photo(close, View(float(rng.normal(0, 4)), 0.0, 1.45, (0.5, 0.5)), True, rng, 0)]
    if every or rng.random() < THIRD:
        close_up = View(float(rng.normal(0, 5)) * lying, 0.0, 1.75, DETAIL[thing.kind.name])
        found.append(photo(canvas, close_up, lying, rng, thing.seed))
    return found


def _jpeg(picture: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return data.tobytes()
