"""The evidence tower and the ImageNet head: answers, calibration, weights that are not theirs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from scipy.special import softmax

from listing.calibration import UNCALIBRATED, Calibration, QuestionCalibration
from listing.details import load_details, type_of
from listing.observe import towers
from listing.observe.imagenet import (
    FILE,
    SIDE,
    ClassifierError,
    ImageNetClassifier,
    category_scores,
    garment_share,
    view,
)
from listing.observe.source import turned_back
from listing.observe.towers import (
    CALIBRATION,
    FACTS,
    WEIGHTS,
    EvidenceTower,
    EvidenceTowerHeads,
    TowerView,
    upright,
)
from listing.taxonomy import load_taxonomy
from tests.listing.stubs import StubBackend, draft, of_photos

ROOT = Path(__file__).parents[3]
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


def test_calibration_turns_scores_into_shares_right(folder: Path) -> None:
    assert EvidenceTower(folder).look(photo()).details == {}, "nothing is said without one"
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
    assert EvidenceTower.load(folder / "nowhere") is None


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


def test_tower_is_heard_beside_another_model() -> None:
    class Seeing:
        def look(self, image: Image.Image) -> TowerView:
            return TowerView(opinions={"label": {"Shoes": 1.0}}, details={"bow": 0.9})

    backend = StubBackend({"category": "hoodie"})
    drafted = draft(of_photos(), backend, sources=[EvidenceTowerHeads(Seeing())], calibration=UNCALIBRATED)
    assert drafted.category.value == "Shoes", "surer than a model that nobody measured"
    assert [d.phrase for d in drafted.details] == ["bow"]
    fitted = Calibration(questions={"category": QuestionCalibration(weights={}, threshold=0.9)})
    assert draft(of_photos(), backend, calibration=fitted).category.value == "Hoodie", "heard all the same"


TAXONOMY = load_taxonomy()


def test_letterbox_keeps_edges_and_crop_drops_them() -> None:
    photo = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(photo).rectangle((0, 0, 30, 199), fill="red")
    for kind, reds in (("letterbox", True), ("crop", False)):
        pixels = np.asarray(view(photo, kind)).astype(int)
        assert ((pixels[..., 0] > 200) & (pixels[..., 1] < 60)).any() == reds
        for size, mode in (((300, 200), "RGB"), ((200, 1000), "RGBA"), ((1, 7), "L"), ((1, 1), "P")):
            square = view(Image.new(mode, size), kind)
            assert (square.size, square.mode) == ((SIDE, SIDE), "RGB")
    plain = np.asarray(view(Image.new("RGB", (400, 100), (200, 10, 10)), "letterbox"))
    assert np.ptp(plain.reshape(-1, 3), axis=0).tolist() == [0, 0, 0], "the letterbox continues the background"


def test_leaves_share_an_imagenet_class() -> None:
    def scores(number: int) -> dict[str, float]:
        p = np.zeros(1000)
        p[number] = 1.0
        return {name: share for name, share in category_scores(p, TAXONOMY).items() if share}

    assert scores(980) == {}, "a volcano is sold by nobody"
    assert sum(scores(620).values()) == 1.0
    tables = scores(532)
    assert max(tables, key=lambda name: tables[name]) == "Table"
    assert {"Table", "Coffee table"} <= set(tables)
    for row in softmax(np.random.default_rng(0).normal(size=(20, 1000)) * 4):
        shares = category_scores(row, TAXONOMY).items()
        leaves = sum(p for name, p in shares if not TAXONOMY.categories[name].tuned)
        assert leaves + garment_share(row, TAXONOMY) <= 1.0 + 1e-6


def test_missing_and_foreign_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"is missing; run `\./ipl doctor`"):
        ImageNetClassifier(tmp_path)
    (tmp_path / FILE).write_bytes(b"no tensors")
    with pytest.raises(ClassifierError, match="assemble the model again"):
        ImageNetClassifier(tmp_path)
    save_file({"something": torch.zeros(1)}, tmp_path / FILE)
    with pytest.raises(ClassifierError, match="assemble the model again"):
        ImageNetClassifier(tmp_path)


def test_saved_weights_are_read_back(tmp_path: Path) -> None:
    """A head that always says class 402 (a guitar) must say so after loading, from any picture."""
    import timm

    state = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    state["classifier.weight"].zero_()
    state["classifier.bias"].zero_()[402] = 20.0
    # As the assembler writes it: 16-bit, statistics in 32-bit.
    save_file(
        {n: t.half() if t.is_floating_point() and "running_" not in n else t for n, t in state.items()}, tmp_path / FILE
    )
    p = ImageNetClassifier(tmp_path).probabilities(Image.new("RGB", (90, 60), "brown"))
    assert p.shape == (1000,)
    assert p.sum() == pytest.approx(1.0, abs=1e-5)
    scores = category_scores(p, TAXONOMY)
    assert max(scores, key=lambda name: scores[name]) == "Guitar"


def test_a_box_on_a_turned_photo_comes_back_to_where_its_pixels_were() -> None:
    photo = Image.new("L", (40, 20))
    photo.paste(255, (4, 2, 12, 16))
    for quarters in (0, 1, 2, 3):
        turned = photo.rotate(90 * quarters, expand=True)
        x0, y0, x1, y1 = turned.getbbox() or (0, 0, 0, 0)
        box = turned_back((x0 / turned.width, y0 / turned.height, x1 / turned.width, y1 / turned.height), quarters)
        assert box == pytest.approx((4 / 40, 2 / 20, 12 / 40, 16 / 20))


@pytest.mark.parametrize(
    ("size", "before", "left", "right", "quarters"),
    [
        ((40, 20), {"Hat": 0.4}, {"Shoes": 0.95}, {"Hat": 0.5}, 1),
        ((40, 20), {"Hat": 0.4}, {"Shoes": 0.91}, {"Dress": 0.97}, 3),
        ((40, 20), {"Hat": 0.4}, {"Shoes": 0.85}, {"Hat": 0.5}, 0),  # not sure after it either
        ((40, 20), {"Hat": 0.92}, {"Shoes": 0.99}, {"Shoes": 0.99}, 0),  # sure as it lies
        ((40, 20), {"Shoes": 0.7}, {"Shoes": 0.99}, {"Hat": 0.5}, 0),  # the same kind: nothing is gained
        ((20, 40), {"Hat": 0.4}, {"Shoes": 0.95}, {"Hat": 0.5}, 0),  # as people hold a phone
    ],
)
def test_a_wide_photo_is_turned_where_only_that_makes_the_kind_sure(
    size: tuple[int, int], before: dict, left: dict, right: dict, quarters: int
) -> None:
    photo = Image.new("L", size)
    photo.putpixel((0, 0), 255)  # tells a turn to the left (below) from one to the right (above)

    def look(image: Image.Image) -> TowerView:
        seen = before if image.size == size else left if image.getpixel((0, image.height - 1)) else right
        return TowerView(opinions={"label": seen} if image.width != image.height else {})

    view, image, turns = upright(photo, look)
    assert turns == quarters
    assert image.tobytes() == photo.rotate(90 * quarters, expand=True).tobytes()
    assert view == look(image)
