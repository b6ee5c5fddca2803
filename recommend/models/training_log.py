"""Access to a log for models that read more of it than its impressions in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recommend.data.parquet import DataError, Position, read_table
from recommend.data.ragged import Batch, Column, rows_of
from recommend.features.feature_map import FeatureMap
from recommend.models.run_config import RunConfig

Encode = Callable[[Batch], Mapping[str, Column]]
Train = Callable[..., object]  # ``training.trainer.train``, which knows the models


class Stream(Protocol):
    """Rows to train on: a dataclass with a ``start``, such as ``ParquetStream`` and ``MemoryStream``."""

    @property
    def start(self) -> Position: ...

    def rows(self) -> int: ...

    def with_positions(self) -> Iterator[tuple[dict[str, Column], Position]]: ...


@dataclass(frozen=True)
class TrainingLog:
    """The log of a run, of which a model makes its stream (``Ranker.stream``).

    Attributes:
        features: of the run.
        encode: raw columns of the log to model input.
    """

    log: Path
    run: RunConfig
    features: FeatureMap
    encode: Encode

    def impressions(self, *more: str) -> dict[str, Column]:
        """The impressions of the training days, encoded, with further raw columns; all of them in memory.

        Raises:
            DataError: there are none.
        """
        names = list(dict.fromkeys([*self.features.columns, *more]))
        rows = read_table(self.log, "impression", names, *self.run.train_days)
        if not rows_of(rows):
            raise DataError(f"{self.log} holds no impressions of the days {self.days}, on which this run is trained.")
        encoded = self.encode(rows)  # which knows what was known of labels
        input_ = {f.column: encoded[f.column] for f in self.features.features}
        return {**input_, **{n: encoded[n] for n in self.features.labels}, **{n: rows[n] for n in more}}

    def input(self, rows: Batch) -> dict[str, Column]:
        """The columns that the model reads, encoded from raw ones."""
        encoded = self.encode(rows)
        return {f.column: encoded[f.column] for f in self.features.features}

    @property
    def days(self) -> str:
        """The training days, for people."""
        return "{}..{}".format(*self.run.train_days)
