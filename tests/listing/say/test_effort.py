"""The simulated seller: each rule of what a correction costs."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.drafts.effort import Effort, effort, from_nothing, table, with_offers, with_search
from listing.say.ask import offers_of
from listing.say.claims import Claim
from listing.say.render import render
from listing.schema import Draft, Quality
from tests.listing.say.items import TAXONOMY, category

ROW: dict[str, Any] = {
    "label": "Dress", "item": "dress", "colour": "navy", "colour2": None, "pattern": "solid", "sleeve": "short",
    "neckline": "n/a", "closure": "pull-on", "material": "cotton", "audience": "unknown", "text": None, "brand": None,
    "condition": ["none-visible"], "guess": ["material"], "title": "Navy dress",
    "description": "A navy dress with short sleeves and a belt.",
}  # fmt: skip


def drafted(*claims: Claim, **update: Any) -> Draft:
    text = render([Claim("category", "Dress"), *claims], TAXONOMY, key="0")
    draft = Draft(
        id="0",
        photos=[],
        category=category("Dress"),
        title=text.title,
        description=text.description,
        spans=text.spans,
        quality=Quality(score=1),
        model="m",
    )
    return draft.model_copy(update=update)


def effort_of(*claims: Claim, **truth: Any) -> Effort:
    return effort(drafted(*claims), {**ROW, **truth}, TAXONOMY)


NAVY, SHORT, BELT = Claim("colour", "navy"), Claim("sleeve", "short"), Claim("detail", "belt")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ((NAVY, SHORT, BELT), Effort()),
        ((Claim("colour", "navy", "check"), Claim("sleeve", "short", "check"), BELT), Effort(confirm=1)),
        ((Claim("colour", "black", "check", 0.6, ("navy",)), SHORT, BELT), Effort(marked=1)),
        ((Claim("colour", "black", "check", 0.6), SHORT, BELT), Effort(marked=2 + len("navy"))),
        ((Claim("colour", "black"), SHORT, BELT), Effort(unmarked=3)),
        ((SHORT, BELT), Effort(missing=2)),
        ((NAVY, SHORT), Effort(details=len("belt"))),
        ((NAVY, SHORT, BELT, Claim("detail", "bow")), Effort(details=3)),
        ((NAVY, SHORT, BELT, Claim("detail", "bow", "check", 0.6)), Effort(details=1)),
        ((NAVY, SHORT, BELT, Claim("neckline", "hood", "check", 0.6)), Effort(marked=1)),
        ((NAVY, SHORT, BELT, Claim("material", "wool")), Effort()),  # the annotator only guessed
        ((NAVY, SHORT, BELT, Claim("audience", "women")), Effort()),  # nobody knows
    ],
)
def test_costs(claims, expected):
    assert effort_of(*claims) == expected


def test_free_text_is_typed():
    assert effort_of(NAVY, SHORT, BELT, brand="Zara").missing == len("Zara")
    assert effort_of(NAVY, SHORT, BELT, Claim("brand", "ZARA"), brand="Zara") == Effort()


def test_what_the_name_says_is_not_missing():
    assert effort_of(NAVY, BELT, Claim("item_type", "t-shirt dress")) == Effort()
    assert effort_of(NAVY, SHORT, BELT, Claim("item_type", "boots")).unmarked == 3


def test_a_draft_without_spans_is_judged_by_its_words():
    draft = Draft(
        id="0", photos=[], category=category("Dress"), title="Dress", description="This is a dress.",
        quality=Quality(score=1), model="m",
    )  # fmt: skip
    assert effort(draft, ROW, TAXONOMY) == Effort(missing=4, details=4)
    lines = table({"first": [(draft, ROW)]}, TAXONOMY).splitlines()
    counts = ["1", "8.00", "8.00", "0.00", "0.00", "0.00", "4.00", "4.00", "0.00"]
    assert [line.split() for line in lines[1:4]] == [
        ["first", rule, *counts] for rule in ("typed", "offered", "searched")
    ]
    assert lines[4].split() == ["nothing", "typed", "1", f"{from_nothing(ROW):.2f}"]


def test_what_is_offered_costs_a_tap_and_stands_in_the_text_then():
    row = {**ROW, "description": "A navy dress with short sleeves, a belt, a bow and side slits.", "colour2": "white"}
    likely = {("detail", "bow"): 0.4, ("detail", "belt"): 0.3, ("detail", "piping"): 0.2, ("colour2", "white"): 0.1}
    draft = drafted(NAVY, SHORT, offers=offers_of(likely, "Dress", TAXONOMY))
    letters = len("belt") + len("bow") + len("side slits")
    assert effort(draft, row, TAXONOMY) == Effort(missing=2, details=letters)
    assert with_offers(draft, row, TAXONOMY) == Effort(details=len("side slits"), offers=3)
    assert table({"first": [(draft, row)]}, TAXONOMY).splitlines()[-2:] == [
        "first: 3 details left out; share of them among the first offers, 4: 0.667, 8: 0.667, 12: 0.667, 24: 0.667",
        "first: 1 facts left out; share of them among the first offers, 4: 1.000, 8: 1.000, 12: 1.000, 24: 1.000",
    ]
    # "More", a tap into the field, letters until it comes before other "side ..."s, and the tap on it.
    assert with_search(draft, row, TAXONOMY) == Effort(offers=3 + 1 + len("side s") + 2)


def test_what_stands_behind_more_costs_one_tap_more(monkeypatch):
    monkeypatch.setattr("benchmarks.drafts.effort.OFFERS_AT_ONCE", 1)
    row = {**ROW, "description": "A navy dress with short sleeves and a belt."}
    likely = {("detail", "bow"): 0.4, ("detail", "belt"): 0.3}
    draft = drafted(NAVY, SHORT, offers=offers_of(likely, "Dress", TAXONOMY))
    assert with_offers(draft, row, TAXONOMY) == Effort(details=len("belt"))
    assert with_search(draft, row, TAXONOMY) == Effort(offers=2)


def test_an_offer_that_is_not_in_the_text_after_its_tap_is_still_missing(monkeypatch):
    row = {**ROW, "description": "A navy dress with short sleeves and a belt."}
    draft = drafted(NAVY, SHORT, offers=offers_of({("detail", "belt"): 0.3}, "Dress", TAXONOMY))
    silent = draft.model_copy(update={"offers": []})
    monkeypatch.setattr("benchmarks.drafts.effort.apply", lambda *_: silent)
    assert with_offers(draft, row, TAXONOMY) == Effort(details=len("belt"), offers=1)
