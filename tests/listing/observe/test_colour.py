"""Pixel colours: conversion, what the mask changes, and the agreement with annotated training photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from finetune.data.photosets import read_annotations
from finetune.data.splits import split_rows
from listing.observe.networks.colour_pixels import contradicts, pixel_view, small_lab, to_lab
from listing.observe.networks.foreground import WEIGHTS, Foreground

COLOURS = {
    "red": (190, 25, 30),
    "navy": (25, 30, 70),
    "green": (40, 120, 50),
    "black": (18, 18, 18),
    "yellow": (235, 205, 40),
    "white": (245, 245, 245),
}
GROUND = (150, 140, 125)


def item_photo(rgb: tuple[int, int, int]) -> tuple[Image.Image, np.ndarray]:
    """A photo of a plain thing, and its mask."""
    image, mask = Image.new("RGB", (300, 400), GROUND), Image.new("L", (300, 400))
    for picture, fill in ((image, rgb), (mask, 255)):
        ImageDraw.Draw(picture).rectangle((70, 80, 230, 330), fill=fill)
    light = np.linspace(0.75, 1.1, 400)[:, None, None] * np.linspace(0.95, 1.05, 300)[None, :, None]
    noise = np.random.default_rng(0).normal(0, 6, (400, 300, 1))  # folds and grain, as in every photo of cloth
    photo = Image.fromarray((np.asarray(image) * light + noise).clip(0, 255).astype(np.uint8))
    return photo, np.asarray(mask.resize((320, 320)))


def test_lab_of_known_colours() -> None:
    lab = to_lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], np.uint8))
    assert np.allclose(lab[0], (100, 0, 0), atol=0.1)
    assert np.allclose(lab[1], (0, 0, 0), atol=0.1)
    assert np.allclose(lab[2], (53.2, 80.1, 67.2), atol=0.3)


@pytest.mark.parametrize("name", COLOURS)
def test_the_item_is_named_not_the_ground(name: str) -> None:
    image, mask = item_photo(COLOURS[name])
    by_colour = pixel_view(image, 0, mask).shares
    assert sum(by_colour.values()) == pytest.approx(1)
    assert max(by_colour, key=lambda colour: by_colour[colour]) == name


def test_opposite_colours_are_contradicted_and_the_right_one_is_not() -> None:
    image, mask = item_photo(COLOURS["red"])
    view = pixel_view(image, 2, mask)
    assert view.photo == 2
    assert "green" in view.contradicted
    assert "red" not in view.contradicted
    assert not contradicts(view.shares, "multicolour")
    assert view.box == pytest.approx((0.23, 0.2, 0.77, 0.83), abs=0.05)


@pytest.mark.parametrize("mask", [None, np.zeros((320, 320), np.uint8), np.full((320, 320), 255, np.uint8)])
def test_without_a_useful_mask_the_middle_counts(mask: np.ndarray | None) -> None:
    _, inside = small_lab(item_photo(COLOURS["red"])[0], mask)
    assert 0.25 < inside.mean() < 0.45
    assert inside[48, 36]
    assert not inside[0, 0]


@pytest.mark.parametrize("size", [(1, 1), (9, 500), (500, 9)])
def test_odd_photos_do_no_harm(size: tuple[int, int]) -> None:
    assert sum(pixel_view(Image.new("RGB", size, (90, 90, 200)), 0).shares.values()) == pytest.approx(1)


@pytest.mark.data
@pytest.mark.model
def test_agreement_on_training_photos(data_folder: Path, model_folder: Path) -> None:
    rows = [r for r in split_rows(read_annotations(data_folder / "clothing_cc0"))[0] if "colour" not in r["guess"]][
        ::80
    ]
    network = Foreground(model_folder / WEIGHTS)
    right = contradicted = 0
    for row in rows:
        with Image.open(row["image"]) as photo:
            by_colour = pixel_view(photo, 0, network.mask(photo)).shares
        best = sorted(by_colour, key=lambda name: by_colour[name], reverse=True)[:2]
        right += bool({row["colour"], row["colour2"]} & set(best))
        contradicted += contradicts(by_colour, row["colour"])
    assert right / len(rows) >= 0.8
    assert contradicted / len(rows) <= 0.04
