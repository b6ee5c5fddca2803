"""``./ipl evaluate``: what drafts would state of photos with known answers, arm by arm, with intervals over senders."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.photosets import read_annotations
from finetune.data.splits import split_rows
from finetune.errors import DataError
from finetune.evaluate.arms import ARMS, SYSTEM, Statement
from finetune.evaluate.calibrate import fit
from finetune.evaluate.measures import (
    Counts,
    calibration_error,
    count,
    distinct_2,
    interval,
    judge,
    mean_words,
    scores_of,
    share,
)
from finetune.evaluate.observing import ObservedPhoto, Observer, Row
from listing.decide.claims import claims_of
from listing.decide.colour_words import members
from listing.decide.marks import limit_marks
from listing.rules import Rules
from listing.say.render import render

DRAWS = 1000
MEASURES = ("category", "among three", "F1", "precision", "recall")


@dataclass(frozen=True)
class EvaluationPlan:
    """Settings of an evaluation: names of ``ARMS``, the number of photos (0: all), and the draws of the bootstrap."""

    arms: tuple[str, ...] = tuple(ARMS)
    limit: int = 0
    draws: int = DRAWS


@dataclass
class Evaluation:
    """Validation photos with what was observed on them."""

    rows: list[Row]
    photos: list[ObservedPhoto]
    rules: Rules
    stamp: str
    results: dict[str, Any] = field(default_factory=dict)


def observe(data: Path, observer: Observer, stamp: str, plan: EvaluationPlan) -> Evaluation:
    """The validation photos of a folder, observed.

    Raises:
        DataError: no photo is of a validation sender.
    """
    _, rows = split_rows(read_annotations(data))
    rows = rows[: plan.limit] if plan.limit else rows
    if not rows:
        raise DataError(f"{data} has no photo of a validation sender: photos of more senders are needed.")
    return Evaluation(rows, observer.observe(rows), observer.parts.rules, stamp)


def run_evaluation(
    evaluation: Evaluation, plan: EvaluationPlan, out: Path | None, report: Callable[[str], None] = print
) -> dict[str, Any]:
    """Statements of every arm, measured; ``out`` is written again after each."""
    rows, photos = evaluation.rows, evaluation.photos
    results: dict[str, Any] = {
        "model": evaluation.stamp,
        "photos": len(rows),
        "senders": len({row["sender_id"] for row in rows}),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "cpu_seconds": costs(photos),
        "arms": {},
    }
    report(f"{results['photos']} photos of {results['senders']} senders")
    report(f"{'':24} {'category':20} {'3':5} {'F1':20} {'precision':20} {'recall':20}  CPU s")
    for name in plan.arms:
        statements = ARMS[name](rows, photos, evaluation.rules)
        scores = results["arms"][name] = closed(rows, statements, plan.draws)
        if name == SYSTEM:
            results["texts"] = texts(rows, statements)
        report(line(name, scores, results["cpu_seconds"]))
        if out is not None:
            out.write_text(json.dumps(plain(results), indent=1) + "\n", encoding="utf-8")
    if "texts" in results:
        report(", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in results["texts"].items()))
    return results


def costs(photos: Sequence[ObservedPhoto]) -> dict[str, float]:
    """Mean CPU seconds of a source on a photo; the language model's are those of every question at once."""
    names = dict.fromkeys(name for photo in photos for name in photo.seconds)
    return {name: float(np.mean([photo.seconds.get(name, 0.0) for photo in photos])) for name in names}


def closed(rows: Sequence[Row], statements: Sequence[Statement], draws: int = DRAWS) -> dict[str, Any]:
    """Category and attributes of one arm; ``intervals`` are 95 %, by bootstrap over senders.

    F1 is that of the best guesses, stated or not; precision and recall are those of what is stated.
    """
    right = np.array([float(s.category == row["label"]) for s, row in zip(statements, rows, strict=True)])
    three = np.array([float(row["label"] in s.candidates[:3]) for s, row in zip(statements, rows, strict=True)])
    stated = count(rows, [dict(s.facts) for s in statements])
    guessed = count(rows, [{name: value for name, (value, _) in s.guesses.items()} for s in statements])
    judged = [(p, judge(row, name, value)) for s, row in zip(statements, rows, strict=True)
              for name, (value, p) in s.guesses.items() if name in scored(row)]  # fmt: skip
    measures: dict[str, Callable[[Sequence[int]], float]] = {
        "category": lambda index: float(right[list(index)].mean()),
        "among three": lambda index: float(three[list(index)].mean()),
        "F1": lambda index: float(scores_of(guessed[list(index)].sum(0))["micro_f1"]),
        "precision": lambda index: float(scores_of(stated[list(index)].sum(0))["precision"]),
        "recall": lambda index: float(scores_of(stated[list(index)].sum(0))["recall"]),
    }
    everything = range(len(rows))
    confidences = [(s.sure, bool(ok)) for s, ok in zip(statements, right, strict=True) if s.sure is not None]
    return {
        **{name: measure(everything) for name, measure in measures.items()},
        "intervals": {name: interval(rows, measure, draws) for name, measure in measures.items()},
        "by_attribute": scores_of(stated.sum(0))["by_attribute"],
        "category_calibration_error": calibration_error([p for p, _ in confidences], [ok for _, ok in confidences]),
        "attribute_calibration_error": calibration_error(
            [p for p, counts in judged if counts is not None], [bool(c.right) for _, c in judged if c is not None]
        ),
    }


def scored(row: Row) -> set[str]:
    """The attributes of an annotation that are answers, not guesses."""
    from finetune.data.photosets import ATTRIBUTES

    return {name for name in ATTRIBUTES if name not in row["guess"]}


def texts(rows: Sequence[Row], statements: Sequence[Statement]) -> dict[str, float]:
    """Figures of the rendered texts: annotated facts that they state, words that they mark, and their variety.

    ``unmarked_right``, ``marked_right``: of the category and the annotated attributes that they say, details left out.
    """
    descriptions, stated, annotated, marks = [], 0, 0, 0
    right: dict[bool, list[bool]] = {True: [], False: []}  # by whether it is marked
    for row, statement in zip(rows, statements, strict=True):
        decision = statement.decision
        assert decision is not None
        rules = decision.rules
        said = (decision.category, decision.facts, decision.details, rules.taxonomy, rules.calibration)
        claims = claims_of(*said, colours=decision.colours)
        text = render(limit_marks(claims, rules.taxonomy), rules.taxonomy)
        descriptions.append(text.description)
        spans = {(span.attribute, span.value) for span in text.spans}
        facts = {name: row[name] for name in scored(row) if row[name] not in (None, "unknown", "n/a")}
        stated += sum((name, value) in spans for name, value in facts.items())
        annotated += len(facts)
        marks += len({(s.attribute, s.value) for s in text.spans if s.status == "check"})
        for name, value, marked in {(s.attribute, s.value, s.status == "check") for s in text.spans}:
            if name == "category":
                right[marked].append(row["label"] in (rules.taxonomy.node(value).members or (value,)))
            elif name == "colour" and members(value):
                right[marked].append(row["colour"] in members(value))
            elif name in scored(row):
                right[marked].append(judge(row, name, value) == Counts(right=1))
    return {
        "facts_in_text": share(stated, annotated),
        "marked_words_a_draft": marks / len(rows),
        "unmarked_right": share(sum(right[False]), len(right[False])),
        "marked_right": share(sum(right[True]), len(right[True])),
        "words": mean_words(descriptions),
        "distinct_2": distinct_2(descriptions),
    }


def line(name: str, scores: Mapping[str, Any], seconds: Mapping[str, float]) -> str:
    """One arm in one line: what it states, and what its source costs."""

    def with_interval(key: str) -> str:
        low, high = scores["intervals"][key]
        return f"{scores[key]:.3f} [{low:.3f}, {high:.3f}]"

    source = name.removeprefix("without ").removesuffix(" alone")
    cost = f"{seconds[source]:6.3f}" if source in seconds else ""
    parts = [
        with_interval("category"),
        f"{scores['among three']:.3f}",
        with_interval("F1"),
        with_interval("precision"),
        with_interval("recall"),
    ]
    return f"{name:24} {' '.join(parts)} {cost}"


def plain(value: Any) -> Any:
    """The value for JSON: what is not a number becomes null."""
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def write_calibration(evaluation: Evaluation, file: Path) -> None:
    """Fit the embedded model's calibration on all validation senders and write it."""
    fit(evaluation.rows, evaluation.photos, evaluation.rules).save(file)
