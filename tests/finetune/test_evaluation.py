"""The evaluation: photos are observed once, then arms decide from what was observed, and a calibration is fitted."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from PIL import Image

from app.cli.main import main
from finetune.errors import DataError
from finetune.evaluate.arms import ARMS, SYSTEM
from finetune.evaluate.calibrate import Case, Pool, best_weights, fit, fit_weights, threshold
from finetune.evaluate.evaluation import EvaluationPlan, observe, run_evaluation
from finetune.evaluate.measures import Counts, count, f1, interval, judge, scores_of
from finetune.evaluate.observing import ObservedPhoto, Observer
from listing.calibration import Calibration
from listing.measure.row_cache import RowCache
from listing.rules import Rules
from listing.schema import Observation
from listing.taxonomy import load_taxonomy
from tests.finetune.support import TRAINING, VALIDATION, annotated, write_rows
from tests.listing.stubs import StubBackend, parts

RULES = Rules(load_taxonomy(), Calibration())
SENDERS = VALIDATION[:8]


def on(source: str, question: str, **shares: float) -> Observation:
    return Observation(source=source, question=question, photo=0, probabilities=shares)


def observed_photo(number: int) -> ObservedPhoto:
    """A tower that is right of nine in ten closures and sure of it, colours by pixels, past listings of others."""
    closure = {"zip": 0.9, "buttons": 0.1} if number % 10 else {"buttons": 0.6, "zip": 0.4}
    return ObservedPhoto(
        [
            on("evidence_tower", "category", Hoodie=0.9, Shirt=0.1),
            on("evidence_tower", "closure", **closure),
            on("pixels", "colour", navy=0.8, black=0.2),
            on("mllm", "material", fleece=0.7, wool=0.3),
            Observation(source="neighbours", question="closure", probabilities={"tie": 1.0}),
        ],
        {"tower": 0.1, "mllm": 0.4},
        {"category": "Shirt", "attributes": {"closure": "buttons", "colour": "navy"}},
    )


ROWS = [annotated(image=f"{i}.jpg", sender_id=SENDERS[i % len(SENDERS)]) for i in range(60)]
PHOTOS = [observed_photo(i) for i in range(60)]


def test_a_torn_line_loses_itself_alone(tmp_path: Path) -> None:
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


# -- observing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Annotated photos of validation senders."""
    place = tmp_path / "photos"
    place.mkdir()
    for number in range(4):
        Image.new("RGB", (64, 64), (number * 40, 30, 90)).save(place / f"{number}.jpg")
    rows = [annotated(image=f"{number}.jpg", sender_id=SENDERS[number]) for number in range(4)]
    write_rows(place / "annotations.jsonl", rows)
    return place


def test_photos_are_observed_once_with_every_question(folder: Path, tmp_path: Path) -> None:
    backend = StubBackend({"category": "hoodie", "closure": "zip"})
    plan = EvaluationPlan(limit=3)
    first = observe(folder, Observer(lambda: parts(backend), tmp_path / "seen.jsonl"), "stub", plan)
    per_photo = len(backend.asked) // 3
    assert {"category", "closure", "material"} <= {q.name for q in backend.asked}
    again = observe(folder, Observer(lambda: parts(backend), tmp_path / "seen.jsonl"), "stub", EvaluationPlan())
    assert len(backend.asked) == 4 * per_photo
    assert again.photos[0].observations == first.photos[0].observations
    assert first.photos[0].seconds.keys() >= {"mllm", "ocr"}


def test_a_folder_without_validation_senders_is_refused(folder: Path, tmp_path: Path) -> None:
    write_rows(folder / "annotations.jsonl", [annotated(image="0.jpg", sender_id=TRAINING[0])])
    with pytest.raises(DataError, match="no photo of a validation sender"):
        observe(folder, Observer(parts, tmp_path / "seen.jsonl"), "stub", EvaluationPlan())


# -- arms -------------------------------------------------------------------------------------------------------------


def test_the_system_says_what_no_source_can() -> None:
    system = ARMS[SYSTEM](ROWS, PHOTOS, RULES)
    assert {s.category for s in system} == {"Hoodie"}
    assert {s.facts.get("colour") for s in system} == {"navy"}
    without = ARMS["without pixels"](ROWS, PHOTOS, RULES)
    assert {s.facts.get("colour") for s in without} == {None}
    alone = ARMS["evidence_tower alone"](ROWS, PHOTOS, RULES)
    assert {s.category for s in alone} == {"Hoodie"}
    assert {s.guesses.get("material") for s in alone} == {None}


def test_results_hold_every_arm_with_intervals_and_costs(tmp_path: Path) -> None:
    out, lines = tmp_path / "results.json", []
    evaluation = type("Observed", (), {"rows": ROWS, "photos": PHOTOS, "rules": RULES, "stamp": "stub"})
    run_evaluation(evaluation, EvaluationPlan((SYSTEM, "without mllm", "nearest listing"), draws=20), out, lines.append)
    results = json.loads(out.read_text())
    assert set(results["arms"]) == {SYSTEM, "without mllm", "nearest listing"}
    low, high = results["arms"][SYSTEM]["intervals"]["F1"]
    assert low <= results["arms"][SYSTEM]["F1"] <= high
    assert results["cpu_seconds"] == {"tower": 0.1, "mllm": 0.4}
    assert results["texts"]["facts_in_text"] > 0
    assert any(line.startswith("without mllm") and "0.400" in line for line in lines)


# -- measures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "stated", "counts"),
    [
        ({}, "navy", Counts(right=1)),
        ({}, "black", Counts(wrong=1, missed=1)),
        ({}, None, Counts(missed=1)),
        ({"colour2": "white"}, "white", Counts(right=1)),
        ({"colour": "unknown"}, "navy", Counts(wrong=1)),
        ({"colour": "unknown"}, None, Counts()),
        ({"colour": "n/a"}, "unknown", Counts()),
        ({"guess": ["colour"]}, "navy", None),
    ],
)
def test_statements_are_judged_against_the_annotation(row, stated, counts):
    assert judge(annotated(**row), "colour", stated) == counts


def test_f1_of_attributes_by_hand():
    rows = [annotated(), annotated()]
    stated = [{"colour": "navy", "sleeve": "short"}, {"colour": "black", "sleeve": "long"}]
    scores = scores_of(count(rows, stated).sum(0))
    assert scores["by_attribute"]["colour"]["f1"] == pytest.approx(0.5)
    assert scores["by_attribute"]["sleeve"]["f1"] == pytest.approx(0.5)
    assert scores["by_attribute"]["pattern"]["f1"] == 0.0
    assert scores["precision"] == pytest.approx(0.5)
    assert scores["recall"] == pytest.approx(2 / 14)
    assert math.isnan(f1(0, 0, 0))


def test_the_interval_draws_whole_senders():
    rows = [annotated(sender_id=i // 10) for i in range(40)]
    right = [i // 10 % 2 for i in range(40)]  # all photos of a sender are right or wrong together
    low, high = interval(rows, lambda index: sum(right[i] for i in index) / len(index), draws=400)
    assert low <= 0.1
    assert high >= 0.9


# -- calibration ------------------------------------------------------------------------------------------------------


def test_a_source_of_noise_is_not_heard() -> None:
    calibration = fit(ROWS, PHOTOS, RULES)
    assert calibration.of("closure").weights.get("classifier", 0.0) > 0
    assert not calibration.of("closure").weights.get("neighbours")
    assert calibration.of("category").threshold <= 0.98


def test_the_source_right_more_often_is_heard() -> None:
    """The first is right in 7 of 10 and rules all else out; the second never is, but its log loss is the smaller."""
    values = [f"v{n}" for n in range(40)]
    cases = []
    for n in range(200):
        truth, other, third = (values[(n + k) % 40] for k in range(3))
        first = {truth if n % 10 < 7 else third: 0.6, other: 0.4}
        second = dict.fromkeys(values, 0.5 / 38) | {truth: 0.24, other: 0.26}
        cases.append(Case({}, {"first": first, "second": second}, frozenset({truth})))
    pool = Pool.of(cases)
    assert pool.right_cases(fit_weights(cases)) == 0
    assert best_weights(cases).keys() == {"first"}
    assert pool.right_cases(best_weights(cases)) == 140


def test_a_threshold_keeps_the_precision_asked_for() -> None:
    stated = [(0.9 - i / 1000, 1) for i in range(40)] + [(0.5 - i / 1000, i % 2) for i in range(40)]
    lowest = threshold(stated, 0.93)
    above = [right for p, right in stated if p >= lowest]
    assert sum(above) / len(above) >= 0.93
    assert threshold([(0.9, 1)] * 3, 0.93) == 0.98  # too few to tell


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_lists_its_arms_and_refuses_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--arms", "help"]) == 0
    assert "without mllm" in capsys.readouterr().out
    assert main(["evaluate", "--arms", "magic"]) == 2
    assert "there is no arm 'magic'" in capsys.readouterr().err
