"""What the texts say and nobody has confirmed: changed, confirmed or left out, on the words that are shown."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli.drafts.draft_text import category_line, draft_text
from app.editing import evidence_places
from app.seller.draft_part import draft_html
from app.seller.renderer import PageRenderer
from app.views import AppError, likely_candidates
from listing.calibration import Calibration, QuestionCalibration
from listing.decide.claims import claims_of, to_check
from listing.decide.settle import item_of
from listing.intake.photos import intake
from listing.lexicon import load_lexicon
from listing.observe.seller import Edit, word_of
from listing.request import DraftRequest
from listing.revise import regenerated
from listing.say.check import LEFT_OUT
from listing.say.clauses import without_span
from listing.say.plan import fits, is_detail
from listing.say.render import render
from listing.schema import AttributeValue, Candidate, Category, Detail, Evidence, Flag, Span
from listing.taxonomy import load_taxonomy
from tests.app.support.clients import client_of, code
from tests.app.support.tabs import Tab
from tests.fakes import FakePipeline, jpeg, marked_draft
from tests.listing.stubs import NOW, pressed

MODELS = {"title": "model", "description": "model"}
STRIPES = "stripes in the second colour"
MARKED = {"colour": "navy", "category": "Hoodie", "detail:pockets": "pockets"}


@pytest.fixture
def draft():
    return marked_draft(DraftRequest(photos=intake([jpeg()])))


@pytest.fixture
def services(build):
    return build(pipeline=FakePipeline(marked=True))


@pytest.fixture
def made(services, me, photos):
    return list(services.draft_writer.start(me, photos, "Smoke-free home."))[-1]


def edited(draft, *made: Edit):
    seen = pressed(draft, made)
    for span in seen.spans:
        words = getattr(seen, span.field)[span.start : span.end]
        assert words
        assert words.strip() == words
    return seen


def test_another_kind_loses_what_it_cannot_have(draft):
    before = edited(draft, Edit("set", "brand", "Umbro"))
    seen = edited(draft, Edit("set", "brand", "Umbro"), Edit("set", "category", "clothes stand cover"))
    assert before.attribute("closure").value == "zip"
    assert "zip" in before.description
    assert seen.attribute("closure") is None
    assert "zip" not in seen.title + seen.description
    assert seen.title == "Umbro navy clothes stand cover"
    assert seen.attribute("brand").value == "Umbro"
    assert "stand cover" in seen.description


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (Edit("set", "colour", "black"), "navy", "black"),
        (Edit("drop", "colour"), "navy hoodie", "hoodie"),
        (Edit("set", "category", "Dress"), "hoodie", "dress"),
        (Edit("set", "closure", "buttons"), "a zip", "buttons"),
    ],
)
def test_both_texts_follow_a_claim(draft, edit, before, after):
    seen = edited(draft, edit)
    assert before in draft.description
    assert sorted(re.findall(r"\w+", seen.description)) == sorted(
        re.findall(r"\w+", draft.description.replace(before, after))
    ), "what surprises of the one is common of the other"
    assert after in seen.description
    assert to_check(seen) == {k: v for k, v in MARKED.items() if k != edit.field}
    assert edited(draft, edit, Edit("undo", edit.field)) == draft


def test_a_label_does_not_say_the_sellers_words():
    read = AttributeValue(name="size", value="M", status="supported", evidence=[Evidence(source="ocr", text="M")])
    rule = Calibration(default=QuestionCalibration(weights={"mllm": 1.0}, threshold=0.9))
    draft = marked_draft(DraftRequest(photos=()))
    text = render(claims_of(draft.category, [read], [], load_taxonomy(), rule), load_taxonomy())
    assert "The label says size M." in text.description
    draft = draft.model_copy(
        update={"title": text.title, "description": text.description, "spans": text.spans, "attributes": [read]}
    )
    assert "It is size XL." in edited(draft, Edit("set", "size", "XL")).description


OFFERED = ["drawstring hood", "zip pockets", "also white"]


def labels(draft):
    return [offer.label for offer in draft.offers]


def test_an_added_detail_is_offered_no_more(draft):
    seen = edited(draft, Edit("set", "detail:drawstring hood", "drawstring hood"))
    assert (labels(draft), labels(seen)) == (OFFERED, OFFERED[1:])
    assert seen.title == draft.title
    assert seen.description == "A navy hoodie with a drawstring hood, pockets and a zip. It has ribbed cuffs."
    assert {(s.value, s.status) for s in seen.spans if s.field == "description"} >= {("drawstring hood", "seller")}
    assert [d.phrase for d in seen.details] == ["drawstring hood", "pockets", "ribbed cuffs"]
    assert (
        edited(draft, Edit("set", "detail:drawstring hood", "drawstring hood"), Edit("undo", "detail:drawstring hood"))
        == draft
    )


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Warm and soft.\n\nSmoke-free.", "Warm and soft. It has a drawstring hood.\n\nSmoke-free."),
        ("warm", "warm. It has a drawstring hood."),
        ("The hood has a drawstring.", "The hood has a drawstring."),
    ],
)  # fmt: skip
def test_an_unrendered_text_gets_a_sentence(draft, text, after):
    spans = [s for s in draft.spans if s.field == "title"]
    seen = edited(
        draft.model_copy(update={"description": text, "spans": spans, "writer": MODELS}),
        Edit("set", "detail:drawstring hood", "drawstring hood"),
    )
    assert (seen.title, seen.description) == (draft.title, after)


def test_what_is_not_offered_is_searched_for(services, me, made):
    tab = Tab(services)
    tab.session.show(made, services.media)
    for typed in ("Side slits", "slits at the side"):
        assert '<option value="side slits">' in PageRenderer(services).draft(tab.session, me)
        tab.press("add", more=typed)
        assert "side slits" in tab.draft.description
        assert '<option value="side slits">' not in PageRenderer(services).draft(tab.session, me)
        tab.press("undo")
        assert tab.draft.description == made.description


def test_typed_words_become_facts_and_words(services, me, made):
    tab = Tab(services)
    tab.session.show(made, services.media)
    typed = "a drawstring hood and side slits, also white, size M, a small stain at the cuff, it has been to Peru"
    tab.press("add", more=typed)
    facts = {a.name: a.value for a in tab.draft.attributes}
    assert (facts["size"], facts["colour2"]) == ("M", "white")
    assert facts["defects"] == "a small stain at the cuff"
    for words in (
        "a drawstring hood",
        "side slits",
        "size M",
        "small stain at the cuff",
        "It has been to Peru.",
        "white",
    ):
        assert words in tab.draft.description
    assert tab.draft.description.count("stain") == 1
    assert f"“{typed[:15]}" in PageRenderer(services).draft(tab.session, me)
    tab.press("undo")
    assert (tab.draft.title, tab.draft.description) == (made.title, made.description)
    assert tab.draft.locked == made.locked

    # What still stands there when it is published is in what is published; what cannot be said stays to be seen.
    tab.press("add", more="x" * 4000)
    assert [n.typed for n in tab.session.notices] == ["x" * 4000]
    tab.press("publish", more="curved hem", unconfirmed="right")
    assert "curved hem" in tab.session.published.description


def test_a_wrong_word_leaves_at_publish_and_the_right_ones_stay(services, me, made):
    tab = Tab(services)
    tab.session.show(made, services.media)
    page = PageRenderer(services)
    html = page.draft(tab.session, me)
    assert "Please check 3 words" in html
    assert "3 words are not confirmed." in html
    tab.press("publish")
    assert tab.session.published is None
    assert "Is this right? navy, hoodie, pockets." in page.draft(tab.session, me)
    tab.press("fact_drop", name="detail:pockets", label="pockets")
    assert "Is this right? navy, hoodie." in page.draft(tab.session, me)
    tab.press("publish", unconfirmed="right")
    listing = tab.session.published
    assert listing.title == made.title
    assert (listing.attributes["colour"], "pockets" in listing.description) == ("navy", False)


def test_no_chip_puts_a_word_in_the_place_of_one_that_stands_there(services, me, made):
    colours = (("colour", 0, "white", ["red", "cream"]), ("colour2", 10, "red", ["white"]))
    spans = [
        Span(field="title", start=at, end=at + len(value), attribute=name, value=value, status="check", alternatives=o)
        for name, at, value, o in colours
    ]
    view = replace(made, title="White and red", draft=made.draft.model_copy(update={"spans": spans}))
    html = draft_html(view, [], retrieval=False)
    assert re.findall(r">([^<>]*\bnot [^<>]*)</button>", html) == ["cream, not white", "not red"]


def test_a_guess_that_is_left_out_is_no_task(services, me, made):
    guess = AttributeValue(name="material", suggestion="wool", status="unsupported", confidence=0.4)
    view = replace(made, draft=made.draft.model_copy(update={"spans": []}), attributes=(guess,))
    assert "Everything in it was seen in your photos" in draft_html(view, [], retrieval=False)


def test_spans_stay_and_go_with_their_words(draft):
    seen = edited(draft, Edit("set", "title", "Warm. Navy hoodie, new"))
    assert [s.value for s in seen.spans if s.field == "title"] == ["navy", "Hoodie"]
    assert [s for s in seen.spans if s.field == "description"] == [s for s in draft.spans if s.field == "description"]
    gone = edited(draft, Edit("set", "title", "Mine"), Edit("set", "description", "My own words."))
    assert (gone.spans, to_check(gone)) == ([], {})


def test_a_text_written_around_a_typed_title(draft):
    made = [Edit("set", "title", "My navy hoodie")]
    again = marked_draft(DraftRequest(photos=(), tone="shorter"))
    kept = regenerated(again, draft, word_of(made), NOW)
    seen = pressed(kept, made)
    assert seen.title == "My navy hoodie"
    assert {s.value for s in seen.spans if s.field == "title"} >= {"navy"}
    assert [s for s in kept.spans if s.field == "description"] == [s for s in again.spans if s.field == "description"]


def test_details_follow_their_photos(draft):
    photos = [*intake([jpeg((9, 9, 90), (320, 300))]), *intake([jpeg()])]
    draft = draft.model_copy(update={"photos": [photos[1].ref]})
    assert evidence_places.moved(draft, [p.ref for p in photos]).details[0].photo == 1
    assert evidence_places.moved(draft, [photos[0].ref]).details[0].photo is None


def test_what_another_tab_changed_is_not_confirmed(services, me, made):
    tab, other = Tab(services), Tab(services)
    for each in (tab, other):
        each.session.show(made, services.media)
    other.press("fact", name="colour", value="black")
    tab.press("all_right")
    assert "changed elsewhere" in tab.said[0]
    assert to_check(tab.draft.draft) == {k: v for k, v in MARKED.items() if k != "colour"}
    tab.press("all_right")
    assert to_check(tab.draft.draft) == {}
    assert services.drafts.get(me, made.draft_id).value("colour") == "black"


def test_the_api_does_the_same(services, made):
    with client_of(services) as client:
        url, first = f"/v1/drafts/{made.draft_id}", client.get(f"/v1/drafts/{made.draft_id}")
        assert {s["status"] for s in first.json()["draft"]["spans"]} == {"check", "certain"}
        assert first.json()["draft"]["id"] == made.draft_id
        both = {"facts": {"colour": "black", "detail:pockets": None}}
        answer = client.post(f"{url}/claims", json=both, headers={"If-Match": first.headers["ETag"]})
        draft = answer.json()["draft"]
        assert draft["title"].startswith("Black hoodie")
        assert "pockets" not in draft["description"]
        assert {s["value"] for s in draft["spans"] if s["status"] == "check"} == {"Hoodie"}
        stale = client.post(f"{url}/claims", json={"confirm": True}, headers={"If-Match": first.headers["ETag"]})
        assert code(stale) == (409, "changed")
        done = client.post(f"{url}/claims", json={"confirm": True}, headers={"If-Match": answer.headers["ETag"]})
        assert "check" not in {s["status"] for s in done.json()["draft"]["spans"]}
        assert done.json()["locked"] == ["category", "colour", "detail:pockets"]
        listing = client.post("/v1/listings", json={"draft_id": made.draft_id}).json()
        assert listing["attributes"] == {"colour": "black", "closure": "zip"}
        assert code(client.post(f"{url}/claims", json={"confirm": True})) == (409, "published")


def test_a_detail_in_a_models_own_words(draft):
    found = draft.model_copy(update={"details": [Detail(phrase="thumb loops", confidence=0.6)]})
    assert is_detail("detail:thumb loops", found)
    assert not is_detail("detail:thumb loops", draft)
    assert not is_detail("thumb loops", found)
    assert fits(found, "detail:thumb loops", item_of(found.category.value, load_taxonomy()))
    seen = edited(found, Edit("set", "detail:thumb loops", "thumb loops"))
    assert (seen.title, seen.description) == (draft.title, draft.description), "no form says how to say it"


def test_a_part_in_the_second_colour_is_confirmed(build, me, photos, monkeypatch):
    """Its form needs the second colour, which such a draft has, sure or not."""
    taxonomy, calibration = load_taxonomy(), Calibration(default=QuestionCalibration(weights={}, threshold=0.9))

    def striped(request):
        found = marked_draft(request)
        white = AttributeValue(name="colour2", suggestion="white", status="unsupported", confidence=0.7)
        facts, details = [*found.attributes, white], [Detail(phrase=STRIPES, confidence=0.7)]
        text = render(claims_of(found.category, facts, details, taxonomy, calibration), taxonomy)
        said = {"title": text.title, "description": text.description, "spans": text.spans}
        return found.model_copy(update={**said, "attributes": facts, "details": details})

    monkeypatch.setattr("tests.fakes.marked_draft", striped)
    services = build(pipeline=FakePipeline(marked=True))
    made = list(services.draft_writer.start(me, photos, ""))[-1]
    assert "white stripes" in made.title + made.description
    renamed = services.drafts.edit(me, made.draft_id, "category", "tank top")
    assert ("tank top" in renamed.title, "white stripes" in renamed.description) == (True, True)
    services.drafts.unlock(me, made.draft_id, "category")
    told = services.drafts.settle(me, made.draft_id, {}, confirm=True)
    assert "white stripes" in told.title + told.description
    assert not [span for span in told.draft.spans if span.status == "check"]


def test_what_is_no_claim_is_refused_whole(services, me, made):
    for facts, error in (
        ({"title": "Mine"}, "bad_field"), ({"colour": "black", "no such": "thing"}, "bad_field"),
        ({"detail:no such detail": None}, "bad_field"), ({"category": None}, "bad_category"),
        ({"colour": "black", "detail:round toe": "round toe"}, "bad_field"),
    ):  # fmt: skip
        with pytest.raises(AppError) as refused:
            services.drafts.settle(me, made.draft_id, facts)
        assert refused.value.code == error
    assert services.drafts.get(me, made.draft_id).version == made.version


def test_page_and_terminal_offer_the_same(services, me, made):
    edits = {"detail:drawstring hood": "drawstring hood"}
    for view in (made, services.drafts.settle(me, made.draft_id, edits)):
        chips = re.findall(r'data-do="add"[^>]*data-label="([^"]+)"', draft_html(view, [], retrieval=False))
        (line,) = re.findall(r"\nCould add: (.+)\n", draft_text(view.draft))
        assert chips == line.split(", ")
        assert ("drawstring hood" in chips) == (view is made)


def test_the_terminal_shows_what_is_likely(draft):
    gone = ("two pockets", "leopard lining", "two pockets")
    flags = [
        *(Flag(code=LEFT_OUT, message=w, field="title") for w in gone),
        Flag(code="language", message="In English."),
    ]
    text = draft_text(draft.model_copy(update={"flags": flags}))
    assert "\nLeft out: two pockets; leopard lining\nCould add: drawstring hood, zip pockets, also white\n" in text
    assert "\n\nPlease look at\n  - In English.\n\n" in text
    assert "Left out" not in draft_text(draft)

    def seen(*candidates: tuple[str, float]) -> str:
        known = [Candidate(value=value, confidence=p) for value, p in candidates]
        return category_line(Category(value=known[0].value, confidence=known[0].confidence, candidates=known))

    assert seen(("Hoodie", 0.7), ("Dress", 0.1), ("Sofa", 0.04)) == "Hoodie, sure 70% (or Dress 10%)"
    assert seen(("Sofa", 0.1), ("Chair", 0.09)) == "Not sure what it is, perhaps Sofa, 10%"
    assert seen(("Sofa", 0.6), ("Chair", 0.2)) == "Sofa, sure 60% (or Chair 20%)"
    nobody_knows = Category(value=None, confidence=0.0, candidates=[Candidate(value="Watch", confidence=0.03)])
    assert category_line(nobody_knows) == "Outside what I know"
    assert likely_candidates(nobody_knows) == []


ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("Warm hoodie. Rarely worn.", "Rarely worn", "Warm hoodie."),
        ("Rarely worn. Warm hoodie.", "Rarely worn", "Warm hoodie."),
        ("A warm, rarely worn hoodie.", "rarely worn", "A warm hoodie."),
        ("A hoodie, rarely worn.", "rarely worn", "A hoodie."),
        ("Warm.\n\nRarely worn.\nSoft.", "Rarely worn", "Warm.\n\nSoft."),
        ("Rarely worn", "Rarely worn", ""),
        ("This is a polo shirt. It is soft.", "polo shirt", "It is soft."),
        ("Soft. This is a navy polo shirt with buttons.", "polo shirt", "Soft. It has buttons."),
        ("It comes with a tag. It is soft.", "tag", "It is soft."),
        ("Navy hoodie with a zip and a hood.", "zip", "Navy hoodie with a hood."),
        ("This hoodie is as new. It is soft.", "as new", "It is soft."),
        ("This hoodie is new. It is soft.", "This hoodie", "It is soft."),
        ("Size 38.5 and 100 % cotton. Soft.", "100 % cotton", "Size 38.5. Soft."),
        ("Bought in the U.S. and never worn. Soft.", "never worn", "Bought in the U.S. Soft."),
        ("Cosy.\nThis is a gift.\nSoft.", "gift", "Cosy.\nSoft."),
        ("Is it new? Yes! It is very warm.", "warm", "Is it new? Yes!"),
        ("A wool-blend coat. Soft.", "wool", "A coat. Soft."),
        ("A soft, warm and never worn coat.", "never worn", "A soft, warm coat."),
        ("A shiny red and white cotton dress.", "red", "A shiny white cotton dress."),
    ],
)
def test_no_broken_sentence_remains(text, words, left):
    start = text.find(words)
    assert without_span(text, start, start + len(words)) == left


def real_texts():
    """Titles and descriptions that models and people wrote."""
    texts = [json.loads(line)["text"] for line in (ROOT / "finetune/annotations/sets/real_claims.jsonl").open()]
    path = ROOT / "finetune/annotations/labelled_drafts.jsonl"
    texts += [part for line in path.open() for part in json.loads(line)["after"].split("\n")]
    with gzip.open(ROOT / "finetune/annotations/clothing_cc0.jsonl.gz", "rt") as lines:
        texts += [json.loads(line)["description"] or "" for line in lines][::40]
    return [text for text in texts if text]


STUMP = re.compile(
    r"(?<![\w-])(?:an?|the|its?|this|that|is|are|was|has|have|with|and|or|but|of|in|on|at|from|by|for|to|very|comes)$",
    re.I,
)


def test_no_stump_is_left_in_real_texts():
    lexicon, cuts = load_lexicon(load_taxonomy()), 0
    for text in real_texts():
        for claim in (*lexicon.phrases.finditer(text.lower()), *lexicon.item_words.finditer(text.lower())):
            words = text[slice(*claim.span())]
            left = without_span(text, *claim.span())
            cuts += 1
            assert len(left) < len(text), (text, words)
            for sentence in re.split(r"(?<=[.!?])\s+|\n", left):
                if sentence and sentence not in text:
                    bare = sentence.rstrip(".!? ")
                    assert len(re.findall(r"\w{2,}", bare)) >= 1, (text, words, left)
                    assert not STUMP.search(bare) or bare[-8:] in text, (text, words, left)
                    assert not re.search(r" [,.;]|,\s*[,.;]|\b(?:an?|the) (?:and|with|in|of)\b", sentence), (text, left)
    assert cuts > 1000
