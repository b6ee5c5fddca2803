"""What is asked of a photo, and that a model which knows nothing but the samples gives a right draft."""

from __future__ import annotations

from random import Random

import pytest

from finetune.data.build import from_annotations, from_listings, write_data
from finetune.data.tasks import TaskPlan, annotated_answer, photo_tasks
from finetune.train.collator import read_samples
from listing.backends.openai import OpenAIBackend
from listing.intake.photos import intake
from listing.pipeline import Pipeline
from listing.prompts import NO, UNKNOWN, YES
from listing.request import DraftRequest
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
