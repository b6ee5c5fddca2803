"""The evidence tower: its answers, what is asked of several photos, calibration, and a folder without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from listing.decide.category_router import Router
from listing.decide.printed_facts import Pages
from listing.decide.visual_facts import Look
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from listing.calibration import UNCALIBRATED, Calibration, QuestionCalibration, mean_of
from listing.decide import visual_facts
from listing.intake import intake
from listing.observe.networks import eyes
from listing.observe.networks.details import load_details
from listing.observe.networks.evidence_tower import CALIBRATION, FACTS, WEIGHTS, Eyes, Sight
from listing.observe.networks.foreground import Foreground, covered, crop_box, usable
from listing.observe.networks.item_types import type_of
from listing.request import DraftRequest
from listing.schema import Category
from listing.taxonomy import load_taxonomy
from tests.fakes import jpeg
from tests.listing import stubs

ARCHITECTURE = "tf_efficientnet_lite0"
VALUES = {
    "label": ["Hat", "Shoes"],
    "item_type": ["beanie", "clogs"],
    "details": ["belt", "bow"],
    "condition": ["creased"],
}
FACTS_JSON = {
    "architecture": ARCHITECTURE,
    "side": 96,
    "any_of": ["condition", "details"],
    "values": VALUES,
    "types": {"Hat": ["beanie"], "Shoes": ["clogs"]},
}


class HalfMask:
    """Stands in for the network: the left half of every photo is the item."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def mask(self, photo: Image.Image) -> np.ndarray:
        mask = np.zeros((320, 320), np.uint8)
        mask[:, :160] = 255
        return mask


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import timm

    monkeypatch.setattr(eyes, "Foreground", HalfMask)
    torch.manual_seed(0)
    backbone = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0, global_pool="")
    tensors = {f"backbone.{n}": t for n, t in backbone.state_dict().items() if not n.endswith("num_batches_tracked")}
    for name, values in VALUES.items():
        tensors[f"heads.{name}.weight"] = torch.randn(len(values), 1280)
        tensors[f"heads.{name}.bias"] = torch.randn(len(values))
    save_file({n: t.contiguous() for n, t in tensors.items()}, tmp_path / WEIGHTS)
    (tmp_path / FACTS).write_text(json.dumps(FACTS_JSON))
    (tmp_path / eyes.MASK_WEIGHTS).write_bytes(b"")
    return tmp_path


def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 150, 3), dtype=np.uint8))


def test_every_question_gets_probabilities(folder: Path) -> None:
    sight = Eyes(folder, raw=True).look(photo())
    assert {name: list(shares) for name, shares in sight.opinions.items()} == {
        n: VALUES[n] for n in ("label", "item_type")
    }
    assert all(sum(shares.values()) == pytest.approx(1, abs=1e-3) for shares in sight.opinions.values())
    assert set(sight.details) == {"belt", "bow"}
    assert set(sight.condition) == {"creased"}
    assert sight.mask is not None


def test_details_without_a_calibration_are_not_said(folder: Path) -> None:
    assert Eyes(folder).look(photo()).details == {}


def test_the_calibration_turns_what_the_tower_says_into_how_often_it_is_right(folder: Path) -> None:
    curves = {"details": {"bow": {"raw": [0, 1], "right": [0.25, 0.25]}}}
    (folder / CALIBRATION).write_text(json.dumps(curves))
    assert Eyes(folder).look(photo()).details == {"bow": 0.25}


def test_a_mirrored_photo_says_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HalfMask, "mask", lambda self, photo: np.zeros((320, 320), np.uint8))
    tower = Eyes(folder, raw=True)
    sight, mirrored = tower.look(photo()), tower.look(photo().transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert sight.mask is None  # a mask of nothing is of no use
    assert sight.opinions["label"] == pytest.approx(mirrored.opinions["label"], abs=0.02)


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    (folder / FACTS).write_text(json.dumps({**FACTS_JSON, "architecture": "tf_efficientnet_lite2"}))
    with pytest.raises((ValueError, RuntimeError)):
        Eyes(folder)


def test_a_folder_without_one_has_none(tmp_path: Path) -> None:
    assert Eyes.load(tmp_path) is None


class TestSeveralPhotos:
    """The type, details and wear of an item on several photos."""

    category = Category(value="Shoes", confidence=0.9)

    def look(self, *sights: Sight, trust: tuple[float, ...] = (1.0, 1.0)) -> Look:
        return Look(self.category, [], trust[: len(sights)], sights=sights)

    def test_the_type_is_one_that_the_category_has(self, folder: Path) -> None:
        seen = self.look(Sight(opinions={"item_type": {"beanie": 0.9, "clogs": 0.1}}))
        kind = visual_facts.item_type(seen, "Shoes", Eyes(folder), UNCALIBRATED)
        assert (kind.value, kind.suggestion, kind.status) == (None, "clogs", "unsupported")
        rule = Calibration(questions={"item_type": QuestionCalibration(weights={"classifier": 1}, threshold=0.5)})
        assert visual_facts.item_type(seen, "Shoes", Eyes(folder), rule).value == "clogs"
        assert visual_facts.item_type(seen, "Dress", Eyes(folder), rule).status == "unknown"

    def test_one_photo_that_shows_a_detail_is_enough(self) -> None:
        seen = self.look(Sight(details={"bow": 0.1, "belt": 0.6}), Sight(details={"bow": 0.9}))
        assert [(d.phrase, d.confidence, d.photo) for d in visual_facts.details(seen)] == [
            ("bow", 0.9, 1),
            ("belt", 0.6, 0),
        ]

    def test_a_photo_that_hardly_shows_the_item_adds_nothing(self) -> None:
        seen = self.look(Sight(details={"belt": 0.6}), Sight(details={"bow": 0.9}), trust=(0.9, 0.05))
        assert [d.phrase for d in visual_facts.details(seen)] == ["belt"]

    def test_wear_is_stated_when_sure_and_suggested_when_likely(self) -> None:
        sure, likely = self.look(Sight(condition={"creased": 0.9})), self.look(Sight(condition={"creased": 0.7}))
        assert visual_facts.condition(sure).value == "creased"
        assert visual_facts.condition(likely).suggestion == "creased"
        assert visual_facts.condition(self.look(Sight(condition={"creased": 0.3}))) is None


def test_the_mean_keeps_what_only_one_says() -> None:
    first = {"colour": {"red": 0.8, "blue": 0.2}, "sleeve": {"long": 1.0}}
    second = {"colour": {"red": 0.4, "blue": 0.5, "green": 0.1}, "pattern": {"plain": 1.0}}
    mean = mean_of(first, second)
    assert mean["colour"] == pytest.approx({"red": 0.6, "blue": 0.35, "green": 0.05})
    assert (mean["sleeve"], mean["pattern"]) == ({"long": 1.0}, {"plain": 1.0})


class TestForeground:
    """The shipped network on a drawn thing, and masks of no use."""

    @pytest.mark.model
    def test_the_mask_covers_the_item(self, model_folder: Path) -> None:
        image = Image.new("RGB", (300, 400), (225, 220, 210))
        ImageDraw.Draw(image).rectangle((90, 120, 210, 300), fill=(30, 60, 140))
        mask = Foreground(model_folder / eyes.MASK_WEIGHTS).mask(image)
        assert mask.shape == (320, 320)
        assert covered(mask) == pytest.approx(120 * 180 / (300 * 400), abs=0.06)
        assert crop_box(mask) == pytest.approx((0.28, 0.27, 0.72, 0.78), abs=0.05)

    @pytest.mark.parametrize("level", [0, 255])
    def test_a_mask_of_nothing_or_everything_is_not_used(self, level: int) -> None:
        mask = np.full((320, 320), level, np.uint8)
        assert not usable(mask)
        assert crop_box(mask) == (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ("Ripped skinny-jeans", "skinny jeans"),
        ("clogs", "clogs"),
        ("short-sleeve shirt", "short-sleeved shirt"),
        ("spoon", None),
    ],
)
def test_specific_types_are_read_off_an_item(item: str, kind: str | None) -> None:
    assert type_of(item) == kind


def test_details_are_read_off_a_description() -> None:
    said = load_details().read("Denim jacket with two chest pockets, a stand-up collar and ribbed cuffs.")
    assert {"two chest pockets", "stand-up collar", "ribbed cuffs"} <= set(said)
    assert "chest pocket" not in load_details().read("A plain tee.")


def test_two_different_things_on_the_photos_are_said() -> None:
    shirt, shoes, unsure = {"Shirt": 0.95, "Shoes": 0.0}, {"Shoes": 0.9, "Shirt": 0.01}, {"Shirt": 0.5, "Shoes": 0.4}
    flags = visual_facts.different_items([shirt, shoes], load_taxonomy())
    assert [flag.code for flag in flags] == ["several-items"]
    assert "shirt and shoes" in flags[0].message
    assert visual_facts.different_items([shirt, shirt], load_taxonomy()) == []
    assert visual_facts.different_items([unsure, shoes], load_taxonomy()) == []  # it may be the same shoes
    likely = {"Dress": 0.5, "Skirt": 0.3, "Shoes": 0.01}
    assert visual_facts.different_items([likely, shoes], load_taxonomy())
    assert visual_facts.different_items([{name: p / 2 for name, p in likely.items()}, shoes], load_taxonomy()) == []


def test_beside_another_model_the_tower_names_details_but_does_not_vote() -> None:
    class Seeing:
        types: ClassVar[dict[str, list[str]]] = {}

        def look(self, image: Image.Image) -> Sight:
            return Sight(opinions={"label": {"Shoes": 1.0}}, details={"bow": 0.9})

    request = DraftRequest(photos=intake([jpeg()]))
    seen = visual_facts.look(
        request,
        backend=stubs.StubBackend(),
        router=stubs.StubRouter(),
        similar=None,
        taxonomy=load_taxonomy(),
        calibration=UNCALIBRATED,
        pages=Pages(request.photos, stubs.StubReader()),
        eyes=Seeing(),
    )
    assert list(seen.classifier) == [{}]
    assert [d.phrase for d in visual_facts.details(seen)] == ["bow"]


def test_a_model_whose_calibration_weighs_no_category_is_heard_all_the_same() -> None:
    request = DraftRequest(photos=intake([jpeg()]))
    fitted = Calibration(questions={"category": QuestionCalibration(weights={}, threshold=0.9)})
    seen = visual_facts.look(
        request,
        backend=stubs.StubBackend({"category": "hoodie"}),
        router=Router(Path("nowhere"), load_taxonomy()),
        similar=None,
        taxonomy=load_taxonomy(),
        calibration=fitted,
        pages=Pages(request.photos, stubs.StubReader()),
    )
    assert seen.category.value == "Hoodie"
