"""Marks: at most three a draft, where they save the most; what is sure enough is plain, the rest is left out."""

from __future__ import annotations

import pytest

from listing.say.claims import Claim, with_stated
from listing.say.marks import MAX_MARKS, limit_marks
from listing.say.render import render
from listing.schema import AttributeValue, Evidence
from tests.listing.say.items import TAXONOMY

COAT = Claim("category", "Outwear", "certain", 0.95)


def guesses(*pairs: tuple[str, str, float]) -> list[Claim]:
    return [COAT, *(Claim(name, value, "check", p) for name, value, p in pairs)]


def statuses(claims: list[Claim]) -> dict[str, str]:
    spans = render(limit_marks(claims, TAXONOMY), TAXONOMY, key="0").spans
    return {s.value: s.status for s in spans if s.attribute != "category"}


def test_three_doubtful_claims_are_all_marked():
    pairs = [("colour", "navy", 0.7), ("detail", "drawstring hood", 0.6), ("detail", "belt", 0.9)]
    assert statuses(guesses(*pairs)) == {"navy": "check", "drawstring hood": "check", "belt": "check"}


def test_of_many_the_likely_are_plain_and_the_others_left_out():
    details = [
        ("detail", "drawstring hood", 0.74),
        ("detail", "belt", 0.8),
        ("detail", "side pockets", 0.55),
        ("detail", "ruffles", 0.6),
    ]
    chosen = statuses(guesses(("colour", "navy", 0.6), ("brand", "Nike", 0.6), *details))
    assert chosen == {"navy": "check", "Nike": "check", "drawstring hood": "check", "belt": "certain"}


@pytest.mark.parametrize("p", [0.2, 0.5, 0.99])
def test_colour_and_category_are_never_left_out(p):
    guess = [Claim("category", "Outwear", "check", p), Claim("colour", "navy", "check", p)]
    others = guesses(("brand", "Nike", 0.75), ("size", "M", 0.75), ("item_type", "parka", 0.75), ("text", "HI", 0.7))[
        1:
    ]
    spans = render(limit_marks([*guess, *others], TAXONOMY), TAXONOMY, key="0").spans
    assert "colour" in {s.attribute for s in spans}
    assert len({(s.attribute, s.value) for s in spans if s.status == "check"}) <= MAX_MARKS


def test_print_that_is_no_word_is_never_plain():
    read = Claim("text", "OUBLE", "check", 0.99, from_print=True)
    more = guesses(("colour", "navy", 0.6), ("brand", "Nike", 0.7), ("item_type", "parka", 0.7))
    assert all(c.status == "check" for c in limit_marks([*more, read], TAXONOMY) if c.value == "OUBLE")


def test_what_no_photo_settles_is_never_plain():
    more = guesses(("colour", "navy", 0.6), ("brand", "Nike", 0.7), ("item_type", "parka", 0.7), ("text", "HI", 0.7))
    assert "leather" not in statuses([*more, Claim("material", "leather", "check", 0.97)])


def test_what_the_seller_says_stays():
    stated = [Claim("detail", phrase, "seller") for phrase in ("drawstring hood", "belt", "side pockets", "ruffles")]
    assert limit_marks([COAT, *stated], TAXONOMY) == [COAT, *stated]


def test_choosing_marks_a_second_time_changes_nothing():
    pairs = [
        ("colour", "navy", 0.6),
        *(("detail", d, 0.7) for d in ("drawstring hood", "belt", "side pockets", "ruffles")),
    ]
    once = limit_marks(guesses(*pairs), TAXONOMY)
    assert limit_marks(once, TAXONOMY) == once
    marked = {(s.attribute, s.value) for s in render(once, TAXONOMY, key="0").spans if s.status == "check"}
    assert len(marked) == MAX_MARKS


def test_an_item_that_nobody_named_has_three_marks_as_well():
    pairs = (("text", "TWININGS", 0.7), ("brand", "Twinings", 0.7), ("colour", "navy", 0.6), ("colour2", "red", 0.6))
    chosen = limit_marks(guesses(*pairs)[1:], TAXONOMY)
    assert "colour" in {c.attribute for c in chosen}
    assert sum(s.status == "check" for s in render(chosen, TAXONOMY, key="0").spans if s.field == "description") <= 3


def test_text_and_facts_state_the_same():
    guesses_of = {"closure": ("zip", 0.8), "colour": ("navy", 0.6), "brand": ("Nike", 0.6), "size": ("M", 0.6)}
    seen = [Evidence(source="classifier", photo=0)]
    facts = [
        AttributeValue(name=name, suggestion=value, status="unsupported", confidence=p, evidence=seen)
        for name, (value, p) in guesses_of.items()
    ]
    claims = guesses(*((name, value, p) for name, (value, p) in guesses_of.items()))
    spans = render(limit_marks(claims, TAXONOMY), TAXONOMY, key="0").spans
    assert ("zip", "certain") in {(s.value, s.status) for s in spans}
    stated = {fact.name: fact.value for fact in with_stated(facts, spans, TAXONOMY)}
    assert stated == {"closure": "zip", "colour": None, "brand": None, "size": None}
