"""A tap changes the text at once: replaced in place, confirmed, taken out."""

from __future__ import annotations

import pytest

from listing.decide.settle import item_of, settle
from listing.observe.seller import Edit
from listing.say.again import remove
from listing.say.ask import offers_of
from listing.say.edit import replace_words
from listing.say.marks import find_spans
from listing.say.plan import stated_claims
from listing.say.render import render
from listing.schema import Draft, Span
from tests.listing.stubs import TAXONOMY, claims, draft_of, fact, pressed, text, written

ITEM = item_of("Dress", TAXONOMY)
SHIRT = {"colour": "navy", "sleeve": "long", "neckline": "boat", "pattern": "striped"}


def drafted(facts=SHIRT, details=("pockets", "belt")) -> Draft:
    return draft_of("Dress", text("Dress", facts, details), id="d1")


def fields(draft: Draft) -> dict[str, str]:
    return {"title": draft.title, "description": draft.description}


def at(spans_before: list[Span], attribute: str, field: str = "description") -> int:
    return next(i for i, s in enumerate(spans_before) if (s.attribute, s.field) == (attribute, field))


def span(text_: str, words: str, attribute: str, value: str) -> Span:
    start = text_.index(words)
    return Span(
        field="description", start=start, end=start + len(words), attribute=attribute, value=value, status="check"
    )


@pytest.mark.parametrize(
    ("text_", "words", "attribute", "value", "new", "expected"),
    [
        ("A navy dress.", "navy", "colour", "navy", "olive", "An olive dress."),
        ("This is an olive dress.", "olive", "colour", "olive", "light-blue", "This is a light blue dress."),
        ("Navy dress.", "Navy", "colour", "navy", "red", "Red dress."),
        ("It has a v-neck.", "v-neck", "neckline", "v-neck", "lapel", "It has lapels."),
        ("It has a wide boat neck.", "boat neck", "neckline", "boat", "lapel", "It has wide lapels."),
        ("It has lapels.", "lapels", "neckline", "lapel", "halter", "It has a halter neck."),
        ("A short-sleeved dress.", "short-sleeved", "sleeve", "short", "long", "A long-sleeved dress."),
        ("It has short sleeves.", "short sleeves", "sleeve", "short", "long", "It has long sleeves."),
        ("It is size M.", "size M", "size", "M", "L", "It is size L."),
    ],
)
def test_replaced_in_place_with_its_article(text_, words, attribute, value, new, expected):
    spans_before = {"title": "", "description": text_}
    changed, after = replace_words(spans_before, [span(text_, words, attribute, value)], 0, new, ITEM)
    assert changed["description"] == expected
    assert (after[0].value, after[0].status) == (new, "seller")


def test_other_spans_and_title_follow():
    draft = drafted()
    changed, after = replace_words(fields(draft), draft.spans, at(draft.spans, "colour"), "light-blue", ITEM)
    assert "light blue" in changed["title"].lower()
    assert "light blue" in changed["description"].lower()
    for before, now in zip(draft.spans, after, strict=True):
        words = changed[now.field][now.start : now.end]
        if now.attribute != "colour":
            assert words.lower() == getattr(draft, before.field)[before.start : before.end].lower()
        else:
            assert words.lower() == "light blue"
            assert now.alternatives[0] == "navy"


def test_dropped_detail_leaves_the_rest_whole():
    note = "\n\nFrom a smoke-free home."
    draft = drafted()
    draft = draft.model_copy(update={"description": draft.description + note})
    left = pressed(draft, [Edit("drop", "detail:belt")])
    assert "belt" not in left.title + left.description
    assert "pockets" in left.description
    assert left.description.endswith(note)
    assert all(getattr(left, s.field)[s.start : s.end] for s in left.spans)
    assert "belt" not in {s.value for s in left.spans}


def test_sentence_goes_from_a_foreign_text():
    words = {"title": "Navy dress", "description": "A navy striped dress. It has a belt! Long sleeves."}
    spans_before = find_spans(words, settle(claims("Dress", SHIRT, ("belt",)), TAXONOMY))
    draft = drafted().model_copy(update={**words, "spans": spans_before})
    left = remove(draft, next(i for i, s in enumerate(spans_before) if s.value == "belt"), ITEM)
    assert (left.title, left.description) == ("Navy dress", "A navy striped dress. Long sleeves.")


def test_spans_are_found_in_any_text():
    words = {
        "title": "Navy long sleeve dress",
        "description": "A striped dress in navy blue with a belt and boat neck.",
    }
    located = find_spans(words, settle(claims("Dress", SHIRT, ("belt",)), TAXONOMY))
    places = [(s.field, words[s.field][s.start : s.end], s.attribute) for s in located]
    assert places == [
        ("title", "Navy", "colour"),
        ("title", "long sleeve", "sleeve"),
        ("title", "dress", "category"),
        ("description", "striped", "pattern"),
        ("description", "dress", "category"),
        ("description", "navy blue", "colour"),
        ("description", "belt", "detail"),
        ("description", "boat neck", "neckline"),
    ]


def test_what_spans_say_renders_the_same_text():
    draft = drafted(details=("pockets", "belt", "curved hem", "soft", "loose cut"))
    again = render(stated_claims(draft), TAXONOMY)
    assert (again.title, again.description) == (draft.title, draft.description)


def test_note_is_not_repeated_after_an_edit():
    noted = [fact("size", "M", 1.0, "seller"), fact("colour", "navy"), fact("sleeve", "long")]
    rendered = written("Dress", noted, {"belt": 0.6, "pockets": 0.9})
    draft = draft_of("Dress", rendered, id="d1", description=f"{rendered.description}\n\nSize M, worn twice.")
    left = remove(draft, at(draft.spans, "detail"), ITEM)
    assert left.title.endswith("size M")
    assert left.description.count("ize M") == 1


def test_name_of_the_item_can_go():
    draft = drafted()
    left = remove(draft, at(draft.spans, "category", draft.spans[0].field), ITEM)
    assert all(span.attribute != "category" for span in left.spans)
    assert left.title


def test_tapped_offers_enter_the_text_as_the_sellers():
    likely = {("detail", "bow"): 0.4, ("colour2", "white"): 0.3}
    draft = drafted().model_copy(update={"offers": offers_of(likely, item_of("Dress", TAXONOMY))})
    taps = [Edit("set", "detail:bow", "bow"), Edit("set", "colour2", "white"), Edit("set", "sleeve", "short")]
    tapped = pressed(draft, taps)
    for attribute, value in (("detail", "bow"), ("colour2", "white"), ("sleeve", "short")):
        span = next(s for s in tapped.spans if (s.attribute, s.value) == (attribute, value))
        assert (span.status, value in tapped.description) == ("seller", True)
