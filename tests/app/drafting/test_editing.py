"""The seller's changes over what the model wrote."""

from __future__ import annotations

import pytest

from app.editing import prices
from app.editing.edits import clean_text
from app.views import AppError
from listing.intake.photos import intake
from listing.request import DraftRequest
from listing.say import edits
from listing.say.edits import Edit
from tests.fakes import UNSUPPORTED, jpeg, make_draft


@pytest.fixture
def draft():
    return make_draft(DraftRequest(photos=intake([jpeg()])))


def test_the_last_word_on_a_field_counts(draft):
    made = edits.changes(
        [
            Edit("set", "colour", "black"),
            Edit("drop", "colour"),
            Edit("set", "colour", "blue"),
            Edit("set", "title", "A"),
            Edit("undo", "title"),
        ]
    )
    seen = edits.apply(draft, made)
    assert seen.attribute("colour").value == "blue"
    assert seen.attribute("colour").locked
    assert seen.attribute("colour").evidence[0].source == "seller"
    assert seen.title == draft.title
    assert made.locked == {"colour"}


def test_flags_move_with_their_words_and_go_when_these_go(draft):
    flag = draft.flags[0]
    moved = edits.apply(draft, edits.changes([Edit("set", "description", f"New. {UNSUPPORTED}.")]))
    start, end = moved.flags[0].span
    assert moved.description[start:end] == UNSUPPORTED
    assert start != flag.span[0]
    assert edits.apply(draft, edits.changes([Edit("set", "description", "New.")])).flags == []
    assert edits.apply(draft, edits.changes([Edit("confirm", "description", UNSUPPORTED)])).flags == []


def test_what_the_seller_locked_is_never_counted_as_generated(draft):
    made = edits.changes([Edit("set", "title", "Mine"), Edit("set", "colour", "black")])
    rewritten = make_draft(DraftRequest(photos=(), title="Mine", facts={"colour": "black"}, tone="warmer"))
    kept = edits.regenerated(rewritten, draft, made)
    assert kept.title == draft.title
    assert kept.attribute("colour").value == "navy"
    assert kept.description == rewritten.description
    assert edits.apply(kept, made).title == "Mine"


@pytest.mark.parametrize(
    ("given", "price"),
    [
        *(("12.5", 12.5), ("12,50", 12.5), (3, 3.0), ("", None), (None, None), ("0", 0.0), ("12,-", 12.0)),
        *(("12,50 €", 12.5), ("€12", 12.0), ("12 euro", 12.0), ("12€", 12.0), ("EUR 12.50", 12.5), ("12eur", 12.0)),
        *(("1.000", 1000.0), ("1,000", 1000.0), ("1.250,50", 1250.5), ("1,250.50", 1250.5), ("1 000", 1000.0)),
        *(("1000,5", 1000.5), ("0.125", 0.12), (12.125, 12.12), ("free", 0.0), ("Gratis", 0.0), ("€", None)),
    ],
)
def test_prices(given, price):
    assert prices.parse_price(given) == price


@pytest.mark.parametrize(
    "given",
    ["abc", "-1", "1e9", "nan", "inf", "1.2.3", "9" * 400, "１２", "12 apples", "1.0000.000", float("nan"), "12-15"],
)
def test_what_is_no_price(given):
    with pytest.raises(AppError, match="price"):
        prices.parse_price(given)


def test_text_is_cleaned_but_markup_stays_text():
    assert clean_text("  a\x00b\ud800\u202e  <b>c</b>\nd ", 99, "It") == "ab <b>c</b> d"
    assert clean_text("a\r\nb", 99, "It", lines=True) == "a\nb"
    with pytest.raises(AppError, match="10000 characters; shorten it to at most 120"):
        clean_text("x" * 10_000, 120, "The title")


def test_the_score_follows_what_the_seller_says(draft):
    seen = edits.apply(draft, edits.changes([Edit("set", "material", "fleece")]))
    more = edits.apply(draft, edits.changes([Edit("set", "material", "fleece"), Edit("set", "size", "M")]))
    assert more.quality.score > seen.quality.score
    assert "size" in seen.quality.tips[0]
    assert not any("size" in tip or "guesses: material" in tip for tip in more.quality.tips)
    assert draft.quality.tips[0] in more.quality.tips
