"""Views, the mapping from ImageNet to leaves, and the loader's errors. The real weights: marked ``model``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.special import softmax

from listing.observe.imagenet import (
    FILE,
    SIDE,
    ClassifierError,
    ImageNetClassifier,
    category_scores,
    garment_share,
    view,
)
from listing.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()


def coverage(scores) -> float:
    """What lies on leaves beyond garments."""
    return sum(p for name, p in scores.items() if not TAXONOMY.categories[name].tuned)


@pytest.mark.parametrize("kind", ["crop", "letterbox"])
@pytest.mark.parametrize(("size", "mode"), [((300, 200), "RGB"), ((200, 1000), "RGBA"), ((1, 7), "L"), ((1, 1), "P")])
def test_every_view_is_the_models_square(kind, size, mode) -> None:
    assert view(Image.new(mode, size), kind).size == (SIDE, SIDE)
    assert view(Image.new(mode, size), kind).mode == "RGB"


def test_the_letterbox_keeps_the_edges_and_the_crop_drops_them() -> None:
    photo = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(photo).rectangle((0, 0, 30, 199), fill="red")

    def reds(kind) -> int:
        pixels = np.asarray(view(photo, kind)).astype(int)
        return int(((pixels[..., 0] > 200) & (pixels[..., 1] < 60)).sum())

    assert reds("letterbox") > 0
    assert reds("crop") == 0


def test_the_letterbox_continues_the_background() -> None:
    photo = Image.new("RGB", (400, 100), (200, 10, 10))
    assert np.ptp(np.asarray(view(photo, "letterbox")).reshape(-1, 3), axis=0).tolist() == [0, 0, 0]


def test_scores_share_a_class_among_leaves_and_never_exceed_its_probability() -> None:
    p = np.zeros(1000)
    p[532] = 1.0
    scores = {name: s for name, s in category_scores(p, TAXONOMY).items() if s}
    assert max(scores, key=lambda name: scores[name]) == "Table"
    assert {"Table", "Coffee table"} <= set(scores)
    assert sum(scores.values()) <= 1.0 + 1e-9


def test_shares_of_any_distribution_sum_to_at_most_one() -> None:
    p = softmax(np.random.default_rng(0).normal(size=(20, 1000)) * 4)
    for row in p:
        scores = category_scores(row, TAXONOMY)
        assert coverage(scores) + garment_share(row, TAXONOMY) <= 1.0 + 1e-6


def test_coverage_is_low_for_what_has_no_leaf() -> None:
    volcano, laptop = np.zeros(1000), np.zeros(1000)
    volcano[980] = laptop[620] = 1.0
    assert coverage(category_scores(volcano, TAXONOMY)) == 0.0
    assert coverage(category_scores(laptop, TAXONOMY)) == 1.0


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"is missing; run `\./ipl doctor`"):
        ImageNetClassifier(tmp_path)


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from torch import zeros

    (tmp_path / FILE).write_bytes(b"no tensors")
    with pytest.raises(ClassifierError, match="assemble the model again"):
        ImageNetClassifier(tmp_path)
    save_file({"something": zeros(1)}, tmp_path / FILE)
    with pytest.raises(ClassifierError, match="assemble the model again"):
        ImageNetClassifier(tmp_path)


def test_saved_weights_are_read_back(tmp_path: Path) -> None:
    """A head that always says class 402 (a guitar) must say so after loading, from any picture."""
    import timm
    from safetensors.torch import save_file

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


@pytest.mark.model
def test_the_real_head_knows_a_clock(model_folder: Path) -> None:
    photo = Image.new("RGB", (256, 256), "white")
    pen = ImageDraw.Draw(photo)
    pen.ellipse((28, 28, 228, 228), fill=(245, 245, 240), outline="black", width=9)
    for hour in range(12):
        angle = np.pi * hour / 6
        x, y = np.cos(angle), np.sin(angle)
        pen.line((128 + 78 * x, 128 + 78 * y, 128 + 92 * x, 128 + 92 * y), fill="black", width=6)
    pen.line((128, 128, 128, 62), fill="black", width=6)
    pen.line((128, 128, 172, 150), fill="black", width=8)
    scores = category_scores(ImageNetClassifier(model_folder).probabilities(photo), TAXONOMY)
    assert max(scores, key=lambda name: scores[name]) == "Clock"
