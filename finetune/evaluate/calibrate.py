"""Fit how far each source is heard, and from which probability on a value is stated, on validation senders.

Weights minimise the log loss; a source that saves too little of it is not heard. The threshold of an attribute is the
lowest at which the values that it would state are right as often as asked. Figures for the docs are cross-fitted: each
half of the senders is judged with the constants of the other half.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.data.photosets import ATTRIBUTES
from finetune.data.splits import sender_folds
from finetune.evaluate.measures import NOT_STATED, judge
from finetune.evaluate.observing import ObservedPhoto
from listing.calibration import UNCALIBRATED, Calibration, QuestionCalibration
from listing.decide.attributes import ITEM_TYPE, MIN_SUGGESTION, Facts
from listing.decide.decision import Decision
from listing.decide.views import FLOOR, Distribution, Views, best, combine
from listing.details import family, type_of
from listing.rules import Rules
from listing.taxonomy import Attribute, Taxonomy

Row = Mapping[str, Any]
PRECISION = 0.93
TYPE_PRECISION = 0.88  # neighbouring types ("trainers", "lace-up shoes") are both right now and then
EARNS = {"mllm": 0.05}  # nats of log loss that a source must save: the model's answer costs most of a draft's time
EARNS_OTHERS = 0.005
MIN_CASES = 20
MAX_WEIGHT = 2.0
MIN_THRESHOLD, MAX_THRESHOLD = 0.35, 0.98


@dataclass(frozen=True)
class Case:
    """One photo's answer to one question: each source's distribution, and the values that are right."""

    row: Row
    sources: Mapping[str, Distribution]
    truths: frozenset[str]


def fit(
    rows: Sequence[Row], photos: Sequence[ObservedPhoto], rules: Rules, precision: float = PRECISION
) -> Calibration:
    """The calibration of every attribute that is scored, of the specific type, and of the category."""
    views = [Views(photo.observations, 1) for photo in photos]
    names = (*ATTRIBUTES, "colour2")
    questions = {name: fit_attribute(cases_of(rows, views, name, rules.taxonomy), name, rules.taxonomy, precision)
                 for name in names}  # fmt: skip
    if any(view.by("condition", "evidence_tower") for view in views):  # the model's answer to it would not be heard
        questions["condition"] = QuestionCalibration(weights={"classifier": 1.0}, threshold=0.85)
    questions["category"] = QuestionCalibration(weights={}, threshold=MAX_THRESHOLD)  # of the garments' range
    decided = Rules(rules.taxonomy, rules.calibration.model_copy(update={"questions": questions}), rules.types)
    decisions = [Decision(photo.observations, 1, decided) for photo in photos]
    stated = [
        (d.category.confidence, int(d.category.value == row["label"]))
        for d, row in zip(decisions, rows, strict=True)
        if d.category.value is not None and row.get("label_ok", True)
    ]
    questions["category"] = QuestionCalibration(weights={}, threshold=threshold(stated, precision))
    if types := _type_cases(rows, views, decided):
        questions[ITEM_TYPE] = QuestionCalibration(
            weights={"classifier": 1.0}, threshold=threshold(types, TYPE_PRECISION)
        )
    return Calibration(questions=questions, range=rules.calibration.range)


def cases_of(rows: Sequence[Row], views: Sequence[Views], name: str, taxonomy: Taxonomy) -> list[Case]:
    """The photos whose annotation answers a question, with every source that speaks of it."""
    cases = []
    for row, view in zip(rows, views, strict=True):
        node = taxonomy.node(row["label"])
        attribute = next((a for a in taxonomy.schema_of(node) if a.name == name), None)
        if attribute is None or name in row["guess"]:
            continue
        value = attribute.absent if row[name] is None else row[name]  # no second colour is an answer
        truths = {value if value in attribute.answers else attribute.answers[-1]}
        if name == "colour" and row["colour2"] in attribute.answers:  # as ``judge`` has it
            truths.add(row["colour2"])
        facts = Facts(view, node, taxonomy, _OPEN, {})
        if sources := facts.sources(attribute):
            cases.append(Case(row, sources, frozenset(truths)))
    return cases


_OPEN = UNCALIBRATED


def fit_attribute(
    cases: Sequence[Case], name: str, taxonomy: Taxonomy, precision: float = PRECISION
) -> QuestionCalibration:
    """Weights of the sources and the threshold of one attribute."""
    if len(cases) < MIN_CASES:
        return QuestionCalibration(weights={"mllm": 0.5, "classifier": 0.5}, threshold=0.95)
    weights = fit_weights(cases)
    attribute = taxonomy.attributes[name]
    answers = [(case, *best(pool)) for case in cases if (pool := combine(case.sources, weights))]
    if not any(_worth_saying(value, p, attribute) for _, value, p in answers):
        return QuestionCalibration(weights=dict.fromkeys(weights, 0.0), threshold=MAX_THRESHOLD)
    stated = []
    for case, value, p in answers:
        counts = judge(case.row, name, value)
        if value not in (*NOT_STATED, *attribute.unsettled) and counts is not None:
            stated.append((p, counts.right))
    return QuestionCalibration(weights=weights, threshold=threshold(stated, precision))


def fit_weights(cases: Sequence[Case]) -> dict[str, float]:
    """Weights that minimise the log loss, without the sources that save too little of it."""
    return Pool.of(cases).weights()


@dataclass(frozen=True)
class Pool:
    """Cases as arrays: ``logs`` [cases, sources, values] of each source's floored probabilities, 0 where it is silent;
    ``right`` [cases, values] 0 at the values that are right, else minus infinity."""

    names: Sequence[str]
    logs: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Pool:
        """The arrays of some cases."""
        names = sorted({source for case in cases for source in case.sources})
        values = sorted({value for case in cases for d in case.sources.values() for value in d})
        place = {value: k for k, value in enumerate(values)}
        shares, right = (
            np.full((len(cases), len(names), len(values)), FLOOR),
            np.full((len(cases), len(values)), -np.inf),
        )
        for i, case in enumerate(cases):
            for s, name in enumerate(names):
                d = case.sources.get(name)
                shares[i, s, [place[value] for value in d or ()]] = list((d or {}).values())
                if not d:
                    shares[i, s] = 1.0
            right[i, [place[value] for value in case.truths if value in place]] = 0.0
        right[np.isinf(right).all(1), :1] = 0.0
        return cls(names, np.log(np.maximum(shares, FLOOR)), right)

    def weights(self) -> dict[str, float]:
        """See ``fit_weights``."""
        weights, loss = self.minimised(self.names)
        for name in sorted(self.names, key=lambda n: (n != "mllm", weights.get(n, 0.0))):
            others = [other for other in weights if other != name]
            if not others:
                break
            fewer, without = self.minimised(others)
            if without - loss < EARNS.get(name, EARNS_OTHERS):
                weights, loss = fewer, without
        return {name: round(weight, 3) for name, weight in weights.items()}

    def minimised(self, names: Sequence[str]) -> tuple[dict[str, float], float]:
        """(weights, mean log loss in nats) of a log-linear pool of these sources."""
        from scipy.optimize import minimize
        from scipy.special import logsumexp, softmax

        logs = self.logs[:, [self.names.index(name) for name in names]]

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            pool = np.einsum("s,isv->iv", weights, logs)
            settled = pool + self.right
            excess = softmax(pool, axis=1) - softmax(settled, axis=1)
            value = np.mean(logsumexp(pool, axis=1) - logsumexp(settled, axis=1))
            return float(value), np.einsum("iv,isv->s", excess, logs) / len(logs)

        start = np.full(len(names), 1.0 / len(names))
        fitted = minimize(loss, start, jac=True, bounds=[(0.0, MAX_WEIGHT)] * len(names), method="L-BFGS-B")
        return dict(zip(names, fitted.x.tolist(), strict=True)), float(fitted.fun)

    def right_cases(self, weights: Mapping[str, float]) -> int:
        """The number of cases whose likeliest answer is right."""
        pool = np.einsum("s,isv->iv", [weights.get(name, 0.0) for name in self.names], self.logs)
        return int(np.isfinite(self.right[np.arange(len(pool)), pool.argmax(1)]).sum())


def best_weights(cases: Sequence[Case]) -> dict[str, float]:
    """Weights of the pool, or of one source that answers all cases, where it alone is right in more of them.

    The pool has the smaller log loss, which a few rare answers decide that one of its sources gives a floor to.
    """
    pool = Pool.of(cases)
    options = [pool.weights()]
    for name in pool.names:
        if all(case.sources.get(name) for case in cases):
            options.append({name: round(pool.minimised([name])[0][name], 3)})
    return max(options, key=pool.right_cases)


def _type_cases(rows: Sequence[Row], views: Sequence[Views], rules: Rules) -> list[tuple[float, int]]:
    cases = []
    for row, view in zip(rows, views, strict=True):
        reading = Facts(
            view, rules.taxonomy.node(row["label"]), rules.taxonomy, rules.calibration, rules.types
        ).readings
        truth = type_of(row["item"])
        if truth is not None and ITEM_TYPE in reading:
            value, p = best(reading[ITEM_TYPE].probabilities)
            cases.append((p, int(value == family(truth))))
    return cases


def _worth_saying(value: str, p: float, attribute: Attribute) -> bool:
    """True for an answer that would be stated or at least suggested."""
    return value not in (*NOT_STATED, attribute.absent) and p >= MIN_SUGGESTION


def threshold(stated: Sequence[tuple[float, int]], precision: float) -> float:
    """The lowest probability from which on the stated values reach the precision (and keep it above)."""
    ordered = sorted(stated, reverse=True)
    right, lowest = 0, MAX_THRESHOLD
    for count, (p, ok) in enumerate(ordered, 1):
        right += ok
        last = count == len(ordered) or ordered[count][0] < p  # equal probabilities pass or fall together
        if last and count >= 8 and right / count >= precision:
            lowest = p
    return math.floor(1e4 * min(MAX_THRESHOLD, max(MIN_THRESHOLD, lowest))) / 1e4  # never above the probability itself


def cross_fitted(rows: Sequence[Row], photos: Sequence[ObservedPhoto], rules: Rules) -> list[Calibration]:
    """One calibration per row, fitted on the senders of the other half."""
    out: list[Calibration] = [UNCALIBRATED] * len(rows)
    half = sender_folds(rows, 2)
    one, two = ([i for i, fold in enumerate(half) if fold == number] for number in (0, 1))
    for train, test in ((one, two), (two, one)):
        fitted = fit([rows[i] for i in train], [photos[i] for i in train], rules)
        for i in test:
            out[i] = fitted
    return out
