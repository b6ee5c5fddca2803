"""What an input spec is: labels, features, columns that are made, rows that are trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import table_files
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, Column, concat_batches
from recommend.models.base import Ranker
from recommend.training.run_config import RunConfig
from recommend.training.trainer import Encode, Stream

READ_ROWS = 65_536


@dataclass(frozen=True)
class Given:
    """What a stream is made of.

    Attributes:
        model: fresh, as it will be trained.
        features: of the run.
        encode: raw columns of the log to model input.
    """

    log: Path
    run: RunConfig
    model: Ranker
    features: FeatureMap
    encode: Encode

    def shown(self, *more: str) -> dict[str, Column]:
        """The impressions of the training days, encoded, with further raw columns; all of them in memory.

        Raises:
            DataError: there are none.
        """
        names = list(dict.fromkeys([*self.features.columns, *more]))
        files = table_files(self.log, "impression", *self.run.train_days)
        parts = list(ParquetStream(files, names, READ_ROWS))
        if not parts:
            raise DataError(f"{self.log} holds no impressions of the days {self.days}, on which this run is trained.")
        rows = concat_batches(parts)
        encoded = self.encode(rows)  # which knows what was known of labels
        input_ = {f.column: encoded[f.column] for f in self.features.features}
        return {**input_, **{n: encoded[n] for n in self.features.labels}, **{n: rows[n] for n in more}}

    def input(self, rows: Batch) -> dict[str, Column]:
        """What the model reads of raw columns, and nothing else."""
        encoded = self.encode(rows)
        return {f.column: encoded[f.column] for f in self.features.features}

    @property
    def days(self) -> str:
        """The training days, for people."""
        return "{}..{}".format(*self.run.train_days)


def same(features: FeatureMap, run: RunConfig) -> FeatureMap:
    """The usual features."""
    return features


@dataclass(frozen=True)
class InputSpec:
    """What a model needs of a log.

    Attributes:
        labels: predicted unless something else is asked.
        features: the usual features and the run to those that the model reads.
        join: log and run to a function that adds the columns of the features that are made from others
            (``joined_by``); content vectors are added anyway.
        knowledge: trained with published knowledge, on the days after its moment.
        rows: column that says of which rows of a log the predictions are; empty: of all.
        settings: of the model, where nothing else is asked.
        first_stage: trains a part of the model before the rest, with the run's folder for its checkpoint.
        stream: what is trained on; None: the impressions, read from the disk, also by several processes.
    """

    labels: tuple[str, ...] = ("click",)
    features: Callable[[FeatureMap, RunConfig], FeatureMap] = same
    join: Callable[[Path, RunConfig], Encode] | None = None
    stream: Callable[[Given], Stream] | None = None
    knowledge: bool = False
    rows: str = ""
    settings: tuple[str, ...] = ()
    first_stage: Callable[[Given, Path], None] | None = None
