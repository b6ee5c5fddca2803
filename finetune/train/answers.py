"""How often the whole answer comes out right during the evaluation of a run, without decoding anything.

Greedy decoding gives an answer exactly when each of its tokens is the likeliest one after those before it; so one
forward pass tells whether it would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from finetune.data.build import TEXTS
from finetune.data.tasks import FORM
from finetune.evaluate.measures import f1
from finetune.train.collator import IGNORED, Encoded
from listing.prompts import UNKNOWN

OTHER = frozenset({"category", "claim", FORM, *TEXTS})  # all other tasks are attributes


def likeliest(outputs: Any) -> Any:
    """[b, n, vocabulary] (the first of several outputs) -> [b, n], so that an evaluation does not keep every logit."""
    return (outputs[0] if isinstance(outputs, tuple) else outputs).argmax(-1)


def spans(labels: np.ndarray) -> Iterator[slice]:
    """Where the answers stand in one row of labels."""
    inside = np.concatenate([[False], labels != IGNORED, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    yield from (slice(int(start), int(end)) for start, end in edges.reshape(-1, 2))


def answer_scores(samples: Sequence[Encoded], predicted: Any, labels: Any, tokenizer: Any) -> dict[str, float]:
    """Shares of answers that are right: all of them, the category's, and F1 of the attributes where tasks are named.

    predicted: int [samples, n], the likeliest token after each position. labels: IGNORED where no answer stands.
    ``unknown`` is no statement: it is never right or wrong, but misses what was to be stated.
    """
    cases = []  # (task, wanted tokens, said tokens)
    for sample, said, wanted in zip(samples, predicted, labels, strict=True):
        found = list(spans(wanted))
        tasks = sample.tasks if len(sample.tasks) == len(found) else ("",) * len(found)
        cases += [
            (task, wanted[s], said[s.start - 1 : s.stop - 1]) for task, s in zip(tasks, found, strict=True) if s.start
        ]
    if not cases:
        return {}
    right = [bool((wanted == said).all()) for _, wanted, said in cases]
    out = {"answers_right": sum(right) / len(right)}
    category = [r for r, (task, *_) in zip(right, cases, strict=True) if task == "category"]
    if category:
        out["category_accuracy"] = sum(category) / len(category)
    unsaid = [tokenizer.decode(wanted, skip_special_tokens=True).strip() == UNKNOWN for _, wanted, _ in cases]
    opening = {int(wanted[0]) for (_, wanted, _), u in zip(cases, unsaid, strict=True) if u}
    counts = np.zeros(3)  # right, wrong, missed
    for (task, _, said), is_right, is_unsaid in zip(cases, right, unsaid, strict=True):
        if task and task not in OTHER:
            silent = int(said[0]) in opening
            counts += (is_right and not is_unsaid, not is_right and not silent, not is_right and not is_unsaid)
    if counts.any():
        out["attribute_f1"] = float(f1(*counts))
    return out
