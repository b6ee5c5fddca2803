"""Texts of what is called by its print, of what has no article, of what nobody has named; marks on unmeasured names."""

from __future__ import annotations

import re

import pytest

from listing.calibration import GENERAL, Calibration, QuestionCalibration
from listing.say.claims import claims_of
from listing.say.render import Text, render
from tests.listing.say.items import CALIBRATION, TAXONOMY, category, every_plan, fact

TEA = "TWININGS The Everyday Tea"


def packet(kind: str, printed: str, *, p: float = 0.9, kind_p: float = 0.5, **facts: str) -> Text:
    """The texts of a blue packet with that print, which was read with a score of ``p``."""
    read = [fact(name, value, p, "ocr") for name, value in {"text": printed, **facts}.items()]
    claims = claims_of(category(kind, p=kind_p), [fact("colour", "blue"), *read], [], TAXONOMY, CALIBRATION)
    return render(claims, TAXONOMY, key="0")


def test_a_packet_is_called_by_its_print_and_its_colour_is_not_told() -> None:
    rendered = packet("Groceries", TEA, volume="80 bags")
    assert rendered.title == f"{TEA}, 80 bags"
    assert f'It says "{TEA}" on it.' in rendered.description
    assert "Contents: 80 bags." in rendered.description
    assert "blue" not in f"{rendered.title} {rendered.description}".lower()
    assert [s.value for s in rendered.spans if s.field == "title"] == [TEA, "80 bags"]


def test_the_maker_stands_before_the_print_and_a_sure_kind_behind_it() -> None:
    assert packet("Groceries", "The Everyday Tea", brand="Nestle").title == "Nestle The Everyday Tea"
    assert packet("Groceries", "Nestle Everyday Tea", brand="Nestle").title == "Nestle Everyday Tea"
    assert packet("Body lotion", "Soft Touch", kind_p=0.95).title == "Soft Touch, body lotion"
    assert packet("Body lotion", "Soft Touch").title == "Soft Touch"


def test_a_long_print_is_cut_in_the_title_alone() -> None:
    printed = "one two three four five six seven eight nine ten eleven"
    rendered = packet("Book", printed)
    assert len(rendered.title.split()) == 9
    assert printed in rendered.description


def test_print_that_can_hardly_be_read_heads_no_listing() -> None:
    assert packet("Groceries", "TWNGS Evrydy", p=0.85).title == "Blue food product"
    assert packet("Groceries", "TWNGS Evrydy", p=0.97).title == "TWNGS Evrydy"


def test_print_on_other_things_is_a_print() -> None:
    assert packet("Mug", "SUMMER").title.lower().startswith("blue mug")


@pytest.mark.parametrize("kind", ["Bedding", "Stationery", "Make-up", "Medicine"])
def test_what_is_not_counted_has_no_article(kind: str) -> None:
    for rendered in every_plan(kind, {"colour": "grey"}):
        assert not re.search(r"\b[Aa] grey", rendered.description), rendered.description


def test_what_nobody_has_named_is_an_item_and_its_buyer_may_ask() -> None:
    rendered = render(
        claims_of(
            category("Chair").model_copy(update={"value": None}), [fact("colour", "black")], [], TAXONOMY, CALIBRATION
        ),
        TAXONOMY,
        key="0",
    )
    assert rendered.title == "Black item"
    assert rendered.description == "It is black. Just ask if you would like to know more."


@pytest.mark.parametrize(
    ("kind", "p", "status"), [("Chair", 0.6, "check"), ("Chair", 0.8, "certain"), ("Hat", 0.6, "certain")]
)
def test_a_name_that_no_threshold_was_measured_for_is_marked_below_three_quarters(kind, p, status) -> None:
    rule = QuestionCalibration(weights={"classifier": 1.0}, threshold=0.5)
    (claim,) = claims_of(category(kind, p=p), [], [], TAXONOMY, Calibration(default=rule))
    assert claim.status == status
    shop = QuestionCalibration(weights={GENERAL: 1.0}, threshold=0.5)
    (claim,) = claims_of(category(kind, p=p), [], [], TAXONOMY, Calibration(default=rule, questions={"category": shop}))
    assert claim.status == "certain"
