"""Pixel colours: conversion, the object's mask, names, and the agreement with annotated training photos."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from listing.evidence.colour import colour_probabilities, contradicts, object_pixels, pixel_colours, pixel_view, to_lab

COLOURS = {
    "red": (190, 25, 30),
    "navy": (25, 30, 70),
    "green": (40, 120, 50),
    "black": (18, 18, 18),
    "yellow": (235, 205, 40),
    "white": (245, 245, 245),
}


def thing(rgb: tuple[int, int, int], ground: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (300, 400), ground)
    ImageDraw.Draw(image).rectangle((70, 80, 230, 330), fill=rgb)
    light = np.linspace(0.75, 1.1, 400)[:, None, None] * np.linspace(0.95, 1.05, 300)[None, :, None]
    noise = np.random.default_rng(0).normal(0, 6, (400, 300, 1))  # folds and grain, as in every photo of cloth
    return Image.fromarray((np.asarray(image) * light + noise).clip(0, 255).astype(np.uint8))


def test_lab_of_known_colours() -> None:
    lab = to_lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], np.uint8))
    assert np.allclose(lab[0], (100, 0, 0), atol=0.1)
    assert np.allclose(lab[1], (0, 0, 0), atol=0.1)
    assert np.allclose(lab[2], (53.2, 80.1, 67.2), atol=0.3)


@pytest.mark.parametrize("name", COLOURS)
def test_the_object_is_named_not_the_ground(name: str) -> None:
    image = thing(COLOURS[name], (150, 140, 125))
    first = pixel_colours(image)[0]
    assert first.name == name
    assert first.share > 0.8
    assert first.box == pytest.approx((0.23, 0.2, 0.77, 0.83), abs=0.1)


def test_the_mask_covers_the_object() -> None:
    _, mask = object_pixels(thing((190, 25, 30), (150, 140, 125)))
    assert 0.25 < mask.mean() < 0.42


def test_opposite_colours_are_contradicted_and_the_right_one_is_not() -> None:
    found = colour_probabilities(thing(COLOURS["red"], (150, 140, 125)))
    assert sum(found.values()) == pytest.approx(1)
    assert not contradicts(found, "red")
    assert contradicts(found, "green")
    assert not contradicts(found, "multicolour")
    view = pixel_view(thing(COLOURS["red"], (150, 140, 125)), 2)
    assert view.photo == 2
    assert "green" in view.contradicted
    assert "red" not in view.contradicted


@pytest.mark.parametrize("size", [(1, 1), (9, 500), (500, 9)])
def test_odd_photos_do_no_harm(size: tuple[int, int]) -> None:
    assert sum(colour_probabilities(Image.new("RGB", size, (90, 90, 200))).values()) == pytest.approx(1)


@pytest.mark.data
def test_agreement_on_training_photos() -> None:
    folder = data_root() / "clothing_cc0"
    if not folder.is_dir():
        pytest.skip("needs the annotated photos: set IPL_DATA")
    rows = [r for r in split_rows(read_annotations(folder))[0] if "colour" not in r["guess"]][::20]
    right = contradicted = 0
    for row in rows:
        with Image.open(row["image"]) as photo:
            found = colour_probabilities(photo)
        best = sorted(found, key=found.__getitem__, reverse=True)[:2]
        right += bool({row["colour"], row["colour2"]} & set(best))
        contradicted += contradicts(found, row["colour"])
    assert right / len(rows) >= 0.75
    assert contradicted / len(rows) <= 0.04
