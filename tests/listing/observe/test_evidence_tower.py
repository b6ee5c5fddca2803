"""The evidence tower: its answers, what is asked of several photos, calibration, and a folder without one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from listing.calibration import UNCALIBRATED, Calibration, QuestionCalibration
from listing.intake.photos import intake
from listing.observe import towers
from listing.observe.details import load_details, type_of
from listing.observe.networks.foreground import Foreground, covered, crop_box, usable
from listing.observe.towers import CALIBRATION, FACTS, WEIGHTS, EvidenceTower, EvidenceTowerHeads, TowerView
from listing.pipeline import Pipeline
from listing.request import DraftRequest
from listing.schema import AttributeValue, Observation
from tests.fakes import jpeg
from tests.listing import stubs
from tests.listing.decide.observed import decided, on

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

    monkeypatch.setattr(towers, "Foreground", HalfMask)
    torch.manual_seed(0)
    backbone = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0, global_pool="")
    tensors = {f"backbone.{n}": t for n, t in backbone.state_dict().items() if not n.endswith("num_batches_tracked")}
    for name, values in VALUES.items():
        tensors[f"heads.{name}.weight"] = torch.randn(len(values), 1280)
        tensors[f"heads.{name}.bias"] = torch.randn(len(values))
    save_file({n: t.contiguous() for n, t in tensors.items()}, tmp_path / WEIGHTS)
    (tmp_path / FACTS).write_text(json.dumps(FACTS_JSON))
    (tmp_path / towers.MASK_WEIGHTS).write_bytes(b"")
    return tmp_path


def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 150, 3), dtype=np.uint8))


def test_every_question_gets_probabilities(folder: Path) -> None:
    sight = EvidenceTower(folder, raw=True).look(photo())
    assert {name: list(shares) for name, shares in sight.opinions.items()} == {
        n: VALUES[n] for n in ("label", "item_type")
    }
    assert all(sum(shares.values()) == pytest.approx(1, abs=1e-3) for shares in sight.opinions.values())
    assert set(sight.details) == {"belt", "bow"}
    assert set(sight.condition) == {"creased"}
    assert sight.mask is not None


def test_details_without_a_calibration_are_not_said(folder: Path) -> None:
    assert EvidenceTower(folder).look(photo()).details == {}


def test_the_calibration_turns_what_the_tower_says_into_how_often_it_is_right(folder: Path) -> None:
    curves = {"details": {"bow": {"raw": [0, 1], "right": [0.25, 0.25]}}}
    (folder / CALIBRATION).write_text(json.dumps(curves))
    assert EvidenceTower(folder).look(photo()).details == {"bow": 0.25}


def test_a_mirrored_photo_says_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HalfMask, "mask", lambda self, photo: np.zeros((320, 320), np.uint8))
    tower = EvidenceTower(folder, raw=True)
    sight, mirrored = tower.look(photo()), tower.look(photo().transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert sight.mask is None  # a mask of nothing is of no use
    assert sight.opinions["label"] == pytest.approx(mirrored.opinions["label"], abs=0.02)


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    (folder / FACTS).write_text(json.dumps({**FACTS_JSON, "architecture": "tf_efficientnet_lite2"}))
    with pytest.raises((ValueError, RuntimeError)):
        EvidenceTower(folder)


def test_a_folder_without_one_has_none(tmp_path: Path) -> None:
    assert EvidenceTower.load(tmp_path) is None


class TestSeveralPhotos:
    """The type, details and wear of an item on several photos."""

    shoes = on("seller", "category", "Shoes", None)

    def fact(self, name: str, *observations: Observation, rule: Calibration = UNCALIBRATED) -> AttributeValue:
        decision = decided([self.shoes, *observations], rule, types={"Shoes": ["clogs"], "Hat": ["beanie"]})
        return next(f for f in decision.facts if f.name == name)

    def test_the_type_is_one_that_the_category_has(self) -> None:
        types = on("evidence_tower", "item_type", {"beanie": 0.9, "clogs": 0.1})
        kind = self.fact("item_type", types)
        assert (kind.value, kind.suggestion, kind.status) == (None, "clogs", "unsupported")
        rule = Calibration(questions={"item_type": QuestionCalibration(weights={"classifier": 1}, threshold=0.5)})
        assert self.fact("item_type", types, rule=rule).value == "clogs"

    def test_one_photo_that_shows_a_detail_is_enough(self) -> None:
        details = [{"bow": 0.1, "belt": 0.6}, {"bow": 0.9}]
        sure = [on("tower", "category", {"Shoes": 0.9}, i) for i in range(2)]
        observed = [on("evidence_tower", "detail", shares, i) for i, shares in enumerate(details)]
        decision = decided([self.shoes, *sure, *observed], photos=2)
        assert [(d.phrase, d.confidence, d.photo) for d in decision.details] == [("bow", 0.9, 1), ("belt", 0.6, 0)]

    def test_a_photo_that_hardly_shows_the_item_adds_nothing(self) -> None:
        views = [{"Shoes": 0.95, "Hat": 0.05}, {"Shoes": 0.5, "Hat": 0.5}]
        towers = [on("tower", "category", view, i) for i, view in enumerate(views)]
        details = [on("evidence_tower", "detail", {"belt": 0.6}, 0), on("evidence_tower", "detail", {"bow": 0.9}, 1)]
        decision = decided([self.shoes, *towers, *details], photos=2)
        assert [d.phrase for d in decision.details] == ["belt"]

    def test_wear_is_stated_when_sure_and_suggested_when_likely(self) -> None:
        wear = [self.fact("condition", on("evidence_tower", "condition", {"creased": p})) for p in (0.9, 0.7, 0.3)]
        assert [(f.value, f.suggestion) for f in wear] == [("creased", None), (None, "creased"), (None, None)]


class TestForeground:
    """The shipped network on a drawn thing, and masks of no use."""

    @pytest.mark.model
    def test_the_mask_covers_the_item(self, model_folder: Path) -> None:
        image = Image.new("RGB", (300, 400), (225, 220, 210))
        ImageDraw.Draw(image).rectangle((90, 120, 210, 300), fill=(30, 60, 140))
        mask = Foreground(model_folder / towers.MASK_WEIGHTS).mask(image)
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
    phrases = load_details().read("Denim jacket with two chest pockets, a stand-up collar and ribbed cuffs.")
    assert {"two chest pockets", "stand-up collar", "ribbed cuffs"} <= set(phrases)
    assert "chest pocket" not in load_details().read("A plain tee.")


def test_two_different_items_on_the_photos_are_said() -> None:
    def flags(*views: dict[str, float]) -> list[str]:
        towers = [on("tower", "category", view, i) for i, view in enumerate(views)]
        all_flags = decided(towers, photos=len(views)).flags
        return [flag.message for flag in all_flags if flag.code == "several-items"]

    shirt, shoes, unsure = {"Shirt": 0.95, "Shoes": 0.0}, {"Shoes": 0.9, "Shirt": 0.01}, {"Shirt": 0.5, "Shoes": 0.4}
    assert "shirt and shoes" in flags(shirt, shoes)[0]
    assert flags(shirt, shirt) == []
    assert flags(unsure, shoes) == []  # it may be the same shoes
    likely = {"Dress": 0.5, "Skirt": 0.3, "Shoes": 0.01}
    assert flags(likely, shoes)
    assert flags({name: p / 2 for name, p in likely.items()}, shoes) == []


def test_beside_another_model_the_tower_names_details_but_does_not_vote() -> None:
    class Seeing:
        def look(self, image: Image.Image) -> TowerView:
            return TowerView(opinions={"label": {"Shoes": 1.0}}, details={"bow": 0.9})

    backend = stubs.StubBackend({"category": "hoodie"})
    parts = stubs.parts(backend, sources=[EvidenceTowerHeads(Seeing())], calibration=UNCALIBRATED)
    draft = list(Pipeline(parts).run(DraftRequest(photos=intake([jpeg()]))))[-1].draft
    assert draft.category.value == "Hoodie"
    assert [d.phrase for d in draft.details] == ["bow"]


def test_a_model_whose_calibration_weighs_no_category_is_heard_all_the_same() -> None:
    fitted = Calibration(questions={"category": QuestionCalibration(weights={}, threshold=0.9)})
    parts = stubs.parts(stubs.StubBackend({"category": "hoodie"}), calibration=fitted)
    draft = list(Pipeline(parts).run(DraftRequest(photos=intake([jpeg()]))))[-1].draft
    assert draft.category.value == "Hoodie"
