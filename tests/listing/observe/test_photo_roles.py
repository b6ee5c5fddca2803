"""Which photos show the item, a label, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from listing.calibration import Calibration
from listing.observe.photo_roles import PhotoRoles
from listing.observe.printed.ocr import OcrSpan
from listing.observe.source import Context
from listing.observe.towers import EvidenceTowerHeads, TowerView
from listing.schema import Observation
from listing.taxonomy import load_taxonomy
from tests.listing.stubs import HOODIE, StubBackend, StubReader, draft, of_photos

CARE = [OcrSpan("80% COTTON", (0.2, 0.2, 0.8, 0.3), 0.95)]
PRINT = [OcrSpan("ROCK", (0.2, 0.2, 0.8, 0.3), 0.95)]
RECEIPT = [OcrSpan(f"Milk {i}.20", (0.1, i / 20, 0.9, i / 20 + 0.03), 0.95) for i in range(14)]
PACKET = [OcrSpan("Pudding", (0.1, 0.8, 0.9, 0.95), 0.95), *RECEIPT]
UNSURE, LOST = {"Shirt": 0.5, "Top": 0.2}, {"Shirt": 0.2, "Top": 0.2}
ITEM_MASK = np.full((8, 8), 255, np.uint8)


def role(tower: dict[str, float], mask: np.ndarray | None, reader: object, imagenet: dict[str, float] | None) -> str:
    request = of_photos()
    observations = []
    if tower:
        observations.append(Observation(source="tower", question="category", photo=0, probabilities=tower))
    if imagenet is not None:
        leaves = {name: p for name, p in imagenet.items() if name != "clothes"}
        clothes = {"clothes": imagenet.get("clothes", 0.0)}
        observations.append(Observation(source="imagenet", question="category", photo=0, probabilities=leaves))
        observations.append(Observation(source="imagenet", question="garment", photo=0, probabilities=clothes))

    def never() -> object:
        raise AssertionError("nothing was to be decided")

    context = Context(request, load_taxonomy(), Calibration(), never, reader, observations, {0: mask})  # type: ignore[arg-type]
    (result,) = PhotoRoles().observe(request.photos, context)
    return next(iter(result.probabilities))


@pytest.mark.parametrize(
    ("tower", "mask", "lines", "imagenet", "expected"),
    [
        ({"Shirt": 0.9}, ITEM_MASK, CARE, None, "item"),  # a label seen on a whole shirt
        (UNSURE, ITEM_MASK, CARE, None, "label"),
        (UNSURE, ITEM_MASK, PRINT, {"clothes": 0.01, "Lamp": 0.3}, "item"),
        (LOST, None, [], {"clothes": 0.5, "Lamp": 0.1}, "nothing"),  # the mask finds nothing
        (LOST, ITEM_MASK, [], {"clothes": 0.01, "Chair": 0.1, "Sofa": 0.05}, "nothing"),  # hardly anything that is sold
        (LOST, ITEM_MASK, [], {"clothes": 0.01, "Chair": 0.2, "Sofa": 0.2}, "item"),  # furniture, whichever it is
        (LOST, None, [], {"clothes": 0.01, "Chair": 0.2, "Sofa": 0.2}, "nothing"),
        (LOST, ITEM_MASK, RECEIPT, {"clothes": 0.01, "Chair": 0.2, "Sofa": 0.2}, "nothing"),
        (LOST, ITEM_MASK, PACKET, {"clothes": 0.01, "Chair": 0.2, "Sofa": 0.2}, "item"),
        (LOST, ITEM_MASK, PRINT, {"clothes": 0.5, "Lamp": 0.1}, "item"),  # ImageNet sees clothes
        (LOST, ITEM_MASK, [], {"clothes": 0.01, "Chair": 0.6}, "item"),
        (LOST, ITEM_MASK, [], None, "item"),  # no ImageNet head: no second opinion
        ({}, ITEM_MASK, CARE, None, "item"),  # no tower
        ({}, ITEM_MASK, [*CARE, OcrSpan("MADE IN ITALY", (0.2, 0.4, 0.8, 0.5), 0.95)], None, "label"),
    ],
)
def test_the_role_follows_from_tower_mask_print_and_imagenet(tower, mask, lines, imagenet, expected):
    assert role(tower, mask, StubReader(lines), imagenet) == expected


def test_a_photo_that_the_tower_knows_is_not_read_for_its_role():
    class Never:
        def read(self, image):
            raise AssertionError("it was read")

    assert role({"Shirt": 0.9}, ITEM_MASK, Never(), None) == "item"


class Looking:
    """A tower that is sure of wide photos, unsure of labels (200 px) and sees nothing in others."""

    def look(self, image: Image.Image) -> TowerView:
        label = {300: {"Shirt": 0.95}, 200: {"Shirt": 0.2, "Hat": 0.3}}.get(image.width, {"Shirt": 0.1, "Hat": 0.1})
        mask = np.full((320, 320), 255, np.uint8) if image.width >= 200 else None
        return TowerView(
            mask, {"label": label, "item_type": {}}, condition={"creased": 0.9 if image.width < 300 else 0.1}
        )


LABEL = [
    OcrSpan("SIZE M", (0.1, 0.1, 0.5, 0.15), 0.95),
    OcrSpan("80% COTTON", (0.1, 0.2, 0.5, 0.25), 0.95),
    OcrSpan("20% POLYESTER", (0.1, 0.3, 0.5, 0.35), 0.95),
]


def test_a_label_photo_gives_size_and_composition_and_no_category():
    drafted = []
    for widths in ((300,), (300, 200)):
        backend = StubBackend({**HOODIE, "category": "shirt"})
        request = of_photos(*widths)
        reader = StubReader(by_width={200: LABEL})
        drafted.append(
            draft(request, backend=backend, reader=reader, sources=[EvidenceTowerHeads(Looking())], writes=False)
        )
        assert sum(question.name == "category" for question in backend.asked) == 1  # of the label nothing is asked
    alone, labelled = drafted
    assert labelled.category == alone.category
    assert labelled.attribute("size").value == "M"
    material = labelled.attribute("material")
    assert (material.value, material.evidence[0].text) == ("cotton", "80 % cotton, 20 % polyester")
    assert "80 % cotton and 20 % polyester" in labelled.description
    assert labelled.attribute("text").value is None  # what a label says is no print
    assert labelled.attribute("condition").value is None  # nor are its creases the item's
    assert "no-item" not in {flag.code for flag in labelled.flags}


@pytest.mark.parametrize(
    ("widths", "messages"),
    [
        ((120,), "I do not recognise what is in the photo: write what it is, or add another photo."),
        ((200,), "I see only a label in the photo: add a photo of the whole item, or write what it is."),
    ],
)
def test_photos_without_an_item_are_asked_about(widths, messages):
    request = of_photos(*widths)
    drafted = draft(request, reader=StubReader(by_width={200: LABEL}), sources=[EvidenceTowerHeads(Looking())])
    assert drafted.category.value is None
    assert drafted.questions[0].attribute == "category"
    assert [flag.message for flag in drafted.flags] == [messages]


def test_one_photo_without_an_item_is_said_and_left_out():
    request = of_photos(300, 120)
    receipt = StubReader(by_width={120: [OcrSpan("CORNER SHOP", (0.1, 0.1, 0.9, 0.3), 0.99)]})
    drafted = draft(
        request,
        backend=StubBackend({**HOODIE, "category": "shirt"}),
        sources=[EvidenceTowerHeads(Looking())],
        reader=receipt,
    )
    assert drafted.category.value == "Shirt"
    assert drafted.attribute("text").value is None
    assert any("nothing in photo 2" in flag.message for flag in drafted.flags)


def test_the_sellers_choice_goes_on_with_a_photo_of_nothing():
    request = of_photos(200, category="Shirt")
    drafted = draft(request, reader=StubReader(by_width={200: LABEL}), sources=[EvidenceTowerHeads(Looking())])
    assert (drafted.category.value, drafted.attribute("size").value) == ("Shirt", "M")
