"""Baselines that a trained model has to beat: a count of the history, popularity, boosted trees on the same columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recommend.data.parquet import ParquetStream
from recommend.data.ragged import Batch, array_of, ragged_of
from recommend.data.schema import table_files
from recommend.data.splits import TimeSplit
from recommend.features.feature_map import FeatureMap
from recommend.features.matches import match
from recommend.models.base import Ranker
from recommend.models.training_log import Encode
from recommend.training.runs import asked

COUNT, POPULAR, TREES = "history count", "popularity by category", "boosted trees"
CATEGORY = "category"
MOST_ROWS = 1_000_000  # of the training days, in whole days, the latest first
PRIOR = 20.0  # rows with which a rate begins
MOST_VALUES = 250  # of an id that trees read as a category; they have room for 255
Floats = NDArray[np.float64]


def baselines(run: tuple[Ranker, Encode, TimeSplit], log: Path) -> dict[str, Floats]:
    """Scores of the rows on which a run's first label is asked, in their order, by what scores them.

    Args:
        run: what ``load_run`` gives of a run, whose features, days and label they share.

    Returns:
        (rows,) scores by name: the history count, which is no probability, where there is a history; popularity (the
        item's click rate of the training days, drawn to that of its category); boosted trees (scikit-learn's, default
        settings) on the run's numbers, matches, counts and ids of few values, where scikit-learn is installed. Both
        learn from the latest ``MOST_ROWS``.
    """
    model, encode, split = run
    features, (first, last) = model.features, split.train
    while first < last and ParquetStream(table_files(log, "impression", first, last), ()).rows() > MOST_ROWS:
        first += 1
    train_table, test_table = (
        _Table.read(features, ((raw, encode(raw)) for raw in asked(model, log, days, features.columns)))
        for days in ((first, last), split.test)
    )
    scores = {} if test_table.count is None else {COUNT: test_table.count}
    y, mean = train_table.y, np.full(len(test_table.y), train_table.y.mean())
    by_category = smoothed_rates(train_table.category, y, test_table.category, mean)
    scores[POPULAR] = smoothed_rates(train_table.item, y, test_table.item, by_category)
    trees = _trees(train_table, test_table)
    return scores if trees is None else scores | {TREES: trees}


class _Table:
    """Rows as the baselines read them.

    Attributes:
        x: (rows, numbers) what trees read; ``few``: which of them are ids.
        y: (rows,) the label; item, category: raw ids, of which the second may be the first.
        count: (rows,) entries of the history that are of the candidate's category; None without a history.
    """

    def __init__(self, parts: list[tuple[NDArray[np.float32], ...]], few: list[bool], counted: bool) -> None:
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        self.x, self.y, self.item, self.category = columns[0], columns[1] > 0, columns[2], columns[3]
        self.count = columns[4].astype(np.float64) if counted else None
        self.few = few

    @staticmethod
    def read(features: FeatureMap, batches: Iterable[tuple[Batch, Batch]]) -> _Table:
        """From raw and encoded batches."""
        targets = [f.column for f in features.role("target", "id") if not f.derived and not f.joined_by]
        item = targets[0]
        category = CATEGORY if CATEGORY in targets else item
        past = next((f for name in (category, item) for f in features.role("history", "id") if f.match == name), None)
        fields = [f for role in ("context", "target") for f in features.role(role)]
        few = [f.kind == "id" for f in fields for _ in range(1 if f.kind == "id" else f.size)]
        parts = []
        for raw, rows in batches:
            if past is not None and not {past.match, past.column} <= set(raw):
                past = None  # a run may read fewer columns
            numbers = [array_of(rows[f.column]).reshape(len(array_of(rows[f.column])), -1) for f in fields]
            count = match(raw[past.match], ragged_of(raw[past.column]))[:, 0].numpy() if past is not None else ()
            ids = (array_of(raw[name]) for name in (item, category))
            label = array_of(raw[features.labels[0]])
            parts.append((np.concatenate(numbers, 1).astype(np.float32), label, *ids, np.asarray(count)))
        return _Table(parts, few, past is not None)


def smoothed_rates(
    keys: NDArray[np.int64], y: NDArray[np.bool_], asked_of: NDArray[np.int64], mean: Floats, prior: float = PRIOR
) -> Floats:
    """(asked,) rates of keys, each drawn to its mean as if that had been seen in ``prior`` rows."""
    values, place = np.unique(keys, return_inverse=True)
    rows, ones = np.bincount(place), np.bincount(place, weights=y)
    at = np.searchsorted(values, asked_of).clip(max=len(values) - 1)
    there = values[at] == asked_of
    rates_of: Floats = (ones[at] * there + prior * mean) / (rows[at] * there + prior)
    return rates_of


def _trees(train_table: _Table, new: _Table) -> Floats | None:
    """(rows,) probabilities; None without scikit-learn, or where trees have nothing to read."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError:
        return None
    ids = np.array(train_table.few)
    read = ~ids | (train_table.x.max(0) < MOST_VALUES)
    if not read.any() or train_table.y.all() or not train_table.y.any():
        return None
    trees = HistGradientBoostingClassifier(categorical_features=ids[read], early_stopping=False, random_state=0)
    trees.fit(train_table.x[:, read], train_table.y)
    probabilities: Floats = trees.predict_proba(new.x[:, read])[:, 1]
    return probabilities
