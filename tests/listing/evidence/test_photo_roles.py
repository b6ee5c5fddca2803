"""Which photos show the item, a label, or nothing."""

import pytest

from listing.observe.photo_roles import Range, photo_role
from listing.observe.printed.ocr import OcrSpan

CARE = [OcrSpan("80% COTTON", (0.2, 0.2, 0.8, 0.3), 0.95)]
PRINT = [OcrSpan("ROCK", (0.2, 0.2, 0.8, 0.3), 0.95)]
UNSURE, LOST = {"Shirt": 0.5, "Top": 0.2}, {"Shirt": 0.2, "Top": 0.2}


@pytest.mark.parametrize(
    ("label", "found", "lines", "ranged", "role"),
    [
        ({"Shirt": 0.9}, True, CARE, None, "item"),  # a label seen on a whole shirt
        (UNSURE, True, CARE, None, "label"),
        (UNSURE, True, PRINT, Range(-3, 0), "item"),
        (LOST, False, [], Range(0.5, 0.0), "nothing"),  # the mask finds nothing
        (LOST, True, [], Range(-2.5, 0.1), "nothing"),
        (LOST, True, PRINT, Range(0.5, 0.1), "item"),  # ImageNet sees clothes
        (LOST, True, [], Range(-2.5, 0.6), "item"),  # a chair
        (LOST, True, [], None, "item"),  # no ImageNet head: no second opinion
        ({}, True, CARE, None, "item"),  # no tower
    ],
)
def test_the_role_follows_from_tower_mask_print_and_range(label, found, lines, ranged, role):
    assert photo_role(label, found, lambda: lines, lambda: ranged) == role


def test_a_photo_that_the_tower_knows_is_not_read_for_its_role():
    def never():
        raise AssertionError("it was read")

    assert photo_role({"Shirt": 0.9}, True, never, never) == "item"
