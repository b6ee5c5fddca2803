"""Accuracy of category and attributes against annotations, with intervals by bootstrap over senders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.photosets import ATTRIBUTES

NOT_STATED = ("n/a", "unknown", None)


@dataclass(frozen=True)
class Counts:
    """Right, wrong and missed statements of one attribute on one photo, 0 or 1 each; a wrong one may miss the truth."""

    right: int = 0
    wrong: int = 0
    missed: int = 0


def judge(row: Mapping[str, Any], attribute: str, stated: str | None) -> Counts | None:
    """One statement against its annotation; None where the annotation is a guess and so is not scored.

    A value stated where the annotation says ``unknown`` or ``n/a`` is wrong. The second colour counts as right.
    """
    if attribute in row["guess"]:
        return None
    truth = row[attribute]
    accepted = {truth} | ({row["colour2"]} if attribute == "colour" else set())
    if stated in NOT_STATED:
        return Counts(missed=int(truth not in NOT_STATED))
    if stated in accepted - set(NOT_STATED):
        return Counts(right=1)
    return Counts(wrong=1, missed=int(truth not in NOT_STATED))


def f1(right: float, wrong: float, missed: float) -> float:
    """F1 of summed counts; nan where nothing was stated and nothing was to be stated."""
    total = 2 * right + wrong + missed
    return 2 * right / total if total else float("nan")


def attribute_scores(rows: Sequence[Mapping[str, Any]], stated: Sequence[Mapping[str, str | None]]) -> dict[str, Any]:
    """Micro- and macro-F1 over the seven attributes, micro precision, coverage, and each attribute's own F1."""
    sums = {name: np.zeros(3) for name in ATTRIBUTES}
    for row, facts in zip(rows, stated, strict=True):
        for name in ATTRIBUTES:
            counts = judge(row, name, facts.get(name))
            if counts is not None:
                sums[name] += (counts.right, counts.wrong, counts.missed)
    total = sum(sums.values(), np.zeros(3))
    each = {name: f1(*values) for name, values in sums.items()}
    said, sayable = total[0] + total[1], total[0] + total[2]
    return {
        "micro_f1": f1(*total),
        "macro_f1": float(np.nanmean(list(each.values()))),
        "precision": float(total[0] / said) if said else float("nan"),
        "recall": float(total[0] / sayable) if sayable else float("nan"),
        "each": each,
    }


def category_scores(rows: Sequence[Mapping[str, Any]], said: Sequence[str | None]) -> dict[str, float]:
    """Accuracy and macro-F1 over the classes that occur."""
    from sklearn.metrics import accuracy_score, f1_score

    truth, guess = [row["label"] for row in rows], [value or "none" for value in said]
    return {
        "accuracy": float(accuracy_score(truth, guess)),
        "macro_f1": float(f1_score(truth, guess, average="macro", labels=sorted(set(truth)), zero_division=0)),
    }


def interval(
    rows: Sequence[Mapping[str, Any]], measure: Callable[[list[int]], float], draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of ``measure(indices)`` under a bootstrap that draws whole senders."""
    rng = np.random.default_rng(seed)
    groups: dict[Any, list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(row["sender_id"], []).append(i)
    senders = list(groups.values())
    values = []
    for _ in range(draws):
        drawn = rng.integers(0, len(senders), len(senders))
        values.append(measure([i for d in drawn for i in senders[d]]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
