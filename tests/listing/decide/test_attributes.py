"""Facts from observations: thresholds, print, the seller's note, and what holds where nobody knows the category."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from listing.calibration import Calibration, QuestionCalibration
from listing.decide.decision import together
from listing.details import detail_forms, exclusive
from listing.schema import AttributeValue, Observation
from tests.listing.stubs import decided, on

SHIRT = on("evidence_tower", "category", "Shirt")


def fact(name: str, *observations: Observation, calibration: Calibration | None = None) -> AttributeValue:
    decision = decided([SHIRT, *observations], *([calibration] if calibration else []))
    return next(f for f in decision.facts if f.name == name)


def heard(**weights: float) -> Calibration:
    rule = QuestionCalibration(weights=weights, threshold=0.8)
    return Calibration(default=rule, questions={"category": QuestionCalibration(weights={}, threshold=0.5)})


def test_a_value_is_stated_from_its_threshold_on() -> None:
    sure = fact("closure", on("evidence_tower", "closure", {"zip": 0.9, "buttons": 0.1}))
    assert (sure.value, sure.status, sure.evidence[0].source) == ("zip", "supported", "classifier")
    unsure = fact("closure", on("evidence_tower", "closure", {"zip": 0.6, "buttons": 0.4}))
    assert (unsure.value, unsure.suggestion, unsure.alternatives) == (None, "zip", ["buttons"])
    assert (
        fact("closure", on("evidence_tower", "closure", {"zip": 0.2})).status == "unknown"
    )  # the rest is "cannot tell"


def test_pixels_alone_state_no_colour_of_what_no_mask_was_trained_on() -> None:
    def colour(kind: str) -> AttributeValue:
        decision = decided([on("seller", "category", kind), on("pixels", "colour", {"white": 0.99})])
        return next(f for f in decision.facts if f.name == "colour")

    for kind in ("soup mix", "Stool", "Belt"):
        assert (colour(kind).value, colour(kind).suggestion) == (None, "white")


def test_no_photo_states_what_it_cannot_settle() -> None:
    cotton = fact("material", on("evidence_tower", "material", {"cotton": 0.99}))
    assert (cotton.value, cotton.suggestion) == (None, "cotton")
    label = on("ocr", "material", "cotton", text="100 % cotton", box=(0, 0, 1, 1))
    assert fact("material", on("evidence_tower", "material", {"cotton": 0.99}), label).value == "cotton"


def test_unheard_source_is_no_evidence() -> None:
    votes = on("neighbours", "closure", {"zip": 1.0}, None, listing_ids=["n1", "n2"])
    observed = on("evidence_tower", "closure", {"zip": 0.9, "buttons": 0.1})
    deaf = fact("closure", observed, votes, calibration=heard(classifier=1.0))
    assert [e.source for e in deaf.evidence] == ["classifier"]
    listening = fact("closure", observed, votes, calibration=heard(classifier=1.0, neighbours=0.5))
    assert [e.source for e in listening.evidence] == ["classifier", "neighbours"]
    assert listening.evidence[1].listing_ids == ["n1", "n2"]


def test_second_colour_rests_on_its_pixels() -> None:
    first, second = on("pixels", "colour", {"black": 0.9}), on("pixels", "colour2", {"white": 0.99, "none": 0.01})
    result = fact("colour2", first, second, calibration=heard(pixels=1.0))
    assert (result.value, [(e.source, e.score) for e in result.evidence]) == ("white", [("pixels", 0.99)])
    again = fact("colour2", first, on("pixels", "colour2", {"black": 0.99}), calibration=heard(pixels=1.0))
    assert (again.value, again.suggestion) == (None, None)


def test_second_colour_of_stripes_may_be_first() -> None:
    first = on("pixels", "colour", {"white": 0.6, "navy": 0.4})
    second = on("pixels", "colour2", {"white": 0.6, "navy": 0.2, "none": 0.2})
    both = heard(pixels=1.0, classifier=1.0)
    plain = on("evidence_tower", "pattern", {"solid": 0.9, "striped": 0.1})
    assert fact("colour2", first, second, plain, calibration=both).suggestion is None
    striped = on("evidence_tower", "pattern", {"striped": 0.9, "solid": 0.1})
    assert fact("colour", first, second, striped, calibration=both).suggestion == "white"
    assert fact("colour2", first, second, striped, calibration=both).value == "navy"
    sold_as_navy = on("seller", "colour", "navy", None)
    assert fact("colour2", sold_as_navy, first, second, striped, calibration=both).value == "white"


@pytest.mark.parametrize(
    ("name", "observed", "noted", "value"),
    [
        ("condition", on("evidence_tower", "condition", {"pilling": 0.95}), "stain", "stain, pilling"),
        ("condition", on("evidence_tower", "condition", {"none-visible": 0.95}), "stain", "stain"),
        ("size", on("ocr", "size", "M"), "M", "M"),
        ("size", on("ocr", "size", "L"), "M", "M"),
    ],
)
def test_note_stands_above_photo_and_print(name: str, observed: Observation, noted: str, value: str) -> None:
    result = fact(name, observed, on("note", name, noted, None, text=noted))
    assert (result.value, result.locked) == (value, False)
    assert result.evidence[0].source == "seller"
    assert fact(name, observed).value == next(iter(observed.probabilities))  # without the note


def test_labels_that_disagree_state_nothing() -> None:
    decision = decided([SHIRT, on("ocr", "size", "L"), on("ocr", "size", "M", 1)], photos=2)
    assert next(f for f in decision.facts if f.name == "size").status == "unknown"


@pytest.mark.parametrize(("threshold", "value", "suggestion"), [(0.8, "jeans", None), (1.01, None, "jeans")])
def test_a_type_is_one_that_the_category_has(threshold: float, value: str | None, suggestion: str | None) -> None:
    types = {"Pants": ["dress", "jeans"], "Hat": ["beanie"]}  # a dress is another category
    shares = {"dress": 0.5, "beanie": 0.3, "jeans": 0.17, "unknown": 0.03}
    rule = QuestionCalibration(weights={"classifier": 1.0}, threshold=threshold)
    observations = [on("evidence_tower", "category", "Pants"), on("evidence_tower", "item_type", shares)]
    decision = decided(observations, Calibration(default=rule), types=types)
    fact = next(f for f in decision.facts if f.name == "item_type")
    assert (fact.value, fact.suggestion) == (value, suggestion)


def test_wear_is_stated_or_suggested_by_probability() -> None:
    wear = [fact("condition", on("evidence_tower", "condition", {"creased": p})) for p in (0.9, 0.7, 0.3)]
    assert [(f.value, f.suggestion) for f in wear] == [("creased", None), (None, "creased"), (None, None)]


def test_packet_is_named_by_its_largest_print() -> None:
    prints = [
        on("ocr", "text", {"Roasted Almonds": 0.97}, box=(0.2, 0.5, 0.8, 0.615), text="Roasted Almonds"),
        on("ocr", "text", {"DOVE": 0.98}, box=(0.2, 0.1, 0.7, 0.24), text="DOVE"),
        on("ocr", "text", {"Dove": 0.98}, box=(0.2, 0.7, 0.5, 0.8), text="Dove"),  # the same again
        on("ocr", "text", {"covered in silky smooth milk": 0.99}, box=(0.3, 0.56, 0.6, 0.57), text="covered"),
    ]
    packet = [on("imagenet", "category", {"Groceries": 0.9}), on("imagenet", "garment", {"clothes": 0.001})]
    name = next(f for f in decided([*packet, *prints]).facts if f.name == "text")
    assert (name.value, name.confidence, len(name.evidence)) == ("DOVE Roasted Almonds", 0.97, 2)
    mug = [on("imagenet", "category", {"Mug": 0.9}), on("imagenet", "garment", {"clothes": 0.001})]
    assert next(f for f in decided([*mug, *prints]).facts if f.name == "text").value == "DOVE"


def test_denim_is_as_likely_as_it_looks() -> None:
    says_denim = on("evidence_tower", "material", {"denim": 0.9, "cotton": 0.1})
    for look, likely in ((0.1, "cotton"), (0.8, "denim")):
        looks = on("evidence_tower", "detail", {"denim look": look, "leather look": 0.01})
        seen = fact("material", says_denim, looks, calibration=heard(classifier=1.0))
        assert seen.suggestion == likely
        assert (likely == "denim") is (seen.confidence == pytest.approx(0.8))


# -- details ----------------------------------------------------------------------------------------------------------


def test_exclusive_details_share_one_probability() -> None:
    shared = together({"elastic waist": 0.9, "fixed waistband with fly": 0.6, "belt": 0.9})
    assert shared == pytest.approx({"elastic waist": 0.6, "fixed waistband with fly": 0.4, "belt": 0.9})
    shares = {"straight legs": 0.5, "wide legs": 0.3, "pockets": 0.9}
    assert together(shares) == shares
    assert {phrase for group in exclusive() for phrase in group} <= set(detail_forms())


def test_details_are_the_same_in_every_process() -> None:
    legs = {f"{shape} legs": p for shape, p in zip(("straight", "skinny", "wide", "flared", "tapered"),
                                                   (0.9, 0.7, 0.35, 0.13, 0.57), strict=True)}  # fmt: skip
    code = f"from listing.decide.decision import together; print(together({legs!r}))"
    printed = {
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True,
                       check=True).stdout for seed in "01234"
    }  # fmt: skip
    assert len(printed) == 1


def test_one_clear_photo_shows_a_detail() -> None:
    views = [{"Shoes": 0.9}, {"Shoes": 0.9}, {"Shoes": 0.5, "Hat": 0.5}]
    details = [{"bow": 0.1, "belt": 0.6}, {"bow": 0.9}, {"piping": 0.9}]  # the third hardly shows the item
    observed = [on("evidence_tower", "category", view, i) for i, view in enumerate(views)]
    observed += [on("evidence_tower", "detail", shares, i) for i, shares in enumerate(details)]
    decision = decided([on("seller", "category", "Shoes", None), *observed], photos=3)
    assert [(d.phrase, d.confidence, d.photo) for d in decision.details] == [("bow", 0.9, 1), ("belt", 0.6, 0)]
