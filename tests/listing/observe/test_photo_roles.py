"""Which photos show the item, a label, or nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from listing.calibration import Calibration
from listing.intake.photos import intake
from listing.observe.photo_roles import PhotoRoles
from listing.observe.printed.ocr import OcrSpan
from listing.observe.source import Context
from listing.request import DraftRequest
from listing.schema import Observation
from listing.taxonomy import load_taxonomy
from tests.listing.stubs import StubReader

CARE = [OcrSpan("80% COTTON", (0.2, 0.2, 0.8, 0.3), 0.95)]
PRINT = [OcrSpan("ROCK", (0.2, 0.2, 0.8, 0.3), 0.95)]
RECEIPT = [OcrSpan(f"Milk {i}.20", (0.1, i / 20, 0.9, i / 20 + 0.03), 0.95) for i in range(14)]
PACKET = [OcrSpan("Pudding", (0.1, 0.8, 0.9, 0.95), 0.95), *RECEIPT]
UNSURE, LOST = {"Shirt": 0.5, "Top": 0.2}, {"Shirt": 0.2, "Top": 0.2}
ITEM_MASK = np.full((8, 8), 255, np.uint8)


def role(tower: dict[str, float], mask: np.ndarray | None, reader: object, imagenet: dict[str, float] | None) -> str:
    held = io.BytesIO()
    Image.new("RGB", (64, 64)).save(held, "JPEG")
    request = DraftRequest(photos=intake([held.getvalue()]))
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
