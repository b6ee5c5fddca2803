"""Where things are photographed: on a floor, a bed or a table; from which side; by which light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from app.demo.photos.canvas import SIDE, Array, Canvas

WIDTH, HEIGHT = 480, 600
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
PLACES = 4  # of each kind
TALL, BROAD = HEIGHT + 240, WIDTH + 160  # pixels of a place, of which a photo shows a part
_DOWN, _ALONG = np.mgrid[0:TALL, 0:BROAD].astype(np.float32)
EDGE = 500  # of the table in a room
FLOORS = ("planks", "sheet", "carpet", "paper", "tiles")
WALLS = ((0.86, 0.84, 0.80), (0.78, 0.83, 0.84), (0.88, 0.80, 0.74), (0.80, 0.84, 0.76), (0.72, 0.74, 0.80))
GRAIN = 0.009 * np.random.default_rng(0).standard_normal((HEIGHT, WIDTH), np.float32)
PAPERS = ((0.89, 0.87, 0.83), (0.80, 0.84, 0.86), (0.92, 0.86, 0.80), (0.83, 0.87, 0.80))


@dataclass(frozen=True)
class View:
    """How a thing is seen.

    turn: degrees. lean: how much narrower it is at its far end (lying), or from the side (standing). size: share of
    the photo that it fills. centre: what of the canvas (shares) is in the middle, for a detail; ``size`` is the
    canvas's then.
    """

    turn: float = 0.0
    lean: float = 0.0
    size: float = 0.84
    centre: tuple[float, float] | None = None


def _noise(rng: np.random.Generator, across: float, down: float) -> Array:
    cells = max(2, round(TALL / down)), max(2, round(BROAD / across))
    field = 1.3 * rng.standard_normal((min(cells[0], TALL), min(cells[1], BROAD)), np.float32)
    return cv2.resize(field, (BROAD, TALL), interpolation=cv2.INTER_CUBIC)


def _one(rng: np.random.Generator, colours: Sequence[tuple[float, float, float]]) -> Array:
    return np.array(colours[int(rng.integers(len(colours)))], np.float32)


def _soft(field: Array, pixels: float) -> Array:
    """A wide blur, made on a smaller copy."""
    few, size = 4 if pixels >= 8 else 2, (field.shape[1], field.shape[0])
    small = cv2.resize(field, None, fx=1 / few, fy=1 / few, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), pixels / few), size, interpolation=cv2.INTER_LINEAR)


def _planks(rng: np.random.Generator, x: Array, y: Array, wide: float) -> Array:
    """Boards along ``y``."""
    board = np.floor(x / wide).astype(int)
    board -= board.min()
    tint, start = rng.normal(0, 0.05, board.max() + 1), rng.uniform(0, 900, board.max() + 1)
    value = 0.74 + tint[board] + 0.03 * _noise(rng, 3, 90) + 0.02 * np.sin(_noise(rng, 30, 300) * 8)
    seam = np.minimum(x % wide, wide - x % wide)
    end = np.abs((y + start[board]) % 900 - 450)
    value = value * (1 - 0.4 * np.exp(-((np.minimum(seam, end) / 1.3) ** 2)))
    tones = ((1.0, 0.80, 0.60), (0.96, 0.88, 0.76), (0.80, 0.62, 0.47), (0.92, 0.90, 0.86))
    return np.asarray(value[..., None] * _one(rng, tones), np.float32)


def _lit(height: Array) -> Array:
    gx, gy = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.clip(1 + 0.55 * gx + 0.68 * gy, 0.6, 1.3)


@cache
def _floor(kind: str, number: int) -> Array:
    """What a thing lies on, seen from above: [TALL, BROAD, 3]."""
    rng = np.random.default_rng([number, FLOORS.index(kind)])
    if kind == "planks":
        return _planks(rng, _ALONG + 0.12 * _DOWN, _DOWN, float(rng.uniform(70, 110)))
    if kind == "sheet":
        creases = 4 * _noise(rng, 90, 200) + 3 * _noise(rng, 160, 60) + 0.07 * _noise(rng, 2, 2)
        return _lit(creases)[..., None] * _one(rng, PAPERS)
    if kind == "carpet":
        pile = 1 + 0.10 * _noise(rng, 2, 2) + 0.05 * _noise(rng, 8, 8)
        return pile[..., None] * _one(rng, ((0.72, 0.70, 0.67), (0.60, 0.63, 0.66), (0.78, 0.71, 0.62)))
    if kind == "tiles":
        wide = float(rng.uniform(130, 170))
        joint = np.minimum(np.minimum(_ALONG % wide, _DOWN % wide), np.minimum(-_ALONG % wide, -_DOWN % wide))
        stone = 0.84 + 0.025 * _noise(rng, 60, 60) + 0.012 * _noise(rng, 2, 2)
        laid: Array = (stone * (1 - 0.16 * np.exp(-((joint / 2) ** 2))))[..., None]
        return laid * np.array((1, 0.985, 0.96), np.float32)
    grain = 1 + 0.012 * _noise(rng, 2, 2) + 0.02 * _noise(rng, 200, 200)
    return grain[..., None] * _one(rng, PAPERS)


@cache
def _room(number: int) -> Array:
    """A wall and a table whose far edge is at the height ``EDGE``: [TALL, BROAD, 3]."""
    rng = np.random.default_rng([number, len(FLOORS)])
    back = (1 + 0.015 * _noise(rng, 120, 120) + 0.08 * (0.5 - _DOWN / TALL))[..., None] * _one(rng, WALLS)
    if number % 2:  # the light of a window
        pane = _soft(((np.abs(_ALONG - 190 - 0.35 * _DOWN) % 130 < 110) & (_ALONG < 420)).astype(np.float32), 9)
        back *= (1 + 0.10 * pane)[..., None]
    far = np.clip((_DOWN - EDGE) / 200, 0.02, 1)
    wood = number % 4 != 3
    table = _planks(rng, (_DOWN - EDGE) * 1.5 + 40, _ALONG, 130.0) if wood else 0.97 * _floor("paper", number % PLACES)
    table = table * (0.88 + 0.14 * far)[..., None]
    share = np.clip((_DOWN - EDGE) / 3, 0, 1)[..., None]
    skirting = 1 - 0.12 * np.exp(-(((_DOWN - EDGE + 2) / 7) ** 2))
    room: Array = (back * (1 - share) + table * share) * skirting[..., None]
    return room


def _lying(rng: np.random.Generator) -> Array:
    """A part of some floor."""
    whole = _floor(str(rng.choice(FLOORS)), int(rng.integers(PLACES)))
    y, x = int(rng.integers(TALL - HEIGHT)), int(rng.integers(BROAD - WIDTH))
    part = whole[y : y + HEIGHT, x : x + WIDTH]
    return part[:, ::-1] if rng.random() < 0.5 else part


def _standing(rng: np.random.Generator, edge: float) -> Array:
    """A part of some room, the table's edge at that height."""
    whole = _room(int(rng.integers(3 * PLACES)))
    y, x = int(np.clip(EDGE - edge, 0, TALL - HEIGHT)), int(rng.integers(BROAD - WIDTH))
    return whole[y : y + HEIGHT, x : x + WIDTH]


def _matrix(alpha: Array, view: View, lying: bool, sway: float) -> np.ndarray:
    """From the canvas to the photo, the whole thing as large as it fits where ``view.centre`` is None."""
    turn = np.radians(view.turn)
    rotate = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    if lying:
        bend = np.array([[1, 0, 0], [0, 1 - 0.25 * abs(view.lean), 0], [0, -view.lean / 900, 1]])
    else:
        bend = np.array([[1 - 0.22 * abs(view.lean), 0, 0], [0, 1, 0], [view.lean / 2600, 0, 1]])
    x, y, wide, high = cv2.boundingRect((alpha > 0.5).view(np.uint8))
    middle = (x + wide / 2, y + high / 2) if view.centre is None else (view.centre[0] * SIDE, view.centre[1] * SIDE)
    away = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, 1]])
    corners = np.array([[x, x + wide, x + wide, x], [y, y, y + high, y + high], [1, 1, 1, 1]])
    far = bend @ rotate @ away @ corners
    far = np.abs(far[:2] / far[2]).max(1)
    scale = view.size * WIDTH / SIDE
    if view.centre is None:
        scale = view.size * min(WIDTH / 2 / far[0], HEIGHT / 2 / far[1])
    back = np.array([[1, 0, WIDTH / 2 + sway], [0, 1, HEIGHT / 2 + (0 if lying else 12)], [0, 0, 1]])
    return np.asarray(back @ np.diag([scale, scale, 1]) @ bend @ rotate @ away, np.float64)


def photo(canvas: Canvas, view: View, lying: bool, rng: np.random.Generator, place: int) -> np.ndarray:
    """The thing of the canvas as a phone would take it, uint8 [HEIGHT, WIDTH, 3]; an equal ``place`` is the same."""
    matrix = _matrix(canvas.alpha, view, lying, float(rng.uniform(-8, 8)))
    alpha = cv2.warpPerspective(canvas.alpha, matrix, (WIDTH, HEIGHT))
    colour = cv2.warpPerspective(canvas.rgb * canvas.alpha[..., None], matrix, (WIDTH, HEIGHT))
    below = np.flatnonzero(alpha.max(1) > 0.5)
    base = float(below[-1]) if len(below) else HEIGHT * 0.8
    where = np.random.default_rng(place)
    if lying:
        ground = _lying(where)
        shadow = 0.42 * _soft(np.roll(alpha, (11, 8), (0, 1)), 13) + 0.30 * _soft(np.roll(alpha, (3, 2), (0, 1)), 4)
    else:
        ground = _standing(where, base - float(where.uniform(50, 95)))
        shadow = _cast(alpha, base)
    picture = ground * ((1 - shadow) * (1 - alpha))[..., None]
    picture += colour
    return _taken(picture, rng)


def _cast(alpha: Array, base: float) -> Array:
    """The shadow on a table: dark at the foot, stretched away from the window."""
    flat = np.array([[1, -0.55, 0.55 * base + 4], [0, 0.16, 0.84 * base + 1]], np.float64)
    near = np.array([[1, 0, 0], [0, 0.05, 0.95 * base + 2]], np.float64)
    long, foot = (cv2.warpAffine(alpha, m, (WIDTH, HEIGHT)) for m in (flat, near))
    return np.clip(0.32 * _soft(long, 10) + 0.5 * _soft(foot, 5), 0, 0.8)


def _taken(picture: Array, rng: np.random.Generator) -> np.ndarray:
    """Uneven light, a colour cast and noise; ``picture`` is changed."""
    cx, cy = float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.25, 0.6))
    picture *= (1.05 - 0.24 * ((_X / WIDTH - cx) ** 2 + (_Y / HEIGHT - cy) ** 2))[..., None]
    picture *= np.array((1 + rng.normal(0.01, 0.015), 1.0, 1 + rng.normal(-0.01, 0.02)), np.float32)
    picture += np.roll(GRAIN, int(rng.integers(GRAIN.size)))[..., None]
    shown: np.ndarray = cv2.convertScaleAbs(picture, alpha=255)
    return shown
