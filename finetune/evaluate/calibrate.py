"""Fit how the sources are combined, and from which probability on a value is stated, on validation senders.

Writes a model's ``calibration.json``. Weights minimise the log loss; the threshold of an attribute is the
lowest at which the values that it would state are right as often as asked. Figures for the docs are cross-fitted: each
half of the senders is judged with the constants of the other half.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.photosets import ATTRIBUTES
from finetune.evaluate.measures import NOT_STATED, judge
from listing.observe.networks.item_types import family, type_of
from listing.observe.neighbours import Neighbours
from listing.decide.pool import AttributeCalibration, Calibration, best, combine, damped
from listing.decide.questions import within
from listing.decide.verify import MIN_SUGGESTION
from listing.prompts import UNKNOWN
from listing.taxonomy import Attribute, Taxonomy

Row = Mapping[str, Any]
GRID = (0.0, 0.25, 0.5, 0.75, 1.0, 1.2, 1.4, 1.7)
PRECISION = 0.93
TEXT_PRECISION = 0.97  # of what a text says: four facts at .93 leave one text in four with a wrong one
TYPE_PRECISION = 0.88  # neighbouring types ("trainers", "lace-up shoes") are both right now and then
MODEL_EARNS = 0.05  # nats of log loss: what the model's answer must save to be worth the time of its question
MIN_THRESHOLD, MAX_THRESHOLD = 0.35, 0.98


def sources(predictions: Row, attribute: Attribute) -> dict[str, dict[str, float]]:
    """The sources' distributions over the attribute's answers."""
    out = {}
    for source in ("mllm", "classifier", "pixels"):
        if attribute.name in predictions[source]:
            out[source] = within(predictions[source][attribute.name], attribute)
    return out


def attribute_of(row: Row, name: str, taxonomy: Taxonomy) -> Attribute | None:
    """The attribute as the annotated category has it, or None."""
    return next((a for a in taxonomy.schema(row["label"]) if a.name == name), None)


def fit_attribute(
    rows: Sequence[Row], predictions: Sequence[Row], name: str, taxonomy: Taxonomy, precision: float = PRECISION
) -> AttributeCalibration:
    """Weights of the sources and the threshold for one attribute."""
    cases = []
    for row, prediction in zip(rows, predictions, strict=True):
        attribute = attribute_of(row, name, taxonomy)
        if attribute is not None and name not in row["guess"]:
            words = attribute.absent if row[name] is None else row[name]  # no second colour is an answer
            truths = {words if words in attribute.answers else UNKNOWN}
            if name == "colour" and row["colour2"] in attribute.answers:  # as ``judge`` has it
                truths.add(row["colour2"])
            if said := sources(prediction, attribute):
                cases.append((row, said, truths))
    if len(cases) < 20:
        return AttributeCalibration(weights={"mllm": 0.5, "classifier": 0.5}, threshold=0.95)

    def loss(weights: Mapping[str, float]) -> float:
        combined = [(combine(s, weights), truths) for _, s, truths in cases]
        return float(-np.mean([np.log(max(sum(c.get(t, 0.0) for t in truths), 1e-4)) for c, truths in combined]))

    names = list(dict.fromkeys(source for _, said, _ in cases for source in said))
    grids = [dict(zip(names, g, strict=True)) for g in itertools.product(GRID, repeat=len(names)) if sum(g) > 0]
    weights = min(grids, key=loss)
    silent = min((g for g in grids if not g.get("mllm")), key=loss, default=None)
    if silent is not None and loss(silent) - loss(weights) < MODEL_EARNS:
        weights = silent
    if not any(_worth_saying(best(combine(s, weights)), taxonomy.attributes[name]) for _, s, _ in cases):
        return AttributeCalibration(weights=dict.fromkeys(names, 0.0), threshold=MAX_THRESHOLD, told=MAX_THRESHOLD)
    stated = []
    for row, s, _ in cases:
        value, p = best(combine(s, weights))
        counts = judge(row, name, value)
        if value not in NOT_STATED and counts is not None:
            stated.append((value, p, counts.right))
    settled = [(p, right) for value, p, right in stated if value not in taxonomy.attributes[name].unsettled]
    return AttributeCalibration(
        weights=weights,
        threshold=threshold([(p, right) for _, p, right in stated], precision),
        told=threshold(settled, max(precision, TEXT_PRECISION)),
    )


def _worth_saying(answer: tuple[str, float], attribute: Attribute) -> bool:
    """Whether an answer would be stated or at least suggested."""
    return answer[0] not in (*NOT_STATED, attribute.absent) and answer[1] >= MIN_SUGGESTION


def threshold(stated: Sequence[tuple[float, int]], precision: float) -> float:
    """The lowest probability from which on the stated values reach the precision (and keep it above)."""
    ordered = sorted(stated, reverse=True)
    right, found = 0, MAX_THRESHOLD
    for count, (p, ok) in enumerate(ordered, 1):
        right += ok
        last = count == len(ordered) or ordered[count][0] < p  # equal probabilities pass or fall together
        if last and count >= 8 and right / count >= precision:
            found = p
    return round(float(min(MAX_THRESHOLD, max(MIN_THRESHOLD, found))), 4)


def fit(
    rows: Sequence[Row],
    predictions: Sequence[Row],
    taxonomy: Taxonomy,
    precision: float = PRECISION,
    near: Sequence[Neighbours] = (),
) -> Calibration:
    """The calibration of every attribute that is scored, and of the category of a model that fills in forms."""
    names = (*ATTRIBUTES, "colour2")
    questions = {n: fit_attribute(rows, predictions, n, taxonomy, precision) for n in names}
    if any(prediction.get("form") for prediction in predictions):
        questions["category"] = fit_form_category(rows, predictions, near)
    return Calibration(questions=questions)


def fit_form_category(
    rows: Sequence[Row], predictions: Sequence[Row], near: Sequence[Neighbours]
) -> AttributeCalibration:
    """Weights of a form's category and of past listings' votes, and the thresholds; ``near``: by row, or none.

    Past listings get no more weight than the model: they tell of other items.
    """
    cases = []
    for row, prediction, found in zip(rows, predictions, near or [Neighbours()] * len(rows), strict=True):
        if (said := prediction["mllm"].get("category")) and row.get("label_ok", True):
            votes = damped(found.categories, said, len(found.neighbours))
            cases.append(({"mllm": said, "neighbours": votes}, row["label"]))
    if len(cases) < 20:
        return AttributeCalibration(weights={"mllm": 1.0}, threshold=0.95)

    def loss(weights: Mapping[str, float]) -> float:
        return float(-np.mean([np.log(max(combine(said, weights).get(truth, 0.0), 1e-4)) for said, truth in cases]))

    grids = [{"mllm": w, "neighbours": v} for w in GRID if w for v in (GRID if near else (0.0,)) if v <= w]
    weights = min(grids, key=loss)
    stated = [(p, int(name == truth)) for said, truth in cases for name, p in [best(combine(said, weights))]]
    return AttributeCalibration(
        weights=weights, threshold=threshold(stated, PRECISION), told=threshold(stated, TEXT_PRECISION)
    )


def fit_type(
    rows: Sequence[Row], predictions: Sequence[Row], types: Mapping[str, Sequence[str]]
) -> AttributeCalibration:
    """The threshold of the specific type, among those of the annotated category."""
    stated = []
    for row, prediction in zip(rows, predictions, strict=True):
        known = {t: prediction["classifier"]["item_type"].get(t, 0.0) for t in types.get(row["label"], ())}
        truth = type_of(row["item"])
        if truth is not None and sum(known.values()) > 0:
            value, p = best(known)
            stated.append((p / sum(known.values()), int(value == family(truth))))
    return AttributeCalibration(weights={"classifier": 1.0}, threshold=threshold(stated, TYPE_PRECISION))


def fit_category(confidences: Sequence[float], right: Sequence[bool]) -> AttributeCalibration:
    """From which confidence on a category is right often enough; ``category.json`` says how the sources are weighed."""
    stated = [(p, int(ok)) for p, ok in zip(confidences, right, strict=True)]
    return AttributeCalibration(
        weights={}, threshold=threshold(stated, PRECISION), told=threshold(stated, TEXT_PRECISION)
    )


def fit_sharpness(confidences: np.ndarray, right: np.ndarray) -> int:
    """Number of the sharpness with the least log loss of being right; both [sharpnesses, photos]."""
    p = np.clip(np.where(right, confidences, 1 - confidences), 1e-3, 1.0)
    return int((-np.log(p)).mean(1).argmin())


def halves(rows: Sequence[Row]) -> tuple[list[int], list[int]]:
    """Row numbers of two halves of the senders, alternating by their photo counts."""
    counts = Counter(row["sender_id"] for row in rows)
    order = sorted(counts, key=lambda s: (-counts[s], str(s)))
    first = set(order[::2])
    one = [i for i, row in enumerate(rows) if row["sender_id"] in first]
    return one, sorted(set(range(len(rows))) - set(one))


def cross_fitted(
    rows: Sequence[Row],
    predictions: Sequence[Row],
    taxonomy: Taxonomy,
    precision: float = PRECISION,
    near: Sequence[Neighbours] = (),
) -> list[Calibration]:
    """One calibration per row, fitted on the senders of the other half."""
    out: list[Calibration] = [Calibration()] * len(rows)
    one, two = halves(rows)
    for train, test in ((one, two), (two, one)):
        half = [near[i] for i in train] if near else ()
        fitted = fit([rows[i] for i in train], [predictions[i] for i in train], taxonomy, precision, half)
        for i in test:
            out[i] = fitted
    return out


def write(calibration: Calibration, file: Path) -> None:
    """The file, in one rename; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(".tmp")
    scratch.write_text(json.dumps(calibration.model_dump(), indent=1) + "\n", encoding="utf-8")
    scratch.replace(file)
