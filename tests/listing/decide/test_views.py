"""Several sources and photos as one probability, and the file that holds the weights and thresholds."""

from __future__ import annotations

import json
import math
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from listing.calibration import FILE, Calibration
from listing.decide.views import best, certainty, combine, over_photos

VALUES = ("black", "navy", "red", "unknown")


def distribution(*weights: float) -> dict[str, float]:
    total = sum(weights)
    return {value: w / total for value, w in zip(VALUES, weights, strict=True)}


ONE, OTHER, UNEVEN = distribution(6, 3, 1, 2), distribution(1, 5, 2, 2), distribution(1, 1, 1, 90)
distributions = st.lists(st.floats(0.001, 1.0), min_size=len(VALUES), max_size=len(VALUES)).map(
    lambda weights: distribution(*weights)
)


@pytest.mark.parametrize(
    ("opinions", "weights", "expected"),
    [
        ({"mllm": ONE}, {"mllm": 1.0}, ONE),  # one source is taken at its word
        ({"mllm": ONE, "pixels": OTHER}, {"mllm": 1.0, "pixels": 1.0}, distribution(6, 15, 2, 4)),
        ({"mllm": ONE}, {"mllm": 2.0}, distribution(36, 9, 1, 4)),  # a weight is an exponent
        ({"mllm": ONE, "neighbours": UNEVEN, "pixels": UNEVEN}, {"mllm": 1.0, "pixels": 0.0}, ONE),
        ({}, {"mllm": 1.0}, {}),
        ({"mllm": {}}, {"mllm": 1.0}, {}),
        ({"mllm": ONE}, {}, {}),
    ],
)
def test_sources_multiply_by_their_weights(opinions, weights, expected) -> None:
    assert combine(opinions, weights) == pytest.approx(expected)


def test_no_source_can_veto_a_value() -> None:
    combined = combine({"a": {"navy": 1.0, "black": 0.0}, "b": {"navy": 0.0, "black": 1.0}}, {"a": 2.0, "b": 1.0})
    assert 0.0 < combined["black"] < combined["navy"] < 1.0
    unnamed = combine({"a": {"navy": 0.5, "teal": 0.5}, "b": {"navy": 1.0}}, {"a": 1.0, "b": 1.0})
    assert set(unnamed) == {"navy", "teal"}
    assert unnamed["navy"] > 0.999


@given(st.lists(distributions, min_size=1, max_size=4), st.lists(st.floats(0.05, 5.0), min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_the_result_is_a_distribution_whatever_the_weights(views: list[dict[str, float]], weights: list[float]) -> None:
    combined = combine({str(i): v for i, v in enumerate(views)}, {str(i): w for i, w in enumerate(weights)})
    assert set(combined) == set(VALUES)
    assert math.isclose(sum(combined.values()), 1.0, abs_tol=1e-9)
    assert all(0.0 <= p <= 1.0 for p in combined.values())


def pooled(views: list[dict[str, float]], trust: list[float]) -> dict[str, float]:
    return over_photos(dict(enumerate(views)), trust)


@given(st.lists(st.tuples(distributions, st.floats(0.05, 1.0)), min_size=2, max_size=4))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_photos_makes_no_difference(shots: list[tuple[dict[str, float], float]]) -> None:
    first = pooled([view for view, _ in shots], [trust for _, trust in shots])
    for order in permutations(shots):
        assert pooled([view for view, _ in order], [t for _, t in order]) == pytest.approx(first, abs=1e-12)


def test_photos_count_by_their_trust() -> None:
    navy, red = distribution(1, 7, 1, 1), distribution(1, 1, 7, 1)
    assert best(pooled([navy, red], [0.9, 0.3]))[0] == "navy"
    assert best(pooled([navy, red], [0.3, 0.9]))[0] == "red"
    assert pooled([navy] * 5, [0.3, 1.0, 0.2, 0.9, 0.5]) == pytest.approx(navy), "a second photo is no second witness"
    assert pooled([], []) == pooled([navy], [0.0]) == {}


def test_certainty_runs_from_uniform_to_one_sure_value() -> None:
    steps = [certainty(distribution(w, 1, 1, 1)) for w in (1, 2, 5, 50)]
    assert steps[0] == pytest.approx(0.0)
    assert steps == sorted(set(steps))
    assert steps[-1] < 1.0
    assert certainty({"navy": 1.0, "red": 0.0}) == pytest.approx(1.0)
    assert (certainty({"navy": 1.0}), certainty({})) == (1.0, 0.0)


def test_best_value_and_ties_by_alphabet() -> None:
    assert best({"red": 0.2, "navy": 0.7, "black": 0.1}) == ("navy", 0.7)
    for order in permutations({"red": 0.4, "navy": 0.4, "unknown": 0.2}.items()):
        assert best(dict(order)) == ("navy", 0.4)


# -- calibration ------------------------------------------------------------------------------------------------------


def loaded(folder: Path, content: object) -> Calibration:
    (folder / FILE).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return Calibration.load(folder)


def test_model_without_calibration_states_nothing(tmp_path: Path) -> None:
    calibration = Calibration.load(tmp_path)
    assert not calibration.fitted
    assert calibration.of("colour").weights == {"mllm": 1.0}
    assert calibration.of("colour").threshold > 1.0
    assert Calibration.load(tmp_path / "no-such-file.json") == calibration
    assert loaded(tmp_path, {}).fitted


def test_file_has_questions_and_a_default(tmp_path: Path) -> None:
    colour = {"weights": {"mllm": 0.6, "classifier": 0.7}, "threshold": 0.55}
    calibration = loaded(tmp_path, {"questions": {"colour": {**colour, "told": 0.7}}})  # of older versions
    assert calibration.of("colour").model_dump() == {**colour, "temperature": 1.0}
    assert calibration.of("pattern") == Calibration().default
    assert loaded(tmp_path, {"default": {"weights": {}, "threshold": 0.9}}).of("pattern").threshold == 0.9
    with pytest.raises(ValidationError):
        calibration.default = Calibration().default  # type: ignore[misc]


@pytest.mark.parametrize(
    "content",
    [
        {"question": {}},
        {"questions": {"colour": {"weights": {"mllm": 1.0}, "threshold": 0.5, "bias": 1}}},
        {"questions": {"colour": {"weights": {"mllm": 1.0}}}},
        {"default": {"weights": {"mllm": "much"}, "threshold": 0.5}},
        '{"questions": ',
    ],
)
def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(ValueError, match=r"validation error|Expecting"):
        loaded(tmp_path, content)
