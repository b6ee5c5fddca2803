"""The arms, each with a model that answers as it is told."""

from __future__ import annotations

import pytest

from finetune.evaluate.arms import adversarial, mllm, system, yardsticks
from finetune.evaluate.arms.statement import Statement
from finetune.evaluate.arms.table import ARMS
from finetune.evaluate.drafting import WRITERS
from tests.finetune.evaluate.evaluation import ANSWERS, ToldBackend, material
from tests.finetune.rows import annotated

RIGHT = {"colour": "navy", "closure": "zip", "material": "fleece", "neckline": "hood"}


def test_a_question_without_a_hint_is_not_asked_again(tmp_path):
    backend = ToldBackend(ANSWERS)
    made = material(tmp_path, backend)
    plain = mllm.zero_shot("tuned", made, rag=False)
    before = len(backend.asked)
    hinted = mllm.zero_shot("tuned", made, rag=True)
    again = backend.asked[before:]
    assert [s.facts for s in plain] == [s.facts for s in hinted]
    assert {q.name for q in again} == {"colour", "closure"}
    assert all("Similar listings say" in q.prompt for q in again)
    assert RIGHT.items() <= plain[0].facts.items()
    assert "colour2" not in plain[0].facts


def test_a_model_that_believes_its_hints_states_the_neighbours_colour(tmp_path):
    backend = ToldBackend(ANSWERS, follows_hints=True)
    said = mllm.zero_shot("tuned", material(tmp_path, backend), rag=True)
    assert {s.facts["colour"] for s in said} == {"red"}


def test_answers_are_kept_between_runs(tmp_path):
    for expected in (True, False):
        backend = ToldBackend(ANSWERS)
        made = material(tmp_path, backend)
        mllm.zero_shot("tuned", made, rag=True)
        assert bool(backend.asked) is expected


def test_the_system_hears_classifier_and_print_and_keeps_its_thresholds(tmp_path):
    made = material(tmp_path)
    made.image_views[0]["read"] = {"brand": "Puma", "material": "cotton"}
    said = system.system(made, rag=False)
    assert said[0].category == "Hoodie"
    assert said[0].facts["brand"] == "Puma"
    assert said[0].facts["material"] == "cotton"  # a label is read, whatever the photo looks like
    assert "brand" not in said[1].facts
    assert "material" not in said[1].facts  # too few photos to fit: the cautious threshold
    assert said[1].guesses["material"][0] == "fleece"


def test_a_photo_of_something_else_states_no_garment(tmp_path):
    made = material(tmp_path)
    made.image_views[0].update(garment=0.01, imagenet={"Chair": 0.9})
    chair, hoodie = system.system(made, rag=False)[:2]
    assert chair.category == "Chair"
    assert "closure" not in chair.facts
    assert hoodie.category == "Hoodie"


def test_neighbours_are_looked_for_in_the_category_that_was_decided(tmp_path):
    made = material(tmp_path)
    system.system(made, rag=True)
    assert set(made.neighbourhood.categories) == {None, "Hoodie"}


def test_a_threshold_is_fitted_on_the_other_half_of_the_senders():
    rows = [annotated(sender_id=i, colour="navy" if i % 4 < 2 else "red") for i in range(80)]
    guesses = [{"colour": ("navy", 0.9 if row["colour"] == "navy" else 0.5)} for row in rows]
    said = [Statement("Hoodie", {"colour": "navy", "text": "HI"}, g, 0.9) for g in guesses]
    kept = system.thresholded(rows, said)
    assert all(("colour" in s.facts) is (row["colour"] == "navy") for s, row in zip(kept, rows, strict=True))
    assert all(s.facts["text"] == "HI" for s in kept)


def test_wrong_neighbours_reach_the_copier_alone(tmp_path):
    made = material(tmp_path, brand="Adidas")
    colours = made.taxonomy.attributes["colour"].values
    copied = adversarial.copy_nearest(made)
    for row, statement in zip(made.rows, copied, strict=True):
        assert statement.facts["colour"] == adversarial.wrong_colour(row, colours) != "navy"
        assert statement.facts["brand"].casefold() != "adidas"
    assert all(
        s.facts.get("colour") != c.facts["colour"] for s, c in zip(adversarial.system(made), copied, strict=True)
    )
    assert all("brand" not in s.facts for s in adversarial.mllm(made))


def test_wrong_neighbours_reach_a_model_that_believes_them(tmp_path):
    made = material(tmp_path, ToldBackend(ANSWERS, follows_hints=True))
    colours = made.taxonomy.attributes["colour"].values
    said = adversarial.mllm(made)
    assert [s.facts["colour"] for s in said] == [adversarial.wrong_colour(row, colours) for row in made.rows]


def test_yardsticks_learn_from_training_photos_only(tmp_path):
    made = material(tmp_path)
    for row, label, colour in zip(made.train, ("Hoodie", "Shirt", "Hoodie"), ("navy", "red", "navy"), strict=True):
        row.update(label=label, colour=colour)
        row["guess"] = ["pattern", "sleeve", "neckline", "closure", "material", "audience"]
    made.train[2]["guess"] = []
    said = yardsticks._fitted(made, _Nearest)
    assert [s.category for s in said[:2]] == ["Hoodie", "Shirt"]
    assert [s.facts["colour"] for s in said[:2]] == ["navy", "red"]


class _Nearest:
    def fit(self, x, y):
        self.x, self.y, self.classes_ = x, y, __import__("numpy").unique(y)
        return self

    def predict_proba(self, x):
        nearest = self.y[(x @ self.x.T).argmax(1)]
        return (nearest[:, None] == self.classes_[None]).astype(float)


@pytest.mark.parametrize("arm", sorted(WRITERS))
def test_every_arm_that_writes_has_statements(arm, tmp_path):
    made = material(tmp_path)
    statements = ARMS[arm].statements(made, False)
    drafts = WRITERS[arm](made, statements, [0, 2])
    assert len(drafts) == 2
    assert all(draft.before.title and draft.after.description for draft in drafts)


def test_texts_after_the_checks_lose_what_no_fact_supports(tmp_path):
    backend = ToldBackend(ANSWERS, text="Navy hoodie by Prada.")
    made = material(tmp_path, backend)
    draft = WRITERS["tuned"](made, ARMS["tuned"].statements(made, False), [0])[0]
    assert "Prada" in draft.before.title
    assert "Prada" not in draft.after.whole
