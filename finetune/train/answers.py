"""Shares of whole answers that are right during the evaluation of a run, without decoding anything.

Greedy decoding gives an answer exactly when each of its tokens is the likeliest one after those before it; so one
forward pass tells whether it would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from finetune.data.tasks import CLAIMS, FORM, LISTING
from finetune.train.collator import IGNORED, Encoded
from listing.prompts import UNKNOWN

# All other tasks are attributes.
OTHER = frozenset({"category", "claim", "title", "description", FORM, LISTING, CLAIMS})


def likeliest(outputs: Any) -> Any:
    """[b, n, vocabulary] (the first of several outputs) -> [b, n], so that an evaluation does not keep every logit."""
    return (outputs[0] if isinstance(outputs, tuple) else outputs).argmax(-1)


def spans(labels: np.ndarray) -> Iterator[slice]:
    """Places of the answers in one row of labels."""
    inside = np.concatenate([[False], labels != IGNORED, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    yield from (slice(int(start), int(end)) for start, end in edges.reshape(-1, 2))


def answer_scores(samples: Sequence[Encoded], predicted: Any, labels: Any, tokenizer: Any) -> dict[str, float]:
    """Shares of answers that are right: all of them, the category's, and F1 of the attributes where tasks are named.

    predicted: int [samples, n], the likeliest token after each position. labels: IGNORED where no answer stands.
    ``unknown`` is no statement: it is never right or wrong, but misses what was to be stated.
    """
    cases = []  # (task, expected tokens, tokens of the answer)
    for sample, answer, expected in zip(samples, predicted, labels, strict=True):
        places = [s for s in spans(expected) if s.start]
        tasks = sample.tasks if len(sample.tasks) == len(places) else ("",) * len(places)
        cases += [(t, expected[s], answer[s.start - 1 : s.stop - 1]) for t, s in zip(tasks, places, strict=True)]
    if not cases:
        return {}
    right = np.array([bool((expected == answer).all()) for _, expected, answer in cases])
    out = {"answers_right": float(right.mean())}
    is_category = np.array([task == "category" for task, *_ in cases])
    if is_category.any():
        out["category_accuracy"] = float(right[is_category].mean())
    is_unknown = np.array([tokenizer.decode(w, skip_special_tokens=True).strip() == UNKNOWN for _, w, _ in cases])
    opening = {int(expected[0]) for (_, expected, _), unknown in zip(cases, is_unknown, strict=True) if unknown}
    leaves_open = np.array([int(answer[0]) in opening for *_, answer in cases])
    attribute = np.array([bool(task) and task not in OTHER for task, *_ in cases])
    hits, wrong, missed = (
        int((attribute & v).sum()) for v in (right & ~is_unknown, ~right & ~leaves_open, ~right & ~is_unknown)
    )
    if hits + wrong + missed:
        out["attribute_f1"] = 2 * hits / (2 * hits + wrong + missed)
    return out
