"""Clothes on a person: what is left of a photo, and which photos are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from listing.observe.networks.foreground import SIDE, THRESHOLD
from listing.observe.networks.worn import garment_alone

TONES = {"light": (224, 172, 140), "middle": (180, 125, 95), "dark": (115, 75, 58)}
WALL, SHIRT = (205, 210, 215), (30, 60, 140)


def worn(tone: tuple[int, int, int], shirt: tuple[int, int, int] = SHIRT) -> tuple[Image.Image, np.ndarray]:
    """A person in a shirt before a wall, and the mask of both."""
    photo, mask = Image.new("RGB", (240, 320), WALL), Image.new("L", (240, 320))
    for shape, colour in (((70, 90, 170, 310), shirt), ((95, 20, 145, 95), tone), ((40, 110, 70, 250), tone)):
        ImageDraw.Draw(photo).rectangle(shape, colour)
        ImageDraw.Draw(mask).rectangle(shape, 255)
    return photo, np.asarray(mask.resize((SIDE, SIDE)))


@pytest.mark.parametrize("tone", TONES)
def test_head_and_arms_are_painted_over_and_leave_the_mask(tone: str) -> None:
    photo, mask = worn(TONES[tone])
    found = garment_alone(photo, mask)
    assert found is not None
    alone, left = found
    assert alone.size == photo.size
    for x, y in ((120, 40), (55, 200)):  # face, arm
        assert alone.getpixel((x, y)) == WALL
        assert left[y, round(x * SIDE / 240)] < THRESHOLD
    assert alone.getpixel((120, 220)) == SHIRT
    assert left[220, SIDE // 2] >= THRESHOLD


def test_a_garment_in_the_colour_of_skin_is_left_alone() -> None:
    photo, mask = worn(TONES["light"], TONES["light"])
    assert garment_alone(photo, mask) is None


def test_a_photo_without_a_person_is_left_alone() -> None:
    photo, mask = worn(SHIRT)
    assert garment_alone(photo, mask) is None
    assert garment_alone(photo, np.zeros_like(mask)) is None


def test_what_is_wider_than_tall_is_nobody() -> None:
    photo, mask = worn(TONES["light"])
    wide = photo.resize((480, 320))
    assert garment_alone(photo, mask) is not None
    assert garment_alone(wide, mask) is None


def test_of_a_shirt_over_trousers_the_larger_is_left() -> None:
    photo, mask = worn(TONES["light"])
    ImageDraw.Draw(photo).rectangle((70, 230, 170, 310), (190, 180, 170))
    found = garment_alone(photo, mask)
    assert found is not None
    assert found[0].getpixel((120, 180)) == SHIRT
    assert found[0].getpixel((120, 280)) == WALL
    assert found[1][280, SIDE // 2] < THRESHOLD
