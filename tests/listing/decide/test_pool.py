"""Several sources as one probability, and the file that holds the weights and thresholds."""

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


distributions = st.lists(st.floats(0.001, 1.0), min_size=len(VALUES), max_size=len(VALUES)).map(
    lambda weights: distribution(*weights)
)


# -- combine ----------------------------------------------------------------------------------------------------------


def test_one_source_of_weight_one_is_taken_at_its_word() -> None:
    opinion = distribution(6, 3, 1, 2)
    assert combine({"mllm": opinion}, {"mllm": 1.0}) == pytest.approx(opinion)


def test_two_sources_multiply() -> None:
    a, b = distribution(4, 3, 2, 1), distribution(1, 5, 2, 2)
    product = [a[v] * b[v] for v in VALUES]
    expected = {v: p / sum(product) for v, p in zip(VALUES, product, strict=True)}
    assert combine({"mllm": a, "classifier": b}, {"mllm": 1.0, "classifier": 1.0}) == pytest.approx(expected)


def test_a_weight_is_an_exponent() -> None:
    opinion = distribution(8, 2, 1, 1)
    squared = [opinion[v] ** 2 for v in VALUES]
    expected = {v: p / sum(squared) for v, p in zip(VALUES, squared, strict=True)}
    assert combine({"mllm": opinion}, {"mllm": 2.0}) == pytest.approx(expected)


def test_a_source_without_weight_is_not_heard() -> None:
    opinion, other = distribution(6, 3, 1, 2), distribution(1, 1, 1, 90)
    heard = combine({"mllm": opinion, "neighbours": other, "pixels": other}, {"mllm": 1.0, "pixels": 0.0})
    assert heard == pytest.approx(opinion)


@pytest.mark.parametrize(("opinions", "weights"), [({}, {"mllm": 1.0}), ({"mllm": {}}, {"mllm": 1.0})])
def test_nothing_heard_is_nothing_said(opinions: dict[str, dict[str, float]], weights: dict[str, float]) -> None:
    assert combine(opinions, weights) == {}
    assert combine({"mllm": distribution(1, 1, 1, 1)}, {}) == {}


def test_no_source_can_veto_a_value() -> None:
    sure = {"navy": 1.0, "black": 0.0}
    against = {"navy": 0.0, "black": 1.0}
    combined = combine({"a": sure, "b": against}, {"a": 2.0, "b": 1.0})
    assert 0.0 < combined["black"] < combined["navy"] < 1.0


def test_a_value_that_a_source_does_not_name_gets_its_floor() -> None:
    combined = combine({"a": {"navy": 0.5, "teal": 0.5}, "b": {"navy": 1.0}}, {"a": 1.0, "b": 1.0})
    assert set(combined) == {"navy", "teal"}
    assert combined["navy"] > 0.999


@given(st.lists(distributions, min_size=1, max_size=4), st.lists(st.floats(0.05, 5.0), min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_the_result_is_a_distribution_whatever_the_weights(views: list[dict[str, float]], weights: list[float]) -> None:
    combined = combine({str(i): v for i, v in enumerate(views)}, {str(i): w for i, w in enumerate(weights)})
    assert set(combined) == set(VALUES)
    assert math.isclose(sum(combined.values()), 1.0, abs_tol=1e-9)
    assert all(0.0 <= p <= 1.0 for p in combined.values())


def pooled(views: list[dict[str, float]], trust: list[float]) -> dict[str, float]:
    return over_photos(dict(enumerate(views)), trust)


# -- over_photos ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(distributions, st.floats(0.05, 1.0)), min_size=2, max_size=4))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_photos_makes_no_difference(shots: list[tuple[dict[str, float], float]]) -> None:
    first = pooled([view for view, _ in shots], [trust for _, trust in shots])
    for order in permutations(shots):
        again = pooled([view for view, _ in order], [trust for _, trust in order])
        assert again == pytest.approx(first, abs=1e-12)
        assert best(again)[0] == best(first)[0] or math.isclose(
            best(again)[1], sorted(first.values())[-2], abs_tol=1e-9
        )


def test_photos_that_agree_are_no_surer_than_one() -> None:
    """They show the same thing to the same model: a second photo is no second witness."""
    view = distribution(7, 1, 1, 1)
    assert pooled([view] * 5, [0.3, 1.0, 0.2, 0.9, 0.5]) == pytest.approx(view)


def test_a_photo_that_shows_the_item_better_counts_more() -> None:
    navy, red = distribution(1, 7, 1, 1), distribution(1, 1, 7, 1)
    assert best(pooled([navy, red], [0.9, 0.3]))[0] == "navy"
    assert best(pooled([navy, red], [0.3, 0.9]))[0] == "red"


@pytest.mark.parametrize(("views", "trust"), [([], []), ([distribution(1, 1, 1, 1)], [0.0])])
def test_no_photo_that_counts_says_nothing(views: list[dict[str, float]], trust: list[float]) -> None:
    assert pooled(views, trust) == {}


# -- certainty and best -----------------------------------------------------------------------------------------------


def test_certainty_runs_from_uniform_to_one_sure_value() -> None:
    steps = [certainty(distribution(w, 1, 1, 1)) for w in (1, 2, 5, 50)]
    assert steps[0] == pytest.approx(0.0)
    assert steps == sorted(set(steps))
    assert certainty({"navy": 1.0, "red": 0.0}) == pytest.approx(1.0)
    assert certainty({"navy": 1.0}) == 1.0
    assert certainty({}) == 0.0


@given(distributions)
@settings(deadline=None)
def test_certainty_lies_between_zero_and_one(opinion: dict[str, float]) -> None:
    assert 0.0 <= certainty(opinion) <= 1.0


def test_the_best_value_and_its_probability() -> None:
    assert best({"red": 0.2, "navy": 0.7, "black": 0.1}) == ("navy", 0.7)


def test_ties_go_to_the_alphabet_whatever_the_order() -> None:
    for order in permutations({"red": 0.4, "navy": 0.4, "unknown": 0.2}.items()):
        assert best(dict(order)) == ("navy", 0.4)


# -- calibration ------------------------------------------------------------------------------------------------------


def write(folder: Path, content: object) -> Path:
    (folder / FILE).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def test_no_probability_is_enough_for_a_model_without_the_file(tmp_path: Path) -> None:
    calibration = Calibration.load(tmp_path)
    assert not calibration.fitted
    assert calibration.of("colour").weights == {"mllm": 1.0}
    assert calibration.of("colour").threshold > 1.0
    assert Calibration.load(tmp_path / "no-such-file.json") == calibration
    assert Calibration.load(write(tmp_path, {})).fitted


def test_the_file_speaks_for_its_questions_and_the_default_for_the_rest(tmp_path: Path) -> None:
    colour = {"weights": {"mllm": 0.6, "classifier": 0.7}, "threshold": 0.55}
    calibration = Calibration.load(write(tmp_path, {"questions": {"colour": colour}}))
    assert calibration.of("colour").model_dump() == colour
    assert calibration.of("pattern") == Calibration().default
    calibration = Calibration.load(write(tmp_path, {"default": {"weights": {"mllm": 0.5}, "threshold": 0.9}}))
    assert calibration.of("pattern").threshold == 0.9


@pytest.mark.parametrize(
    "content",
    [
        {"question": {}},
        {"questions": {"colour": {"weights": {"mllm": 1.0}, "threshold": 0.5, "bias": 1}}},
        {"questions": {"colour": {"weights": {"mllm": 1.0}}}},
        {"default": {"weights": {"mllm": "much"}, "threshold": 0.5}},
    ],
)
def test_unknown_or_missing_keys_are_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(ValidationError):
        Calibration.load(write(tmp_path, content))


def test_a_file_with_two_thresholds_of_older_versions_opens(tmp_path: Path) -> None:
    colour = {"weights": {"mllm": 0.6}, "threshold": 0.55, "told": 0.7}
    assert Calibration.load(write(tmp_path, {"questions": {"colour": colour}})).of("colour").threshold == 0.55


def test_a_damaged_file_is_an_error_and_not_the_default(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Expecting"):
        Calibration.load(write(tmp_path, '{"questions": '))


def test_a_calibration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Calibration().default = Calibration().default  # type: ignore[misc]
