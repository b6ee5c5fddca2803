"""What a fact rests on, with and without the seller's note."""

from __future__ import annotations

import pytest

from listing.observe.networks.colour_pixels import PixelView
from listing.calibration import Calibration, QuestionCalibration
from listing.decide.questions import Reading
from listing.decide.verify import noted_fact, visible_fact, without_note
from listing.schema import AttributeValue, Evidence
from listing.taxonomy import load_taxonomy

ATTRIBUTES = load_taxonomy().attributes


def seen(name: str, value: str, source: str) -> AttributeValue:
    found = Evidence(source=source, photo=0, score=0.9)  # type: ignore[arg-type]
    return AttributeValue(name=name, value=value, status="supported", confidence=0.9, evidence=[found])


@pytest.mark.parametrize(
    ("name", "noted", "beside", "left"),
    [
        ("condition", "stain", seen("condition", "pilling", "classifier"), "pilling"),
        ("condition", "stain", None, None),
        ("size", "M", seen("size", "M", "ocr"), "M"),
        ("size", "M", seen("size", "L", "ocr"), None),
    ],
)
def test_without_its_note_a_fact_is_what_was_seen_or_read(
    name: str, noted: str, beside: AttributeValue | None, left: str | None
) -> None:
    fact = noted_fact(name, noted, beside)
    assert noted in (fact.value or "")
    after = without_note(fact, ATTRIBUTES[name])
    assert after.value == left
    assert all(e.source != "seller" for e in after.evidence)


def test_a_second_colour_rests_on_the_pixels_that_show_it() -> None:
    shares = {"white": 0.99, "none": 0.01}
    view = PixelView(0, {"black": 0.9, "white": 0.1}, second=shares)
    rule = Calibration(default=QuestionCalibration(weights={"pixels": 1.0}, threshold=0.8))
    fact = visible_fact(Reading(ATTRIBUTES["colour2"], shares, {"pixels": shares}), rule, [view])
    assert (fact.value, [(e.source, e.score) for e in fact.evidence]) == ("white", [("pixels", 0.99)])
