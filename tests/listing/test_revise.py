"""A press of the seller: observed, decided and said again, by the rules of the draft, without a network or a model."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from listing.calibration import UNCALIBRATED, Calibration
from listing.decide.claims import NAME
from listing.decide.settle import settle
from listing.observe.seller import Edit, word_of
from listing.revise import follow, revise, statement_of, with_statement
from listing.rules import Rules, kept_rules
from listing.say.render import render
from listing.schema import Draft, Observation
from listing.taxonomy import load_taxonomy
from tests.listing.stubs import BIKES, NOW, TAXONOMY, claims, draft_of, fact, on, pressed, said, text, written

MODEL = {"title": "model", "description": "model"}


def of_model(title: str, description: str, facts: dict[str, str], details: tuple[str, ...] = ()) -> Draft:
    from listing.say.marks import find_spans

    spans = find_spans({"title": title, "description": description}, settle(claims("Dress", facts, details), TAXONOMY))
    written = draft_of("Dress", text("Dress", facts, details))
    return written.model_copy(update={"title": title, "description": description, "spans": spans, "writer": MODEL})


def told(draft: Draft, *typed: str, made: tuple[Edit, ...] = ()) -> Draft:
    """The draft once these words were added beside its texts, as a page does."""
    edits = [*made]
    for words in typed:
        statement = statement_of(pressed(draft, edits), words, TAXONOMY)
        for name, value in statement.facts.items():
            edit = Edit("set", name, value)
            edits += [edit, *follow(draft, edits, edit, NOW)]
        edits.append(Edit("set", "description", with_statement(pressed(draft, edits), statement, TAXONOMY)))
    return pressed(draft, edits)


def test_two_drafts_of_two_shops_side_by_side(tmp_path):
    (tmp_path / "bikes.yaml").write_text(BIKES)
    bikes = load_taxonomy(tmp_path / "bikes.yaml")
    shop = Rules(bikes, Calibration())
    named = [c for c in said("Dress") if c.attribute != "category"]
    city = [c.__class__("category", "City bike") for c in claims("Dress") if c.attribute == "category"]
    written = render([*city, *named], bikes)
    bike = draft_of("City bike", written)
    dress = draft_of("Dress", text("Dress", {"colour": "navy"}))
    for _ in range(2):  # in turn: neither leaves its words to the other
        seen = revise(bike, word_of([Edit("set", "colour", "blue"), Edit("set", "frame", "diamond")]), shop)
        assert (seen.category.value, seen.attribute("frame").value) == ("City bike", "diamond")
        assert "city bike" in seen.title.lower()
        other = pressed(dress, [Edit("set", "colour", "red"), Edit("set", "neckline", "v-neck")])
        assert other.title.startswith("Red dress")
        assert "v-neck" in other.title + other.description
        assert other.attribute("frame") is None


def test_a_press_loads_no_network_and_keeps_its_rules(tmp_path):
    for calibration in (Calibration(), UNCALIBRATED):
        rules = Rules(TAXONOMY, calibration, {"Dress": ["summer dress"]})
        rules.keep(tmp_path)
        assert kept_rules(tmp_path, rules.version) == rules
    assert kept_rules(tmp_path, "another") is None
    heavy = "import sys, listing.revise; print({'torch', 'timm', 'transformers'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_press_applies_no_newer_rules_to_what_it_does_not_touch():
    colour = on("mllm", "colour", {"navy": 0.85})
    closure = on("mllm", "closure", {"zip": 0.85})
    category = Observation(source="mllm", question="category", probabilities={"Hoodie": 0.95}, photo=0)
    written = draft_of(
        "Hoodie", text("Hoodie", {"colour": "navy", "closure": "zip"}), observations=[category, colour, closure]
    )
    written = written.model_copy(update={"attributes": pressed(written, [Edit("set", "colour", "navy")]).attributes})
    strict = Rules(TAXONOMY, Calibration.model_validate({"default": {"weights": {"mllm": 1.0}, "threshold": 0.99}}))
    seen = revise(written, word_of([Edit("set", "size", "M")]), strict)
    assert seen.attribute("closure") == written.attribute("closure")
    assert {a.name: a.value for a in seen.attributes}["size"] == "M"


@pytest.mark.parametrize("words", ["gold details", "gold details and a crocodile pattern"])
def test_a_part_overrules_no_confirmed_fact(words):
    draft = draft_of("cat figurine", text("cat figurine", {"colour": "white"}))
    seen = told(draft, words, made=(Edit("set", "colour", "grey"),))
    assert seen.attribute("colour").value == "grey"
    assert seen.title == "Grey cat figurine"
    assert seen.description.startswith("This is a grey cat figurine. It has gold details")


def test_added_words_are_sentences():
    draft = draft_of("bicycle", text("bicycle"))
    seen = told(draft, "crocodile pattern", "two racks", "hardly used")
    assert "It has a crocodile pattern." in seen.description
    assert not {"Crocodile pattern", "Bicycle"} & {s.strip() for s in seen.description.split(".")}


@pytest.mark.parametrize(
    ("words", "sentence"), [("not elastic waist", "It has no elastic waist."), ("not hardly worn", "Not hardly worn.")]
)
def test_denied_words_are_sentences(words, sentence):
    assert told(draft_of("bicycle", text("bicycle")), words).description.endswith(sentence)


def test_answered_size_and_condition_stand_in_a_models_text():
    draft = of_model("Flowing navy gown", "A navy dress with a belt. Warm and soft.", {"colour": "navy"}, ("belt",))
    seen = pressed(draft, [Edit("set", "size", "M"), Edit("set", "condition_grade", "good")])
    assert seen.title == draft.title
    assert seen.description == "A navy dress with a belt. Warm and soft. It is size M. It is in good condition."


def test_a_typed_brand_stands_in_a_models_title():
    draft = of_model("Flowing navy gown", "A navy dress. Warm and soft.", {"colour": "navy"})
    umbro, nike = Edit("set", "brand", "Umbro"), Edit("set", "brand", "Nike")
    assert pressed(draft, [umbro]).title == "Flowing navy gown, Umbro"
    assert pressed(draft, [umbro, nike]).title == "Flowing navy gown, Nike"
    assert pressed(draft, [umbro, Edit("drop", "brand")]).title == draft.title
    assert pressed(draft, [umbro]).description == draft.description


def test_what_was_set_beside_a_typed_text_stays_when_more_is_typed():
    draft = draft_of("Dress", text("Dress", {"colour": "navy"}))
    typed = [Edit("set", "title", "My dress"), Edit("set", "description", "A navy dress. Worn twice.")]
    made = [*typed, Edit("set", "text", "Paris 1998"), Edit("set", "neckline", "crew")]
    for more in ("A navy dress. Worn twice. It runs small.", "A navy dress. It runs small.", "A dress."):
        made.append(Edit("set", "description", more))
        seen = pressed(draft, made)
        assert (seen.attribute("text").value, seen.attribute("neckline").value) == ("Paris 1998", "crew")
    denied = pressed(draft, [*made, Edit("set", "description", "A dress. It has no round neck.")])
    assert denied.attribute("neckline").value is None
    typed_in = Edit("set", "description", "A dress with a round neck.")
    assert pressed(draft, [*made, typed_in, Edit("set", "description", "A dress.")]).attribute("neckline").value


def test_an_undone_name_is_not_of_the_category_that_was_corrected():
    draft = draft_of("Hat", written("Hat", [fact("item_type", "beanie")]))
    assert draft.title == "Beanie"
    made = list[Edit]()
    for edit in (Edit("set", "item_type", "party top"), Edit("set", "category", "Shirt"), Edit("undo", "item_type")):
        made += [edit, *follow(draft, made, edit, NOW)]
    seen = pressed(draft, made)
    assert (seen.category.value, seen.title) == ("Shirt", "Shirt")
    assert "beanie" not in seen.description.lower()


def test_a_detail_in_a_typed_sentence_takes_no_fact_from_it():
    draft, made = draft_of("Shirt", text("Shirt", {"colour": "pink"})), [Edit("set", "audience", "women")]
    made.append(Edit("set", "title", "My shirt"))
    assert "women" in pressed(draft, made).description
    loose = [*made, Edit("set", "description", "A loose pink women's shirt with soft gathers. My favourite.")]
    assert pressed(draft, loose).attribute("audience").value == "women"


def test_another_kind_takes_the_place_of_the_name_in_a_typed_title():
    earlier = [Edit("set", "category", "Towel"), Edit("set", NAME, "bath towel"), Edit("set", "title", "My bath towel")]
    along = follow(draft_of("Dress", text("Dress")), earlier, Edit("set", "category", "Rug"), NOW)
    assert Edit("along", "title", "My rug") in along


def test_what_is_striped_stays_so_without_its_second_colour():
    facts = [fact("colour", "white"), fact("colour2", "black"), fact("pattern", "striped")]
    draft = draft_of("Shirt", written("Shirt", facts, {"stripes in the second colour": 0.95}), attributes=facts)
    assert draft.description == "A white shirt with black stripes."
    seen = pressed(draft, [Edit("drop", "colour2")])
    assert (seen.title, seen.description) == ("White striped shirt", "This is a white striped shirt.")
    assert pressed(draft, [Edit("drop", "colour2"), Edit("drop", "pattern")]).description == "This is a white shirt."


def test_a_name_within_another_is_not_it():
    draft = draft_of("Shirt", text("Shirt", {"colour": "grey"}))
    typed = Edit("set", "title", "My grey t-shirt, like new")
    edit = Edit("set", "category", "T-Shirt")
    assert pressed(draft, [typed, edit, *follow(draft, [typed], edit, NOW)]).title == "My grey t-shirt, like new"


def test_a_models_text_changes_where_the_press_touches_it():
    draft = of_model("Flowing navy gown", "A navy dress with a belt. Warm and soft.", {"colour": "navy"}, ("belt",))
    seen = pressed(draft, [Edit("set", "colour", "red"), Edit("drop", "detail:belt")])
    assert (seen.title, seen.description) == ("Flowing red gown", "Warm and soft.")
    assert (seen.writer, seen.tone) == (MODEL, "plain")


@pytest.mark.parametrize(("name", "value"), [("detail:side pockets", "side pockets"), ("audience", "women")])
def test_what_is_confirmed_moves_no_word_beside_another_press(name, value):
    facts = [fact("colour", "blue"), fact("closure", "zip", 0.75), fact("audience", "women", 0.6)]
    draft = draft_of("Blazer", written("Blazer", facts, {"side pockets": 0.6}))
    other = Edit("set", "condition_grade", "good")
    before, after = pressed(draft, [other]), pressed(draft, [other, Edit("set", name, value)])
    assert before.title == "Blue blazer with zip"
    assert (after.title, after.description) == (before.title, before.description)
    assert {s.status for s in after.spans if s.value == value} == {"seller"}


def test_a_second_colour_by_the_sellers_word_stands():
    observations = [on("mllm", "category", "Dress"), on("mllm", "colour", "navy")]
    draft = draft_of("Dress", text("Dress", {"colour": "navy"}), observations=observations)
    assert pressed(draft, [Edit("set", "colour2", "navy")]).attribute("colour2").value == "navy"


def test_typed_texts_are_the_sellers_and_drafts_of_before_are_read_as_rendered():
    draft = draft_of("Dress", text("Dress", {"colour": "navy"}))
    old = json.loads(draft.model_dump_json(exclude={"writer", "tone", "rules"})) | {"schema_version": 2}
    read = Draft.model_validate(old)
    assert (read.writer, read.tone) == ({"title": "renderer", "description": "renderer"}, "plain")
    seen = pressed(read, [Edit("set", "title", "My navy dress")])
    assert seen.writer == {"title": "seller", "description": "renderer"}
