"""Measures of free text: overlap with the annotated text, variety, lengths and openings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_WORD = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*")


def words(text: str) -> list[str]:
    """Lower-case words; hyphens and apostrophes stay inside."""
    return _WORD.findall(text.lower())


def rouge_l(text: str, reference: str) -> float:
    """ROUGE-L F1 (0..1) of words: twice the longest common subsequence over both lengths (Lin 2004; no stemming)."""
    a, b = words(text), words(reference)
    if not a or not b:
        return 0.0
    row = np.zeros(len(b) + 1, dtype=np.int64)
    for word in a:
        before = row.copy()
        for j, other in enumerate(b, 1):
            row[j] = before[j - 1] + 1 if word == other else max(before[j], row[j - 1])
    return float(2 * row[-1] / (len(a) + len(b)))


def distinct_2(texts: Sequence[str]) -> float:
    """Different pairs of neighbouring words over all pairs (0..1). It falls with the number of texts."""
    pairs = [pair for text in texts for pair in zip(words(text), words(text)[1:], strict=False)]
    return len(set(pairs)) / len(pairs) if pairs else float("nan")


def lengths(texts: Sequence[str]) -> dict[str, float]:
    """Words a text: mean, standard deviation, 10th, 50th and 90th percentile."""
    counts = np.array([len(words(text)) for text in texts] or [0])
    low, middle, high = np.percentile(counts, [10, 50, 90])
    return {
        "mean": float(counts.mean()),
        "sd": float(counts.std()),
        "p10": float(low),
        "p50": float(middle),
        "p90": float(high),
    }


def openings(texts: Sequence[str], most: int = 5) -> dict[str, float]:
    """The commonest first words and their shares (0..1)."""
    first = Counter(found[0] for text in texts if (found := words(text)))
    return {word: n / first.total() for word, n in first.most_common(most)}


def distance(counts: Mapping[Any, float], others: Mapping[Any, float]) -> float:
    """Total variation (0..1) between two distributions given as counts."""
    a, b = sum(counts.values()), sum(others.values())
    if not a or not b:
        return float("nan")
    return 0.5 * sum(abs(counts.get(k, 0) / a - others.get(k, 0) / b) for k in {*counts, *others})


def apart(texts: Sequence[str], voice: Sequence[str]) -> dict[str, float]:
    """How far texts lie from a voice's: total variation of lengths (in bins of five words) and of first words."""

    def binned(part: Sequence[str]) -> Counter[int]:
        return Counter(len(words(text)) // 5 for text in part)

    def opened(part: Sequence[str]) -> Counter[str]:
        return Counter(found[0] for text in part if (found := words(text)))

    return {"length": distance(binned(texts), binned(voice)), "opening": distance(opened(texts), opened(voice))}
