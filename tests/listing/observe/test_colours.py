"""Colours: of pixels, with what a mask changes, and of the colour network with its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from finetune.embedded.assemble import WEIGHTS as WEIGHTS_FOLDER
from listing.calibration import Calibration, QuestionCalibration
from listing.observe.colours import (
    FILE,
    SIDE,
    ColourHeads,
    ColourNetwork,
    Colours,
    ItemColours,
    background,
    cut_out,
)
from listing.observe.networks.colour_pixels import contradicts, pixel_view, small_lab, to_lab
from listing.schema import Observation
from listing.taxonomy import load_taxonomy
from tests.listing.stubs import draft, of_photos

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


def test_opposite_colours_are_contradicted() -> None:
    image, mask = item_photo(COLOURS["red"])
    view = pixel_view(image, 2, mask)
    assert not contradicts(view.shares, "multicolour")
    assert view.photo == 2
    assert "green" in view.contradicted
    assert "red" not in view.contradicted
    assert view.box == pytest.approx((0.23, 0.2, 0.77, 0.83), abs=0.05)


@pytest.mark.parametrize("mask", [None, np.zeros((320, 320), np.uint8), np.full((320, 320), 255, np.uint8)])
def test_without_a_useful_mask_the_middle_counts(mask: np.ndarray | None) -> None:
    _, inside = small_lab(item_photo(COLOURS["red"])[0], mask)
    assert 0.25 < inside.mean() < 0.45
    assert inside[48, 36]
    assert not inside[0, 0]
    for size in ((1, 1), (9, 500), (500, 9)):
        assert sum(pixel_view(Image.new("RGB", size, (90, 90, 200)), 0, mask).shares.values()) == pytest.approx(1)


def heads(nets: int = 2) -> ColourHeads:
    """Networks of three inputs and two colours that answer by the sign of the first input."""
    weight = np.zeros((nets, 4, 3), np.float32)
    weight[:, 0, 0], weight[:, 1, 0] = 3.0, -3.0
    to_first = np.zeros((nets, 2, 4), np.float32)
    to_first[:, 0, 0] = to_first[:, 1, 1] = 1.0
    zeros = {"bias": np.zeros((nets, 4)), "first.bias": np.zeros((nets, 2)), "second.bias": np.zeros((nets, 3))}
    powers = {"first.power": np.ones(1), "second.power": np.ones(1)}
    scales = {"mean": np.array([10.0, 0.0, 0.0]), "deviation": np.array([2.0, 1.0, 1.0])}
    rest = {"weight": weight, "first.weight": to_first, "second.weight": np.zeros((nets, 3, 4))}
    return ColourHeads(("red", "blue"), {**zeros, **powers, **scales, **rest})


def test_heads_scale_their_inputs_and_sum_to_one() -> None:
    first, second = heads()(np.array([[14.0, 5.0, -5.0], [6.0, 0.0, 0.0], [1e9, 0.0, 0.0]]))
    assert first.argmax(1).tolist() == [0, 1, 0]
    assert first.sum(1) == pytest.approx([1, 1, 1])
    assert second == pytest.approx(np.full((3, 3), 1 / 3))
    shipped = ColourHeads.load(WEIGHTS_FOLDER / FILE)
    assert shipped.names == load_taxonomy().attributes["colour"].values
    first, second = shipped(shipped.tensors["mean"][None])
    assert (first.shape, second.shape) == ((1, len(shipped.names)), (1, len(shipped.names) + 1))


def test_power_sharpens_answers_and_is_saved(tmp_path: Path) -> None:
    assert ColourNetwork.load(tmp_path) is None
    plain = heads()
    ColourHeads(plain.names, {**plain.tensors, "first.power": np.array([2.0])}).save(tmp_path / FILE)
    read = ColourHeads.load(tmp_path / FILE)
    assert read.names == ("red", "blue")
    photo = np.array([[10.5, 0.0, 0.0]])
    one, two = plain(photo)[0][0], read(photo)[0][0]
    assert two[0] == pytest.approx(one[0] ** 2 / (one**2).sum(), abs=2e-3)
    assert two[0] > one[0] > 0.5


def test_item_is_cut_out_by_its_mask() -> None:
    mask = np.zeros((320, 320), np.uint8)
    mask[160:240, 40:120] = 255
    pixels = np.full((400, 200, 3), (200, 10, 10), np.uint8)
    pixels[200:300, 25:75] = (10, 10, 200)
    crop, inside = cut_out(Image.fromarray(pixels), mask)
    assert crop.shape == (SIDE, SIDE, 3)
    assert 0.3 < inside.mean() < 0.6
    assert crop[inside][:, 2].mean() > 180
    everywhere = cut_out(Image.fromarray(pixels), None)[1]
    assert everywhere.all()


def test_the_background_is_what_is_not_the_item() -> None:
    lab = np.zeros((40, 40, 3))
    lab[:20] = (90.0, 0.0, 0.0)
    inside = np.zeros((40, 40), bool)
    inside[20:] = True
    book = np.array([[0.0, 0.0, 0.0], [90.0, 0.0, 0.0]])
    around = background(lab, inside, book)
    assert around[:2].tolist() == [0.0, 0.5]
    assert around[-1] == 0.5


class Named:
    """A source that is sure of a hoodie; asked first, so that others can build on it."""

    name, stage, local = "mllm", "category", True

    def observe(self, photos, context):
        yield Observation(source="mllm", question="category", photo=0, probabilities={"Hoodie": 1.0})


class TwoColours:
    """A colour network that sees a second colour, and a main one that may be impossible."""

    def __init__(self, main: str) -> None:
        self.main = main

    def look(self, image, mask) -> ItemColours:
        return ItemColours({self.main: 0.95, "grey": 0.05}, {"white": 0.9, "none": 0.1})


def test_colour_network_names_both_and_pixels_overrule():
    mllm, pixels = QuestionCalibration(weights={"mllm": 1.0}, threshold=0.8), {"pixels": 1.0}
    heard = QuestionCalibration(weights=pixels, threshold=0.8)
    rule = Calibration(default=mllm, questions={"colour": heard, "colour2": heard})
    answers = draft(of_photos(), sources=(Named(), Colours(TwoColours("blue"))), without=["pixels"], calibration=rule)
    assert answers.attribute("colour").value == "blue"
    assert answers.attribute("colour2").value == "white"
    assert {e.source: e.score for e in answers.attribute("colour").evidence}["pixels"] == 0.95
    yellow = (Named(), Colours(TwoColours("yellow")))
    impossible = draft(of_photos(), sources=yellow, without=["pixels"], calibration=rule).attribute("colour")
    assert (impossible.value, impossible.status) == (None, "contradicted")
