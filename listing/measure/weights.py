"""How far a model is heard beside the calibrated sources: measured on annotated photos, one weight and temperature a
question.

Both are shrunken: they leave the prior (``listing.calibration``) as far as the cases outweigh it, so that few cases
move them little. What no case speaks of, such as anything outside garments, keeps the prior.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from listing.calibration import GENERAL, Calibration, QuestionCalibration
from listing.decide.attributes import Facts
from listing.decide.category import general_vote
from listing.decide.views import FLOOR, Distribution, Views, best, combine
from listing.prompts import UNKNOWN
from listing.rules import Rules
from listing.schema import Observation

CATEGORY = "category"
PRECISION = 0.93  # of what is stated
# The prior: of the logarithm of the weight, and of the temperature, normal with this standard deviation; narrow, since
# the photos of one table are of few people, and the other sources are not as often right on those of the next.
WEIGHT_SPREAD, TEMPERATURE_SPREAD = 0.45, 0.35
TAPS_SPREAD = 0.2  # of the weight by taps, which tell of doubtful items alone
_WEIGHTS = np.exp(np.linspace(-3.0, 1.6, 93))  # times the prior's
_TEMPERATURES = np.exp(np.linspace(-0.9, 0.9, 19))
PRIOR_RIGHT, _AGREEMENT_CASES, _SURE = 0.85, 50, 0.9  # of a model that nobody measured; of what agreement is of
_PRIOR_CASES = 10  # that the prior's threshold counts for
MIN_THRESHOLD, MAX_THRESHOLD = 0.6, 0.98


@dataclass(frozen=True)
class Case:
    """The sources' word on one question about one item, and the answers that are right; ``weight``: as how many."""

    sources: Mapping[str, Distribution]
    truths: frozenset[str]
    weight: float = 1.0


def cases_of(
    observations: Sequence[Observation],
    truths: Mapping[str, Iterable[str]] | None,
    count: int,
    rules: Rules,
    category: str | None = None,
) -> dict[str, Case]:
    """Question -> case, of those whose truth is known and of which a model speaks.

    truths: question -> the answers that are right; None: every question, with no answer known. count: photos.
    category: the item's, where no truth names it.
    """
    views, taxonomy = Views(observations, count), rules.taxonomy
    cases = {}
    known = truths or {}
    if (truths is None or CATEGORY in truths) and (votes := general_vote(views, taxonomy, rules.calibration)):
        cases[CATEGORY] = Case(votes, frozenset(known.get(CATEGORY, ())))
    node = taxonomy.node(next(iter(known.get(CATEGORY, ())), category))
    facts = Facts(views, node, taxonomy, rules.calibration, {})
    for attribute in taxonomy.schema_of(node):
        if attribute.values and (truths is None or attribute.name in truths):
            right = frozenset(v if v in attribute.answers else UNKNOWN for v in known.get(attribute.name, ()))
            cases[attribute.name] = Case(facts.sources(attribute), right)
    return {name: case for name, case in cases.items() if case.sources.get("mllm")}


def measured(cases: Mapping[str, Sequence[Case]], start: Calibration, *, tempered: bool = True) -> Calibration:
    """``start`` with the weight, temperature and threshold of each question that there are cases of.

    ``tempered``: False, of taps, leaves temperatures and thresholds as they are.
    """
    questions = dict(start.questions)
    for name, found in cases.items():
        if found:
            questions[name] = fitted(found, start.of(name), tempered=tempered)
    return start.model_copy(update={"questions": questions})


def as_usual(cases: Sequence[Case], before: QuestionCalibration, known: float) -> list[Case]:
    """The cases of photos that are easier than usual, or harder, for the sources beside the model: weighted so that
    these are right in the ``known`` share of them."""
    right = [None if (said := _others(case, before.weights)) is None else said[0] in case.truths for case in cases]
    share = right.count(True) / max(1, len(right) - right.count(None))
    if not 0.0 < share < 1.0:
        return list(cases)
    weights = {True: known / share, False: (1 - known) / (1 - share), None: 1.0}
    return [replace(case, weight=weights[ok]) for case, ok in zip(cases, right, strict=True)]


def fitted(cases: Sequence[Case], before: QuestionCalibration, *, tempered: bool = True) -> QuestionCalibration:
    """The likeliest weight and temperature of one question, given the cases and the prior around ``before``."""
    pool = _Pool.of(cases, before.weights)
    start, scale = before.weights.get("mllm", 0.0), before.temperature
    best, loss, spread = (start, scale), math.inf, WEIGHT_SPREAD if tempered else TAPS_SPREAD
    for step in _WEIGHTS:
        for temperature in _TEMPERATURES * scale if tempered else (scale,):
            weight = start * step
            far = (math.log(step) / spread) ** 2 + (math.log(temperature / scale) / TEMPERATURE_SPREAD) ** 2
            value = pool.loss(weight, temperature) + far / 2
            if value < loss:
                best, loss = (float(weight), float(temperature)), value
    weight, temperature = best
    threshold = before.threshold
    if tempered:
        threshold = _threshold(pool.stated(weight, temperature))
    weights = {**before.weights, "mllm": round(weight, 3)}
    return QuestionCalibration(weights=weights, temperature=round(temperature, 3), threshold=threshold)


def agreed(cases: Mapping[str, Sequence[Case]], start: Calibration) -> Calibration:
    """``start`` with lower weights where a model agrees with sure calibrated sources less than the prior says.

    More agreement raises nothing: sources that err alike agree as well.
    """
    questions = dict(start.questions)
    for name, found in cases.items():
        before = start.of(name)
        pairs = [pair for case in found if (pair := _sure(case, before.weights)) is not None]
        if not pairs or not before.weights.get("mllm"):
            continue
        expected = sum(p for p, _ in pairs)
        right = (PRIOR_RIGHT * _AGREEMENT_CASES + min(expected, sum(same for _, same in pairs))) / (
            _AGREEMENT_CASES + expected
        )
        share = max(0.1, math.log(right / (1 - right)) / math.log(PRIOR_RIGHT / (1 - PRIOR_RIGHT)))
        weight = round(before.weights["mllm"] * min(1.0, share), 3)
        questions[name] = before.model_copy(update={"weights": {**before.weights, "mllm": weight}})
    return start.model_copy(update={"questions": questions})


def _sure(case: Case, weights: Mapping[str, float]) -> tuple[float, bool] | None:
    """(probability of what the others are sure of, whether the model says so); None where they are sure of nothing."""
    value, p = _others(case, weights) or (UNKNOWN, 0.0)
    return (p, best(case.sources["mllm"])[0] == value) if p >= _SURE and value != UNKNOWN else None


def _others(case: Case, weights: Mapping[str, float]) -> tuple[str, float] | None:
    """What is likeliest by all sources but the model, and its probability; None where none of them speaks."""
    others = {source: d for source, d in case.sources.items() if source != "mllm"}
    pool = combine(others, {GENERAL: 1.0, **weights})
    return best(pool) if pool else None


@dataclass(frozen=True)
class _Pool:
    """Arrays [cases, values]: logs of the other sources' pool and of the model; ``right`` 0 or minus infinity.

    ``weights``: [cases], of each.
    """

    values: Sequence[str]
    others: np.ndarray
    model: np.ndarray
    right: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, cases: Sequence[Case], weights: Mapping[str, float]) -> _Pool:
        values = sorted({v for case in cases for d in case.sources.values() for v in d})
        others, model = np.zeros((len(cases), len(values))), np.zeros((len(cases), len(values)))
        for i, case in enumerate(cases):
            for source, shares in case.sources.items():
                logs = np.log([max(shares.get(value, 0.0), FLOOR) for value in values])
                if source == "mllm":
                    model[i] = logs
                else:
                    others[i] += (1.0 if source == GENERAL else weights.get(source, 0.0)) * logs
        right = np.array([[0.0 if v in case.truths else -np.inf for v in values] for case in cases])
        return cls(values, others, model, right, np.array([case.weight for case in cases]))

    def _logs(self, weight: float, temperature: float) -> np.ndarray:
        return (self.others + weight * self.model) / temperature

    def loss(self, weight: float, temperature: float) -> float:
        """Nats, summed over the cases; a truth that is no answer here costs what a floored one does."""
        logs = self._logs(weight, temperature)
        total = np.logaddexp.reduce(logs, axis=1)
        settled = np.maximum(np.logaddexp.reduce(logs + self.right, axis=1) - total, math.log(FLOOR))
        return float(-(self.weights * settled).sum())

    def stated(self, weight: float, temperature: float) -> list[tuple[float, bool, float]]:
        """(probability, right, weight of the case) of each likeliest answer that could be stated."""
        logs = self._logs(weight, temperature)
        tops = logs.argmax(1)
        shares = np.exp(logs.max(1) - np.logaddexp.reduce(logs, axis=1))
        return [
            (float(p), bool(np.isfinite(self.right[i, top])), float(self.weights[i]))
            for i, (p, top) in enumerate(zip(shares, tops, strict=True))
            if self.values[top] not in (UNKNOWN, "none")
        ]


def _threshold(stated: Sequence[tuple[float, bool, float]]) -> float:
    """The lowest probability from which on so much is right; ``_PRIOR_CASES``, of them one wrong, speak against it."""
    count, right, lowest = float(_PRIOR_CASES), _PRIOR_CASES * 0.9, MAX_THRESHOLD
    ordered = sorted(stated, reverse=True)
    for number, (p, ok, weight) in enumerate(ordered, 1):
        count, right = count + weight, right + ok * weight
        last = number == len(ordered) or ordered[number][0] < p
        if last and right / count >= PRECISION:
            lowest = p
    return math.floor(1e4 * min(MAX_THRESHOLD, max(MIN_THRESHOLD, lowest))) / 1e4
