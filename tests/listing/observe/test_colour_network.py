"""The colour network: what it reads of a photo, its file, and how often it is right on photos of unseen senders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from finetune.data.photosets import open_photo, read_annotations
from finetune.data.splits import split_rows
from finetune.embedded.assemble import WEIGHTS as WEIGHTS_FOLDER
from listing.calibration import Calibration, QuestionCalibration
from listing.observe.colours import (
    FILE,
    NONE,
    SIDE,
    ColourHeads,
    ColourNetwork,
    Colours,
    ItemColours,
    background,
    cut_out,
)
from listing.observe.networks.foreground import WEIGHTS, Foreground, usable
from listing.schema import Observation
from listing.taxonomy import load_taxonomy
from tests.listing.stubs import draft, of_photos


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


def test_heads_scale_their_inputs_and_sum_to_one(tmp_path: Path) -> None:
    first, second = heads()(np.array([[14.0, 5.0, -5.0], [6.0, 0.0, 0.0], [1e9, 0.0, 0.0]]))
    assert first.argmax(1).tolist() == [0, 1, 0]
    assert first.sum(1) == pytest.approx([1, 1, 1])
    assert second == pytest.approx(np.full((3, 3), 1 / 3))


def test_the_power_makes_answers_surer_and_the_file_keeps_it(tmp_path: Path) -> None:
    plain = heads()
    sharp = ColourHeads(plain.names, {**plain.tensors, "first.power": np.array([2.0])})
    sharp.save(tmp_path / FILE)
    read = ColourHeads.load(tmp_path / FILE)
    assert read.names == ("red", "blue")
    photo = np.array([[10.5, 0.0, 0.0]])
    one, two = plain(photo)[0][0], read(photo)[0][0]
    assert two[0] == pytest.approx(one[0] ** 2 / (one**2).sum(), abs=2e-3)
    assert two[0] > one[0] > 0.5


def test_the_item_is_cut_out_where_its_mask_is() -> None:
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


def test_a_folder_without_the_network_has_none(tmp_path: Path) -> None:
    assert ColourNetwork.load(tmp_path) is None


def test_the_shipped_networks_name_every_colour() -> None:
    shipped = ColourHeads.load(WEIGHTS_FOLDER / FILE)
    assert shipped.names == load_taxonomy().attributes["colour"].values
    first, second = shipped(shipped.tensors["mean"][None])
    assert (first.shape, second.shape) == ((1, len(shipped.names)), (1, len(shipped.names) + 1))


@pytest.mark.data
@pytest.mark.model
def test_agreement_on_photos_of_unseen_senders(data_folder: Path, model_folder: Path) -> None:
    rows = [r for r in split_rows(read_annotations(data_folder / "clothing_cc0"))[1] if "colour" not in r["guess"]]
    rows = rows[::12]
    network, foreground = ColourNetwork.load(model_folder), Foreground(model_folder / WEIGHTS)
    assert network is not None
    right = second = 0
    for row in rows:
        photo = open_photo(row["image"])
        mask = foreground.mask(photo)
        colours = network.look(photo, mask if usable(mask) else None)
        right += max(colours.first, key=colours.first.__getitem__) in (row["colour"], row["colour2"])
        second += (max(colours.second, key=colours.second.__getitem__) == NONE) == (row["colour2"] is None)
    assert right / len(rows) >= 0.6  # the commonest colour alone: .17
    assert second / len(rows) >= 0.6  # always "none": .40


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


def test_the_colour_network_names_both_colours_and_the_pixels_may_rule_one_out():
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
