"""The simulated seller: each rule of what a correction costs."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.drafts.effort import Effort, effort, from_nothing, table
from listing.schema import Draft, Quality
from listing.text.claims import Claim
from listing.text.render import render
from tests.listing.text.items import TAXONOMY, category

ROW: dict[str, Any] = {
    "label": "Dress", "item": "dress", "colour": "navy", "colour2": None, "pattern": "solid", "sleeve": "short",
    "neckline": "n/a", "closure": "pull-on", "material": "cotton", "audience": "unknown", "text": None, "brand": None,
    "condition": ["none-visible"], "guess": ["material"], "title": "Navy dress",
    "description": "A navy dress with short sleeves and a belt.",
}  # fmt: skip


def told(*claims: Claim, **truth: Any) -> Effort:
    said = [Claim("category", "Dress"), *claims]
    text = render(said, TAXONOMY, key="0")
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
    return effort(draft, {**ROW, **truth}, TAXONOMY)


NAVY, SHORT, BELT = Claim("colour", "navy"), Claim("sleeve", "short"), Claim("detail", "belt")


@pytest.mark.parametrize(
    ("claims", "wanted"),
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
def test_costs(claims, wanted):
    assert told(*claims) == wanted


def test_free_text_is_typed():
    assert told(NAVY, SHORT, BELT, brand="Zara").missing == len("Zara")
    assert told(NAVY, SHORT, BELT, Claim("brand", "ZARA"), brand="Zara") == Effort()


def test_what_the_name_says_is_not_missing():
    assert told(NAVY, BELT, Claim("item_type", "t-shirt dress")) == Effort()
    assert told(NAVY, SHORT, BELT, Claim("item_type", "boots")).unmarked == 3


def test_a_draft_without_spans_is_judged_by_its_words():
    draft = Draft(
        id="0", photos=[], category=category("Dress"), title="Dress", description="This is a dress.",
        quality=Quality(score=1), model="m",
    )  # fmt: skip
    assert effort(draft, ROW, TAXONOMY) == Effort(missing=4, details=4)
    lines = table({"first": [(draft, ROW)]}, TAXONOMY).splitlines()
    assert lines[1].split() == ["first", "1", "8.00", "8.00", "0.00", "0.00", "0.00", "4.00", "4.00"]
    assert lines[2].split() == ["nothing", "1", f"{from_nothing(ROW):.2f}"]
