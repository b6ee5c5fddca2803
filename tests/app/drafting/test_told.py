"""What a seller types beside the texts: nothing of it is lost, and nothing that they typed is taken back unasked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.seller.renderer import PageRenderer
from tests.app.support.tabs import Tab
from tests.fakes import FakePipeline

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


@pytest.mark.parametrize(
    ("typed", "facts", "said"),
    [
        ("a hole, a stain", {"condition": "hole, stain"}, ("there is a hole", "There is a stain.")),
        ("a hole and a stain", {"condition": "hole, stain"}, ("there is a hole", "There is a stain.")),
        ("a small hole, a big stain", {"defects": "a small hole; a big stain"}, ("a small hole; a big stain",)),
        ("cotton, linen", {"material": "cotton"}, ("Cotton hoodie", "Linen.")),
        ("cotton and linen", {}, ("Cotton and linen.",)),
        ("black and white", {"colour": "black", "colour2": "white"}, ("Black and white hoodie",)),
        ("size M, size L", {"size": "M"}, ("size M", "Size L.")),
        ("fits like a size M though it runs large", {"size": "M"}, ("Fits like a size M though it runs large.",)),
        ("10,5 cm long", {"size": None}, ("10,5 cm long.",)),
        ("a 1,20 m belt,2 loops", {}, ("A 1,20 m belt. 2 loops.",)),
        ("it was 50,- new", {}, ("It was 50,- new.",)),
        ("zip,hood", {"closure": "zip"}, ("a zip", "Hood.")),
    ],
)
def test_nothing_that_is_typed_is_lost(tab, typed, facts, said):
    tab.press("add", more=typed)
    known = {a.name: a.value for a in tab.draft.attributes}
    assert {name: known.get(name) for name in facts} == facts
    assert [words for words in said if words not in tab.draft.description] == []


def test_a_further_flaw_stands_beside_those_that_were_told_before(tab):
    tab.press("add", more="a small stain at the cuff")
    tab.press("add", more="a big hole")
    assert tab.draft.draft.attribute("defects").value == "a small stain at the cuff; a big hole"
    tab.press("add", more="a long pulled thread along the seam of the left sleeve")
    assert tab.session.notices == []
    for flaw in ("small stain at the cuff", "big hole", "long pulled thread along the seam of the left sleeve"):
        assert tab.draft.description.count(flaw) == 1


@pytest.mark.parametrize("more", ["it has been to Peru", "size M, it has been to Peru"])
def test_undo_keeps_what_was_typed_since(tab, made, more):
    tab.press("add", more=more)
    typed = f"{tab.draft.description} Fits large, my own words."
    tab.press("text", field="description", value=typed, version=tab.draft.field_version("description"))
    tab.press("undo")
    assert tab.draft.description == typed
    assert [n.at for n in tab.session.notices] == ["description"]
    assert (tab.draft.title, tab.draft.locked - {"description"}) == (made.title, made.locked)


def test_what_stands_typed_is_told_before_it_is_written_again(services, tab):
    shown = tab.draft.field_version("description")
    typed = {"description": "Warm, for cold days.", "versions": {"description": shown}}
    tab.run("tone", tone="warmer", more="it has been to Peru", **typed)
    assert tab.session.notices == []
    assert tab.draft.description == "Warm, for cold days. It has been to Peru."
    assert 'data-told="1"' in PageRenderer(services).draft(tab.session, "me")


def test_a_draft_that_was_deleted_elsewhere_is_written_anew_and_keeps_the_typed_words(services, me, tab, made):
    services.drafts.abandon(me, made.draft_id)
    tab.run("write", more="it has been to Peru")
    assert (tab.draft.state, tab.draft.draft_id == made.draft_id) == ("ready", False)
    assert [n.typed for n in tab.session.notices] == ["it has been to Peru"]


@pytest.mark.parametrize(("typed", "parts"), [("10,5 cm", 1), ("50,- new, zip", 2), ("zip,hood;size M", 3)])
def test_the_page_takes_a_number_as_one_word_too(typed, parts):
    found = re.search(r"const PARTS = /(.+)/;", SCRIPT.read_text(encoding="utf-8"))
    assert found is not None
    assert len(re.split(found[1], typed)) == parts
