"""The evaluation from photos to results, with a model that answers as it is told."""

from __future__ import annotations

import argparse
import json

import pytest

from app.cli import evaluate
from finetune.errors import DataError
from finetune.evaluate.arms.statement import Statement
from finetune.evaluate.arms.table import ARMS
from finetune.evaluate.drafting import Text, chosen
from finetune.evaluate.evaluation import (
    QUICK_ARMS,
    EvaluationPlan,
    gather_material,
    run_evaluation,
    versions,
    write_calibration,
)
from finetune.evaluate.row_cache import RowCache
from finetune.evaluate.scoring import automatic, closed
from listing.errors import IplError
from listing.calibration import Calibration
from listing.taxonomy import load_taxonomy
from tests.finetune.evaluate.evaluation import ANSWERS, ToldBackend, material, photos, told_model
from tests.finetune.rows import annotated


def test_a_torn_line_loses_itself_alone(tmp_path):
    file = tmp_path / "rows.jsonl"
    cache = RowCache(file, lambda row: row["image"])
    cache.put({"image": "a", "n": 1})
    with file.open("a") as opened:
        opened.write('{"image": "b", "n"')
    RowCache(file, lambda row: row["image"]).put({"image": "c", "n": 3})
    again = RowCache(file, lambda row: row["image"])
    assert "a" in again
    assert "b" not in again
    assert again["c"]["n"] == 3


def test_photos_that_were_asked_about_are_not_asked_about_again(tmp_path):
    rows = photos(tmp_path, 5)
    first, second = ToldBackend(ANSWERS), ToldBackend(ANSWERS)
    told_model(tmp_path / "store", first).predictions(rows[:3])
    said = told_model(tmp_path / "store", second).predictions(rows)
    questions = len(first.asked) // 3
    assert len(second.asked) == 2 * questions
    assert {"image", "mllm", "classifier", "pixels", "contradicted", "details", "condition"} == set(said[0])
    assert said[4]["mllm"]["category"]["Hoodie"] > 0.9


def test_results_hold_every_arm_with_intervals_and_texts(tmp_path):
    made, out, lines = material(tmp_path), tmp_path / "results.json", []
    plan = EvaluationPlan(("tuned", "system", "copy-nearest", "adversarial-tuned"), (False, True), texts=2, draws=30)
    run_evaluation(made, plan, out, lines.append)
    results = json.loads(out.read_text())
    assert list(results["arms"]) == [
        "tuned", "tuned+rag", "system", "system+rag", "copy-nearest", "adversarial-tuned",
    ]  # fmt: skip
    tuned, copied = results["arms"]["tuned"], results["arms"]["copy-nearest"]
    assert tuned["category_accuracy"] == tuned["micro_f1"] == 1.0
    assert tuned["intervals"]["micro_f1"] == [1.0, 1.0]
    assert copied["category_accuracy"] == 0.0
    assert copied["brands"] == {"stated": 4, "wrong": 4}
    assert tuned["text"]["before"]["rouge_l_description"] > copied["text"]["before"]["rouge_l_description"]
    assert copied["text"]["after"]["automatic_h_doc"] == 1.0
    assert "text" not in results["arms"]["adversarial-tuned"]
    assert any(line.startswith("tuned") for line in lines)


def test_the_calibration_of_a_run_can_be_served(tmp_path):
    write_calibration(material(tmp_path), tmp_path)
    assert Calibration.load(tmp_path).of("colour").threshold == 0.95  # too few photos for more


def test_an_arm_without_past_listings_has_one_version():
    assert versions(EvaluationPlan(("classifier", "tuned"), (True,))) == [
        ("classifier", "classifier", False), ("tuned+rag", "tuned", True),
    ]  # fmt: skip


def test_the_photos_of_the_texts_do_not_depend_on_their_order(tmp_path):
    rows = photos(tmp_path, 9)
    some = {rows[i]["image"] for i in chosen(rows, 4)}
    assert some == {rows[::-1][i]["image"] for i in chosen(rows[::-1], 4)}
    assert some < {rows[i]["image"] for i in chosen(rows, 6)}


def test_a_sure_and_wrong_arm_is_badly_calibrated():
    rows = [annotated(sender_id=i) for i in range(6)]
    wrong = Statement("Shirt", {"colour": "red"}, {"colour": ("red", 1.0)}, 1.0)
    right = Statement("Hoodie", {"colour": "navy"}, {"colour": ("navy", 1.0)}, 1.0)
    assert closed(rows, [wrong] * 6, draws=10)["attribute_ece"] == 1.0
    half = closed(rows, [wrong, right] * 3, draws=10)
    assert half["category_ece"] == pytest.approx(0.5)
    assert half["by_attribute"]["colour"]["precision"] == pytest.approx(0.5)


def test_colours_are_counted_with_their_confusions():
    rows = [annotated(sender_id=i) for i in range(4)] + [annotated(sender_id=4, colour2="white")]
    guesses = [("navy", "white"), ("black", "navy"), ("black", "navy"), ("navy", "red"), ("white", "navy")]
    said = [
        Statement("Hoodie", {"colour": first} if i < 2 else {}, {"colour": (first, 0.6), "colour2": (second, 0.5)})
        for i, (first, second) in enumerate(guesses)
    ]
    found = closed([*rows, annotated(sender_id=5, guess=["colour"])], [*said, said[1]], draws=10)["colours"]
    assert (found["photos"], found["main"], found["main_or_second"], found["stated"]) == (5, 0.4, 0.6, 0.4)
    assert found["second"] == {"guessed": 5, "right": 3}
    assert found["confusions"] == {"navy as black": 2}


def test_claims_about_guesses_are_not_counted():
    taxonomy = load_taxonomy()
    text = Text("Navy hoodie", "A navy fleece hoodie.", {})
    sure = automatic(text, annotated(material="wool"), taxonomy)
    guessed = automatic(text, annotated(material="wool", guess=["material"]), taxonomy)
    assert sure["contradicted"] == 1
    assert guessed["contradicted"] == guessed["wrong"] == 0
    assert guessed["covered"] == 2  # the thing and its colour


def test_a_folder_without_validation_senders_is_refused(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "annotations.jsonl").write_text("")
    with pytest.raises(DataError, match="validation sender"):
        gather_material(folder, tmp_path, lambda: tmp_path, tmp_path / "c.jsonl", tmp_path, EvaluationPlan())


def arguments(*given):
    parser = argparse.ArgumentParser()
    evaluate.register(parser)
    return parser.parse_args(list(given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--arms", "tunned"), "there is no arm 'tunned'"),
        (("--rag", "maybe"), "--rag takes on, off"),
        (("--limit", "-1"), "numbers from 0 on"),
        (("--labels", "/nowhere/labels.jsonl"), "There is no file"),
        (("--data", "/nowhere"), "holds no annotations.jsonl"),
    ],
)
def test_a_mistake_is_one_sentence(given, message):
    with pytest.raises(IplError, match=message):
        evaluate.run(arguments(*given))


@pytest.mark.parametrize(
    ("given", "arms", "rag", "texts"),
    [
        ((), tuple(ARMS), (False, True), 100),
        (("--calibrate",), QUICK_ARMS, (False,), 0),  # fitting needs no other arm
        (("--calibrate", "--arms", "base", "--rag", "on"), ("base",), (True,), 100),
        (("--drafts", "sheet.jsonl"), ("base", "tuned"), (False, True), 100),
    ],
)
def test_what_is_evaluated_follows_the_options(given, arms, rag, texts, tmp_path, monkeypatch):
    monkeypatch.setenv("IPL_DATA", str(tmp_path))
    plan = evaluate._plan(arguments(*given))
    assert (plan.arms, plan.rag, plan.texts) == (arms, rag, texts)
    assert plan.catalogue == tmp_path / "fashion_catalog"


def test_arms_are_listed(capsys):
    assert evaluate.run(arguments("--arms", "help")) == 0
    assert "copy-nearest" in capsys.readouterr().out
