"""What is asked of a photo, and that a model which knows nothing but the samples gives a right draft.

A catalogue's own titles and descriptions, cut to what the prompt says.
"""

from __future__ import annotations

import re
from random import Random

import pytest

from finetune.data.build import from_annotations, from_listings, write_data
from finetune.data.claims import claims_task
from finetune.data.listing_texts import AllowedClaims, claimed_part, listing_task
from finetune.data.past_listings import listing_tasks
from finetune.data.tasks import TaskPlan, annotated_answer, photo_tasks
from finetune.train.collator import read_samples
from listing.backends import forms
from listing.backends.base import Form
from listing.backends.openai import OpenAIBackend
from listing.decide.claims import Claim
from listing.intake.photos import intake
from listing.pipeline import Pipeline
from listing.prompts import NO, UNKNOWN, YES
from listing.request import DraftRequest
from listing.say.clauses import joints
from listing.say.model_text import says_only
from listing.taxonomy import load_taxonomy
from tests.fakes import jpeg
from tests.finetune.support import TRAINING, VALIDATION, annotated, photo
from tests.listing.backends.chat_stub import Answer, Request, event, prompt_of, reply, seeing, serving, spelled
from tests.listing.stubs import parts

TAXONOMY = load_taxonomy()
PLAN = TaskPlan(hint_share=0.0, claim_share=0.0, second_colour_share=1.0)
LISTING = {"category": "Hoodie", "attributes": {"colour": "navy", "closure": "zip"}, "title": "", "description": ""}


def answers(row, plan=PLAN):
    return {task.name: task.answer for task in photo_tasks(row, TAXONOMY, plan, Random(0))}


def test_each_visible_fact_is_asked_once():
    asked = answers(annotated())
    expected = {"category": "hoodie", "colour": "navy", "closure": "zip", "condition": "creased", "colour2": "none"}
    assert {name: asked[name] for name in expected} == expected
    guessed = answers(annotated(guess=["material", "colour"]))
    assert not {"material", "colour"} & set(guessed), "a guess is never a target"
    assert answers(annotated(audience="unknown"))["audience"] == UNKNOWN
    assert annotated_answer(annotated(neckline="n/a"), TAXONOMY.attributes["neckline"]) == UNKNOWN


def test_what_no_photo_shows_is_never_asked():
    assert not {"sleeve", "neckline"} & set(answers(annotated(label="Shoes", sleeve="n/a", neckline="n/a")))
    assert not {"size", "brand", "text", "condition_grade"} & set(answers(annotated(brand="Nike"), TaskPlan()))


def test_answers_follow_the_photo_and_no_hint():
    plan = TaskPlan(hint_share=1.0, hint_wrong=1.0, claim_share=0.0)
    tasks = {task.name: task for task in photo_tasks(annotated(), TAXONOMY, plan, Random(2))}
    assert "Similar listings say" in tasks["colour"].prompt
    assert "navy" not in tasks["colour"].prompt
    assert tasks["colour"].answer == "navy"
    assert "Similar" not in tasks["condition"].prompt, "instance-level attributes have no hints"


def test_claims_are_true_as_often_as_false():
    facts, said = {"navy", "solid", "long", "hood", "zip", "fleece", "men", "creased"}, []
    for seed in range(200):
        for task in photo_tasks(annotated(), TAXONOMY, TaskPlan(claim_share=1.0), Random(seed)):
            if task.name == "claim":
                said.append(task.answer)
                assert (task.answer == YES) == (task.prompt.rstrip("?").split()[-1] in facts)
    assert 0.3 < said.count(YES) / len(said) < 0.6
    assert set(said) == {YES, NO}


def test_what_is_always_asked_is_never_drawn_away():
    plan = TaskPlan(attributes=1, always=("colour",), claim_share=0)
    for seed in range(20):
        names = [task.name for task in photo_tasks(annotated(), TAXONOMY, plan, Random(seed))]
        assert names.count("colour") == 1
        assert len(names) == 3, "category, colour and one other"


def test_claims_are_taught_as_they_are_asked_back():
    facts = {"colour": "navy", "closure": "zip", "sleeve": "long", "audience": "men"}
    said, lines = [], set()
    for seed in range(20):
        (task,) = claims_task("Hoodie", facts, (), TAXONOMY, Random(seed))
        form = Form(task.prompt, {str(n): (YES, NO, "cannot tell") for n in range(1, 13)}, value_key="there")
        answers = forms.read(form, task.answer, (), 1).choices
        for number, line in re.findall(r"^(\d+)\. (.+)$", task.prompt, re.MULTILINE):
            said.append(answers[number][YES] > 0.9)
            lines.add((line.lower(), said[-1]))
    assert {(line, False) for line in joints().never} & lines
    assert not any((line, not there) in lines for line, there in lines), "no claim is true of it and false"
    others = "red|blue|pink|gold|silver|buttons|short|women|baby|kids"
    assert all(not re.search(rf"\b({others})\b", line) for line, there in lines if there)
    assert 0.2 < sum(said) / len(said) < 0.6
    (task,) = claims_task("Hoodie", facts, ["Navy hoodie with a dragon"], TAXONOMY, Random(0))
    assert re.search(r"^\d+\. dragon$", task.prompt, re.MULTILINE), "its own words, where a listing has some"


@pytest.mark.parametrize(
    ("teach", "more"),
    [(from_annotations(TAXONOMY, TaskPlan()), {}), (from_listings(TAXONOMY), {"listing": LISTING})],
)
def test_a_server_is_asked_what_was_taught(tmp_path, teach, more):
    senders = (VALIDATION[0], TRAINING[0])
    rows = [{**annotated(image=photo(tmp_path / f"{s}.png", s), sender_id=s), **more} for s in senders]
    write_data(rows, teach, tmp_path / "made")
    taught = {}
    for sample in read_samples(tmp_path / "made" / "train.jsonl"):
        for asked, answer in zip(sample["messages"][::2], sample["messages"][1::2], strict=True):
            taught[asked["content"].removeprefix("<image>\n")] = answer["content"]

    def script(request: Request) -> Answer:
        if request.body.get("stream"):
            return Answer(pieces=(event("Hoodie\nA hoodie."), event(finish="stop")))
        answer = taught.get(prompt_of(request), "I was not taught that.")
        return reply(answer, spelled(answer))

    with serving(seeing(script)) as stub:
        pipeline = Pipeline(parts(OpenAIBackend(stub.url)))
        draft = list(pipeline.run(DraftRequest(photos=intake([jpeg()]))))[-1].draft
        assert len(stub.chats()) == 2 + 2, "the look at what the server can, the form, the text"
    assert draft.category.value == "Hoodie"
    assert draft.category.confidence > 0.95
    facts = {fact.name: fact.value for fact in draft.attributes if fact.value}
    assert (facts["colour"], facts["closure"]) == ("navy", "zip")


CLAIMS = {("colour", "black"), ("audience", "men"), ("sleeve", "short"), ("neckline", "crew")}
ALLOWED = AllowedClaims("t-shirt", TAXONOMY.categories["T-Shirt"], frozenset(CLAIMS))
SHIRT = {
    "category": "T-Shirt",
    "title": "Acme Men Printed Black T-shirt",
    "description": "Composition\nBlack t-shirt made of 100% cotton, has a round neck, short sleeves, a silver badge\n"
    "Wash care\nMachine wash\nPair this t-shirt with blue jeans and shoes for a great look.",
    "attributes": {"colour": "black", "audience": "men", "neckline": "crew", "sleeve": "short", "brand": "Acme"},
}


@pytest.mark.parametrize(
    ("text", "remaining"),
    [
        ("Acme Men Printed Black T-shirt", "Men Black T-shirt"),
        ("Acme Men Need for Speed Black T-shirt", "Men Black T-shirt"),
        ("Midnight Black Men T-shirt with a dragon", "Black Men T-shirt"),
        ("Black t-shirt made of 100% cotton, has a round neck and a zip", "Black t-shirt with a round neck"),
        ("Black t-shirt with a badge, short sleeves and a hood", "Black t-shirt with short sleeves"),
        ("It has a round neck, short sleeves and a zip", "It has a round neck and short sleeves"),
        ("You will love this black t-shirt", ""),
        ("Machine wash", ""),
    ],
)
def test_what_no_claim_covers_goes(text, remaining):
    assert claimed_part(text, ALLOWED) == remaining


def test_a_target_says_what_its_prompt_says():
    rng = Random(0)
    tasks = [task for _ in range(60) if (task := listing_task(SHIRT, TAXONOMY, rng, []))]
    assert len(tasks) > 40
    for task in tasks:
        title, description = task.answer.split("\n")
        prompt = task.prompt.lower()
        assert all(word in prompt for word in ("black", "men") if word in title.lower().split())
        assert ("Acme" in task.answer) <= ("brand: Acme" in task.prompt)
        assert ("short" in description) <= ("short" in prompt)
        assert not {"100%", "badge", "jeans", "wash", "printed"} & set(task.answer.lower().split())
    assert "Men Black T-shirt\nBlack t-shirt with a round neck and short sleeves." in {task.answer for task in tasks}


def test_no_prompt_shows_the_texts_of_its_listing():
    rng, sellers_text = Random(1), f"{SHIRT['title']}. {SHIRT['description']}"
    tasks = [
        t for _ in range(40) if (t := listing_task(SHIRT, TAXONOMY, rng, [sellers_text, "Gorgeous Northwind skirt."]))
    ]
    assert any("Northwind" in task.prompt for task in tasks)
    assert not any(SHIRT["title"] in task.prompt for task in tasks)


def test_texts_with_contact_data_teach_nothing():
    with_contact = {**SHIRT, "description": SHIRT["description"] + "\nCall me at 0171 2345678"}
    names = [
        {t.name for _ in range(9) for t in listing_tasks(row, TAXONOMY, Random(0), [])} for row in (SHIRT, with_contact)
    ]
    assert "listing" in names[0]
    assert "listing" not in names[1]


@pytest.mark.parametrize(
    ("title", "brand", "is_served"),
    [
        ("Men Purple T-Shirts", None, True),
        ("Flying Machine Men Purple T-shirt", "Flying Machine", True),
        ("Flying Machine Men Purple T-shirt", None, False),
        ("Men Purple Northwind T-shirt", None, False),
    ],
)
def test_a_title_in_capitals_names_nothing_unknown(title, brand, is_served):
    claims = [Claim("category", "T-Shirt"), Claim("colour", "purple"), Claim("audience", "men")]
    claims += [Claim("brand", brand)] if brand else []
    assert says_only(title, "title", claims, TAXONOMY) is is_served
