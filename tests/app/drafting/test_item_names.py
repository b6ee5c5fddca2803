"""What a seller calls an item is its name, though the tree knows it by another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.seller.actions import Actions
from app.seller.draft_part import draft_html
from app.seller.session import SellerSession
from app.seller.words import label_tip
from listing.revise import statement_of, with_statement
from listing.schema import AttributeValue, Candidate, Category, Flag, Question, Span
from listing.taxonomy import load_taxonomy
from tests.fakes import FakePipeline


@pytest.fixture
def services(build):
    return build(pipeline=FakePipeline(marked=True))


@pytest.fixture
def made(services, me, photos):
    return list(services.draft_writer.start(me, photos))[-1]


def named(view) -> str | None:
    return next((a.value for a in view.attributes if a.name == "item_type"), None)


@pytest.mark.parametrize(
    ("typed", "category"),
    [
        ("bath towel", "Towel"),
        ("cushion cover", "Cushion"),
        ("briefcase", "Laptop bag"),
        ("towels", "Towel"),
        ("towel", "Towel"),
        ("coasters", "coasters"),
        ("Eggnog taffy", "eggnog taffy"),
        ("Lego bricks", "Lego bricks"),
        ("TV stand", "TV stand"),
    ],
)
def test_the_typed_name_is_in_title_and_text(services, me, made, typed, category):
    view = services.drafts.edit(me, made.draft_id, "category", typed)
    assert view.category.value == category
    assert typed.lower() in view.title.lower()
    assert typed.lower() in view.description.lower()
    assert "hoodie" not in f"{view.title} {view.description}".lower()


def test_the_name_goes_and_comes_with_its_category(services, me, made):
    services.drafts.edit(me, made.draft_id, "category", "bath towel")
    view = services.drafts.edit(me, made.draft_id, "category", "Rug")
    assert (view.category.value, named(view)) == ("Rug", None)
    assert "rug" in view.title
    assert "towel" not in view.title + view.description
    view = services.drafts.unlock(me, made.draft_id, "category")
    assert (view.category.value, view.title, named(view)) == ("Hoodie", made.title, named(made))
    view = list(services.draft_writer.write_again(me, made.draft_id, category="bath towel"))[-1]
    assert (view.category.value, named(view)) == ("Towel", "bath towel")
    assert "bath towel" in view.title


def test_what_it_is_is_asked_once(made):
    kinds = {"Handbag": 0.3, "Backpack": 0.01, "Wallet": 0.01}
    candidates = [Candidate(value=name, confidence=p) for name, p in kinds.items()]
    asked = Question(attribute="category", text="What kind of bag is it?", choices=[*kinds])
    view = replace(made, category=Category(value="Bags", confidence=0.6, candidates=candidates), questions=[asked])
    html = draft_html(view, [], retrieval=False)
    assert asked.text not in html
    for name in kinds:
        assert html.count(f'data-run="1" data-value="{name}" aria-pressed') == 1
    assert 'data-value="Bags"' not in html, "the group is no answer"
    assert html.index('id="h-kind"') < html.index('id="cat-other"') < html.index('id="h-text"'), "asked above the text"
    assert "Something else" not in html, "the box is open"


def test_what_it_is_is_said_and_asked_in_one_place(made):
    unknown = Category(value=None, confidence=0.3, in_range=False)
    flag = Flag(code="outside-known", message="I do not know this kind of item.", field="category")
    html = draft_html(replace(made, category=unknown, flags=[flag]), [], retrieval=False)
    assert "This is outside what I know" in html
    assert flag.message not in html
    taught = Flag(code="outside-tuned", message="Please check what it is.", field="category")
    sure = Category(value="Handbag", confidence=0.9, candidates=[Candidate(value="Handbag", confidence=0.9)])
    html = draft_html(replace(made, category=sure, flags=[taught]), [], retrieval=False)
    assert html.index(taught.message) < html.index('id="cat-other"') < html.index('id="h-ask"'), "beside the remark"
    assert html.count('id="cat-other"') == 1
    draft = made.draft.model_copy(
        update={"spans": [Span(field="title", start=0, end=4, attribute="category", value="Hoodie", status="check")]}
    )
    doubtful = Category(value="Hoodie", confidence=0.6, candidates=[Candidate(value="Hoodie", confidence=0.6)])
    asked = Question(attribute="category", text="What is it?", choices=["Hoodie", "Jacket"])
    html = draft_html(replace(made, draft=draft, category=doubtful, questions=[asked]), [], retrieval=False)
    assert 'class="check"' in html
    assert "Please check" not in html, "the kind is asked above"


def test_a_group_called_like_its_leaf_stands_once(made):
    candidates = [Candidate(value="Table", confidence=0.4), Candidate(value="Desk", confidence=0.3)]
    view = replace(made, category=Category(value="Tables", confidence=0.6, candidates=candidates))
    html = draft_html(view, [], retrieval=False)
    assert 'data-value="Table" aria-pressed' in html
    assert 'data-value="Tables" aria-pressed' not in html


def test_further_words_stand_behind_the_text(services, me, made):
    view = services.drafts.edit(me, made.draft_id, "category", "briefcase")
    assert statement_of(view.draft, "leather", load_taxonomy()).facts == {"material": "leather"}
    view = services.drafts.edit(me, made.draft_id, "category", "bathroom hooks")
    draft = view.draft.model_copy(update={"description": "These are navy bathroom hooks."})
    said = with_statement(draft, statement_of(draft, "set of 2", load_taxonomy()), load_taxonomy())
    assert said == "These are navy bathroom hooks. Set of 2."


@pytest.mark.parametrize(("typed", "stated"), [("50 x 70", "50 x 70 cm"), ("2 m", "2 m"), ("40 x 30 cm", "40 x 30 cm")])
def test_an_answer_in_bare_numbers_is_in_centimetres(services, me, made, typed, stated):
    services.drafts.edit(me, made.draft_id, "category", "bath towel")
    tab = SellerSession()
    tab.show(services.drafts.get(me, made.draft_id), services.media)
    Actions(services, me, tab).press({"do": "answer", "name": "dimensions", "value": typed})
    fact = next(a.value for a in tab.view.attributes if a.name == "dimensions")
    assert fact == stated
    assert f"Measurements: {stated}." in tab.view.description


@pytest.mark.parametrize(
    ("kind", "example", "tip"),
    [
        ("Hoodie", "zip, hood, size M", "material, brand and size"),
        ("Table", "set of 2, made of wood", "settle brand"),
        ("Towel", "set of 2, made of wood", "material and brand"),
    ],
)
def test_examples_and_tips_are_of_such_a_thing(services, me, made, kind, example, tip):
    view = services.drafts.edit(me, made.draft_id, "category", kind)
    unread = [AttributeValue(name=name) for name in load_taxonomy().node(kind).attributes]
    view = replace(view, attributes=unread)
    html = draft_html(view, [], retrieval=False)
    assert f'placeholder="{example}"' in html
    assert tip in label_tip(view)
