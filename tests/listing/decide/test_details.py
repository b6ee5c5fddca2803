import pytest

from listing.decide.decision import EXCLUSIVE, together
from listing.say.settle import detail_forms


def test_what_excludes_each_other_has_no_more_than_one_probability() -> None:
    decided = together({"elastic waist": 0.9, "fixed waistband with fly": 0.6, "belt": 0.9})
    assert decided["elastic waist"] == pytest.approx(0.6)
    assert decided["fixed waistband with fly"] == pytest.approx(0.4)
    assert decided["belt"] == 0.9


def test_what_leaves_room_for_each_other_stays_as_it_is() -> None:
    shares = {"straight legs": 0.5, "wide legs": 0.3, "pockets": 0.9}
    assert together(shares) == shares


def test_every_phrase_of_the_groups_is_a_detail() -> None:
    assert {phrase for group in EXCLUSIVE for phrase in group} <= set(detail_forms())
