"""Predictions of a whole stream, with the columns that the measures need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from recommend.data.ragged import Batch, array_of
from recommend.metrics.report import measures
from recommend.models.base import Ranker
from recommend.models.training_log import Encode


def predictions(
    model: Ranker, batches: Iterable[Batch], encode: Encode | None = None, keep: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """``p_TASK`` of each task and the raw columns ``keep``, all (rows,), in the stream's order."""
    parts: dict[str, list[np.ndarray]] = {}
    for batch in batches:
        for name, value in model.predict(encode(batch) if encode else batch).items():
            parts.setdefault(f"p_{name}", []).append(value.numpy())
        for name in keep:
            parts.setdefault(name, []).append(array_of(batch[name]))
    return {name: np.concatenate(values) for name, values in parts.items()}


def evaluate(
    model: Ranker, batches: Iterable[Batch], encode: Encode | None = None
) -> Mapping[str, Mapping[str, float]]:
    """Measures of each prediction against its label, on the rows to which it applies: name to measure to value."""
    f = model.features
    table = predictions(model, batches, encode, list(dict.fromkeys([*f.labels, f.group])))
    return measured(model, table) if table else {}


def measured(model: Ranker, table: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """The same of ``predictions`` that hold labels and group."""
    group, results = table[model.features.group], {}
    for name, (label, condition) in model.measured().items():
        rows = np.ones(len(group), dtype=bool) if condition is None else table[condition].astype(bool)
        results[name] = measures(table[label][rows], table[f"p_{name}"][rows], group[rows])
    return results
