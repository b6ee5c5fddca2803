"""What the seller types holds for facts, texts and what is published; nothing of it is lost or taken back unasked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.seller.renderer import PageRenderer
from listing.calibration import Calibration, QuestionCalibration
from listing.decide.claims import claims_of
from listing.intake.photos import intake
from listing.say.render import render
from listing.schema import AttributeValue, Candidate, Category, Detail, Draft, Evidence, Quality
from listing.taxonomy import load_taxonomy
from tests.app.support.clients import client_of
from tests.app.support.tabs import Tab
from tests.app.support.taps import Replay
from tests.fakes import FakePipeline, jpeg

RULE = Calibration(default=QuestionCalibration(weights={"mllm": 1.0}, threshold=0.9))


def drafted(kind: str, facts: dict[str, tuple[str, float]], *details: str) -> Draft:
    """A draft that renders these facts (value, probability) and details, all of them seen in the photo."""
    stated = [_fact(name, value, p) for name, (value, p) in facts.items()]
    seen = [Detail(phrase=phrase, confidence=0.95) for phrase in details]
    category = Category(value=kind, confidence=0.99, candidates=[Candidate(value=kind, confidence=0.99)])
    text = render(claims_of(category, stated, seen, load_taxonomy(), RULE), load_taxonomy())
    return Draft(
        id="one", photos=[], category=category, attributes=stated, details=seen, title=text.title,
        description=text.description, spans=text.spans, quality=Quality(score=50), model="ipl-mini",
    )  # fmt: skip


def _fact(name: str, value: str, p: float) -> AttributeValue:
    """Stated from the threshold on, suggested below it."""
    evidence = [Evidence(source="mllm", photo=0)]
    if p >= RULE.default.threshold:
        return AttributeValue(name=name, value=value, status="supported", confidence=p, evidence=evidence)
    return AttributeValue(name=name, suggestion=value, status="unsupported", confidence=p, evidence=evidence)


TROUSERS = drafted("Pants", {"colour": ("navy", 0.97), "closure": ("pull-on", 0.95)}, "elastic waist", "pockets")
HOODIE = drafted(
    "Hoodie", {"colour": ("navy", 0.97), "closure": ("zip", 0.95), "audience": ("baby", 0.95)}, "pockets", "soft"
)


@pytest.fixture
def sell(build):
    def _sell(draft: Draft) -> Tab:
        services = build(pipeline=Replay(iter([draft])))
        tab = Tab(services)
        me = services.sellers.named("me").id
        tab.session.show(list(services.draft_writer.start(me, intake([jpeg()])))[-1], services.media)
        return tab

    return _sell


def fact(tab: Tab, name: str) -> str | None:
    found = tab.draft.draft.attribute(name)
    return None if found is None else found.value or found.suggestion


def published(tab: Tab) -> dict[str, str]:
    tab.press("publish", unconfirmed="right")
    return tab.session.published.attributes


def typed(tab: Tab, field: str, text: str) -> None:
    tab.press("text", field=field, value=text, version=tab.draft.field_version(field))


def test_a_detail_left_out_takes_its_fact(sell):
    tab = sell(TROUSERS)
    assert fact(tab, "closure") == "pull-on"
    tab.press("fact_drop", name="detail:elastic waist", label="elastic waist")
    assert fact(tab, "closure") is None
    assert "closure" not in published(tab)


def test_a_colour_typed_over_another_one_is_the_colour(sell):
    tab = sell(HOODIE)
    assert "avy" in tab.draft.title
    assert "avy" in tab.draft.description
    typed(tab, "title", tab.draft.title.replace("Navy", "Pale pink"))
    assert fact(tab, "colour") == "pink"
    assert "avy" not in tab.draft.description


@pytest.mark.parametrize(
    ("draft", "kind", "typed_", "now"),
    [
        (HOODIE, "Pants", "A melange cotton hoodie. It has a hole.", "Melange cotton trousers. They have a hole."),
        (HOODIE, "Pants", "This is a warm hoodie. Its hood is wide.", "These are warm trousers. Their hood is wide."),
        (HOODIE, "Pants", "I sell this hoodie. The hoodie is soft.", "I sell these trousers. The trousers are soft."),
        (TROUSERS, "Hoodie", "These are soft trousers, they fit well.", "This is a soft hoodie, it fits well."),
    ],
)
def test_another_number_is_that_of_the_typed_text(sell, draft, kind, typed_, now):
    tab = sell(draft)
    typed(tab, "description", typed_)
    tab.press("fact", name="category", value=kind)
    assert tab.draft.description == now
    tab.press("fact_unlock", name="category")
    assert tab.draft.description == typed_


@pytest.mark.parametrize("value", ["buttons", None])
def test_a_corrected_fact_takes_its_detail(sell, value):
    tab = sell(drafted("Hoodie", {"colour": ("navy", 0.97), "closure": ("zip", 0.95)}, "full zip", "pockets"))
    assert "full zip" in tab.draft.description
    tab.press("fact", name="closure", value=value or "")
    assert "zip" not in tab.draft.title + tab.draft.description
    assert fact(tab, "closure") == value


@pytest.mark.parametrize(
    "words", ["no elastic waist", "without an elastic waist", "size M, not elastic at the waist: no elastic waist"]
)
def test_what_is_denied_is_no_fact(sell, words):
    tab = sell(TROUSERS)
    tab.press("add", more=words)
    assert fact(tab, "closure") is None
    assert "elastic waist" not in tab.draft.title
    assert "elastic waist" not in {s.value for s in tab.draft.draft.spans}
    assert "closure" not in published(tab)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "closure", "title"),
    [
        ("closes with buttons", "buttons", "Navy baby hoodie with buttons"),
        ("buttons, not a zip", "buttons", "Navy baby hoodie with buttons"),
        ("not a zip, a hook", "hook", "Navy baby hoodie with hook"),
        ("it has no pockets and no zip", None, "Navy baby hoodie"),
        ("zip pockets", "zip", HOODIE.title),
        ("a tear at the zip", "zip", HOODIE.title),
    ],
)
def test_say_more_corrects_fact_and_texts(sell, words, closure, title):
    tab = sell(HOODIE)
    tab.press("add", more=words)
    assert (fact(tab, "closure"), tab.draft.title) == (closure, title)
    assert (" a zip" in tab.draft.description.partition(".")[0]) == (closure == "zip")
    assert published(tab).get("closure") == closure


@pytest.mark.parametrize(
    ("old", "new", "closure", "title"),
    [
        ("a zip", "buttons", "buttons", "Navy baby hoodie with buttons"),
        ("a zip", "a zipper", "zip", HOODIE.title),
        ("pockets and a zip", "pockets and no zip", None, "Navy baby hoodie with pockets"),
        (
            "pockets and a zip.",
            "pockets. It never had a zip, it closes with a hook.",
            "hook",
            "Navy baby hoodie with hook",
        ),
    ],
)
def test_a_typed_description_corrects_fact_and_title(sell, old, new, closure, title):
    tab = sell(HOODIE)
    assert old in tab.draft.description
    typed(tab, "description", tab.draft.description.replace(old, new))
    assert (fact(tab, "closure"), tab.draft.title) == (closure, title)
    assert published(tab).get("closure") == closure


def test_what_no_text_says_is_not_stated(sell):
    tab = sell(HOODIE)
    typed(tab, "title", "Navy baby hoodie")
    typed(tab, "description", "Navy baby hoodie, very warm.")
    assert fact(tab, "closure") is None
    typed(tab, "description", "Navy baby hoodie with zip, very warm.")
    assert fact(tab, "closure") == "zip"
    typed(tab, "description", "Navy baby hoodie, very warm.")
    tab.press("fact_unlock", name="description")
    assert fact(tab, "closure") == "zip"


def test_a_flaw_that_was_told_stays_without_its_sentence(sell):
    tab = sell(HOODIE)
    tab.press("fact", name="defects", value="a small stain at the cuff")
    assert "stain" in tab.draft.description
    typed(tab, "description", "Navy baby hoodie, very warm.")
    assert fact(tab, "defects") == "a small stain at the cuff"


def test_a_part_is_not_the_thing(sell):
    tab = sell(HOODIE)
    typed(
        tab,
        "description",
        f"{tab.draft.description} It has zip pockets and black buttons at the cuffs. Great with red jeans.",
    )
    assert (fact(tab, "closure"), fact(tab, "colour")) == ("zip", "navy")


def test_typed_words_follow_a_later_fact(sell):
    tab = sell(HOODIE)
    typed(tab, "description", "Navy baby hoodie that closes with buttons.")
    assert fact(tab, "closure") == "buttons"
    tab.press("fact", name="closure", value="zip")
    assert fact(tab, "closure") == "zip"
    assert "buttons" not in tab.draft.description
    assert tab.draft.title == HOODIE.title


def test_a_rewritten_title_says_what_was_typed(sell):
    tab = sell(HOODIE)
    typed(tab, "description", tab.draft.description.replace("a zip", "buttons"))
    tab.run("tone", tone="warmer")
    assert "zip" not in tab.draft.title
    assert fact(tab, "closure") == "buttons"
    tab.press("fact_unlock", name="description")
    assert fact(tab, "closure") == "zip"
    assert "zip" in tab.draft.description


def test_a_corrected_size_is_the_size(sell):
    read = AttributeValue(
        name="size", value="M", status="supported", confidence=0.99, evidence=[Evidence(source="ocr", text="M")]
    )
    seen, taxonomy = HOODIE.model_copy(update={"attributes": [*HOODIE.attributes, read]}), load_taxonomy()
    text = render(claims_of(seen.category, seen.attributes, seen.details, taxonomy, RULE), taxonomy)
    tab = sell(seen.model_copy(update={"title": text.title, "description": text.description, "spans": text.spans}))
    typed(
        tab,
        "description",
        tab.draft.description.replace("The label says size M.", "The label is wrong, it is a size L."),
    )
    assert fact(tab, "size") == "L"
    assert tab.draft.title.endswith("size L")
    assert published(tab)["size"] == "L"


def test_the_api_publishes_no_guess(build, me):
    facts = {"colour": ("navy", 0.97), "closure": ("zip", 0.8)}
    services = build(pipeline=Replay(iter([drafted("Outwear", facts, "pockets")])))
    made = list(services.draft_writer.start(me, intake([jpeg()])))[-1]
    with client_of(services) as client:
        listing = client.post("/v1/listings", json={"draft_id": made.draft_id, "price": 5}).json()
    assert listing["attributes"] == {"colour": "navy"}


SCRIPT = Path(__file__).parents[3] / "app/static/seller.js"


@pytest.fixture
def services(build):
    return build(pipeline=FakePipeline(marked=True))


@pytest.fixture
def made(services, me, photos):
    return list(services.draft_writer.start(me, photos, "Smoke-free home."))[-1]


@pytest.fixture
def tab(services, made):
    tab = Tab(services)
    tab.session.show(made, services.media)
    return tab


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "facts", "said"),
    [
        ("a hole, a stain", {"condition": "hole, stain"}, ("There is a hole.", "There is a stain.")),
        ("a hole and a stain", {"condition": "hole, stain"}, ("There is a hole.", "There is a stain.")),
        ("a small hole, a big stain", {"defects": "a small hole; a big stain"}, ("a small hole; a big stain",)),
        ("cotton, linen", {"material": "cotton"}, ("cotton hoodie", "Linen.")),
        ("cotton and linen", {}, ("Cotton and linen.",)),
        ("black and white", {"colour": "black", "colour2": "white"}, ("black and white hoodie",)),
        ("size M, size L", {"size": "M"}, ("size M", "Size L.")),
        ("fits like a size M though it runs large", {"size": "M"}, ("Fits like a size M though it runs large.",)),
        ("10,5 cm long", {"size": None}, ("10,5 cm long.",)),
        ("a 1,20 m belt,2 loops", {}, ("a 1,20 m belt", "2 loops")),
        ("it was 50,- new", {}, ("It was 50,- new.",)),
        ("without side slits", {}, ("It has no side slits.",)),
        ("zip,hood", {"closure": "zip"}, ("a zip", "a hood")),
    ],
)
def test_nothing_that_is_typed_is_lost(tab, typed, facts, said):
    tab.press("add", more=typed)
    known = {a.name: a.value for a in tab.draft.attributes}
    assert {name: known.get(name) for name in facts} == facts
    assert [words for words in said if words not in tab.draft.description] == []


def test_a_further_flaw_stands_beside_earlier_ones(tab):
    tab.press("add", more="a small stain at the cuff")
    tab.press("add", more="a big hole")
    assert tab.draft.draft.attribute("defects").value == "a small stain at the cuff; a big hole"
    tab.press("add", more="a long pulled thread along the seam of the left sleeve")
    assert tab.session.notices == []
    for flaw in ("small stain at the cuff", "big hole", "long pulled thread along the seam of the left sleeve"):
        assert tab.draft.description.count(flaw) == 1


def test_a_further_word_takes_no_fact_from_typed_texts(sell):
    tab = sell(HOODIE)

    def stated() -> dict[str, str | None]:
        return {a.name: a.value for a in tab.draft.attributes}

    tab.press("text", field="description", value="My own words.", version=tab.draft.field_version("description"))
    tab.press("add", more="by Massimo Dutti Atelier, size 10-12 years")
    assert "baby" not in f"{tab.draft.title} {tab.draft.description}"  # the title said it, and has no place for it now
    assert (before := stated())["audience"] == "baby"
    tab.press("add", more="it has been to Peru")
    assert stated() == before
    tab.press("undo")
    assert (stated(), "Peru" in tab.draft.description) == (before, False)


@pytest.mark.parametrize("more", ["it has been to Peru", "size M, it has been to Peru"])
def test_undo_keeps_what_was_typed_since(tab, made, more):
    tab.press("add", more=more)
    typed = f"{tab.draft.description} Fits large, my own words."
    tab.press("text", field="description", value=typed, version=tab.draft.field_version("description"))
    tab.press("undo")
    assert tab.draft.description == typed
    assert [n.at for n in tab.session.notices] == ["description"]
    assert (tab.draft.title, tab.draft.locked - {"description"}) == (made.title, made.locked)


def test_what_stands_typed_is_kept_when_rewritten(services, tab):
    shown = tab.draft.field_version("description")
    typed = {"description": "Warm, for cold days.", "versions": {"description": shown}}
    tab.run("tone", tone="warmer", more="it has been to Peru", **typed)
    assert tab.session.notices == []
    assert tab.draft.description == "Warm, for cold days. It has been to Peru."
    assert 'data-statements="1"' in PageRenderer(services).draft(tab.session, "me")


def test_a_deleted_draft_is_written_anew(services, me, tab, made):
    services.drafts.abandon(me, made.draft_id)
    tab.run("write", more="it has been to Peru")
    assert (tab.draft.state, tab.draft.draft_id == made.draft_id) == ("ready", False)
    assert [n.typed for n in tab.session.notices] == ["it has been to Peru"]


@pytest.mark.parametrize(("typed", "parts"), [("10,5 cm", 1), ("50,- new, zip", 2), ("zip,hood;size M", 3)])
def test_the_page_splits_typed_words_alike(typed, parts):
    found = re.search(r"const PARTS = /(.+)/;", SCRIPT.read_text(encoding="utf-8"))
    assert found is not None
    assert len(re.split(found[1], typed)) == parts
