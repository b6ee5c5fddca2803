from random import Random

from finetune.data.tasks import TaskPlan, annotated_answer, photo_tasks
from listing.prompts import NO, UNKNOWN, YES
from listing.taxonomy import load_taxonomy
from tests.finetune.rows import annotated

TAXONOMY = load_taxonomy()
PLAN = TaskPlan(hint_share=0.0, claim_share=0.0, second_colour_share=1.0)


def answers(row, plan=PLAN, seed=0):
    return {task.name: task.answer for task in photo_tasks(row, TAXONOMY, plan, Random(seed))}


def test_each_visible_fact_is_asked_once_with_its_annotated_answer():
    asked = answers(annotated())
    expected = {"category": "hoodie", "colour": "navy", "closure": "zip", "condition": "creased", "colour2": "none"}
    assert {name: asked[name] for name in expected} == expected
    guessed = answers(annotated(guess=["material", "colour"]))
    assert not {"material", "colour"} & set(guessed), "a guess is never a target"
    assert answers(annotated(audience="unknown"))["audience"] == UNKNOWN
    assert annotated_answer(annotated(neckline="n/a"), TAXONOMY.attributes["neckline"]) == UNKNOWN


def test_what_the_category_does_not_have_or_no_photo_shows_is_never_asked():
    assert not {"sleeve", "neckline"} & set(answers(annotated(label="Shoes", sleeve="n/a", neckline="n/a")))
    assert not {"size", "brand", "text", "condition_grade"} & set(answers(annotated(brand="Nike"), TaskPlan()))


def test_hints_are_often_wrong_and_the_answer_follows_the_photo():
    plan = TaskPlan(hint_share=1.0, hint_wrong=1.0, claim_share=0.0)
    tasks = {task.name: task for task in photo_tasks(annotated(), TAXONOMY, plan, Random(2))}
    assert "Similar listings say" in tasks["colour"].prompt
    assert "navy" not in tasks["colour"].prompt
    assert tasks["colour"].answer == "navy"
    assert "Similar" not in tasks["condition"].prompt, "instance-level attributes have no hints"


def test_claims_are_true_and_false_in_about_equal_parts():
    plan, answers = TaskPlan(claim_share=1.0), []
    for seed in range(200):
        for task in photo_tasks(annotated(), TAXONOMY, plan, Random(seed)):
            if task.name == "claim":
                answers.append(task.answer)
                value = task.prompt.rstrip("?").split()[-1]
                facts = {"navy", "solid", "long", "hood", "zip", "fleece", "men", "creased"}
                assert (task.answer == YES) == (value in facts)
    assert 0.3 < answers.count(YES) / len(answers) < 0.6
    assert set(answers) == {YES, NO}


def test_what_is_always_asked_comes_beside_the_drawn_ones():
    plan = TaskPlan(attributes=1, always=("colour",), claim_share=0)
    for seed in range(20):
        families = [task.name for task in photo_tasks(annotated(), TAXONOMY, plan, Random(seed))]
        assert families.count("colour") == 1
        assert len(families) == 3, "category, colour and one other"
