"""Measures: category and attributes against annotations, variety of texts, intervals over senders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune.data.photosets import ATTRIBUTES

NOT_STATED = ("n/a", "unknown", None)
BINS = 10
_WORD = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Counts:
    """Right, wrong and missed statements of one attribute on one photo, 0 or 1 each; a wrong one may miss the truth."""

    right: int = 0
    wrong: int = 0
    missed: int = 0


def judge(row: Row, attribute: str, stated: str | None) -> Counts | None:
    """One statement against its annotation; None where the annotation is a guess and so is not scored.

    A value stated where the annotation says ``unknown`` or ``n/a`` is wrong. The second colour counts as right.
    """
    if attribute in row["guess"]:
        return None
    truth = row[attribute]
    if stated not in NOT_STATED and (stated == truth or (attribute == "colour" and stated == row["colour2"])):
        return Counts(right=1)
    return Counts(wrong=int(stated not in NOT_STATED), missed=int(truth not in NOT_STATED))


def f1(right: float, wrong: float, missed: float) -> float:
    """F1 of summed counts; nan where nothing was stated and nothing was to be stated."""
    total = 2 * right + wrong + missed
    return 2 * right / total if total else float("nan")


def share(part: float, whole: float) -> float:
    """``part / whole``; nan where there is nothing to divide by."""
    return part / whole if whole else float("nan")


def count(rows: Sequence[Row], stated: Sequence[Mapping[str, str | None]]) -> np.ndarray:
    """int [photos, attributes, (right, wrong, missed)]; zeros where the annotation is not scored."""
    out = np.zeros((len(rows), len(ATTRIBUTES), 3), dtype=np.int64)
    for i, (row, facts) in enumerate(zip(rows, stated, strict=True)):
        for k, name in enumerate(ATTRIBUTES):
            counts = judge(row, name, facts.get(name))
            if counts is not None:
                out[i, k] = (counts.right, counts.wrong, counts.missed)
    return out


def scores_of(counts: np.ndarray) -> dict[str, Any]:
    """Measures of summed counts [attributes, 3]; ``by_attribute`` names the attributes."""
    right, wrong, missed = (float(n) for n in counts.sum(0))
    by_attribute = {
        name: {"precision": share(r, r + w), "recall": share(r, r + m), "f1": f1(r, w, m), "stated": int(r + w)}
        for name, (r, w, m) in zip(ATTRIBUTES, counts.tolist(), strict=True)
    }
    return {
        "micro_f1": f1(right, wrong, missed),
        "precision": share(right, right + wrong),
        "recall": share(right, right + missed),
        "by_attribute": by_attribute,
    }


def calibration_error(probabilities: Sequence[float], right: Sequence[bool], bins: int = BINS) -> float:
    """Expected calibration error over bins of equal width, weighted by size; nan where nothing is to be judged."""
    if not len(probabilities):
        return float("nan")
    p, ok = np.asarray(probabilities, float), np.asarray(right, float)
    number = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(ok[number == b].mean() - p[number == b].mean()) * (number == b).mean() for b in set(number)))


def interval(
    rows: Sequence[Row], measure: Callable[[list[int]], float], draws: int = 1000, seed: int = 0
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
    if np.all(np.isnan(values)):
        return float("nan"), float("nan")
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def words(text: str) -> list[str]:
    """Lower-case words; hyphens and apostrophes stay inside."""
    return _WORD.findall(text.lower())


def distinct_2(texts: Sequence[str]) -> float:
    """Different pairs of neighbouring words over all pairs (0..1). It falls with the number of texts."""
    pairs = [pair for text in texts for pair in zip(words(text), words(text)[1:], strict=False)]
    return len(set(pairs)) / len(pairs) if pairs else float("nan")


def mean_words(texts: Sequence[str]) -> float:
    """Words a text."""
    return float(np.mean([len(words(text)) for text in texts] or [0]))
