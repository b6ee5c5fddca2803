"""The task that every library gets: rows of an imported log, encoded once, and the sizes of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from recommend.config import ModelConfig, TrainConfig
from recommend.data.parquet import ParquetStream
from recommend.data.ragged import Batch, Column, Ragged, concat_batches, rows_of, select_batch, slice_batch
from recommend.data.schema import table_files
from recommend.features.counts import Counts
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.training.runs import features_of, labels_of, plan


@dataclass(frozen=True)
class Settings:
    """Sizes and steps, the same for every library: our defaults, batch normalisation and a rate without plan aside."""

    embedding: int = 16
    attention: tuple[int, ...] = (32,)
    mlp: tuple[int, ...] = (128, 64)
    batch_rows: int = 256
    learning_rate: float = 3e-3
    longest: int = 20


@dataclass(frozen=True)
class Task:
    """Rows as our encoders give them, every id one higher, since 0 is the libraries' padding and our "unknown"."""

    features: FeatureMap
    sizes: dict[str, int]
    learn: dict[str, Column]
    test: dict[str, Column]
    settings: Settings
    seed: int

    @property
    def targets(self) -> list[str]:
        """Columns of ids of the item on display."""
        return [f.column for f in self.features.role("target") if f.kind == "id"]

    @property
    def numbers(self) -> dict[str, tuple[str, int]]:
        """Matches and counts, one number a name: of which column, and which of its numbers."""
        listed = [f for f in self.features.role("target") if f.listed]
        return {f"{f.column} {n}": (f.column, n) for f in listed for n in range(f.size)}

    @property
    def context(self) -> list[str]:
        """Columns of user and page."""
        return [f.column for f in self.features.role("context")]

    @property
    def histories(self) -> dict[str, str]:
        """Column of each history, by the target column whose table it shares."""
        return {f.match: f.column for f in self.features.role("history")}

    def size(self, column: str) -> int:
        """Rows of a column's table, padding and unknown ids included."""
        return self.sizes[next(f.vocabulary for f in self.features.features if f.column == column)]

    def few(self) -> Task:
        """Three batches of the task, to warm up with."""
        rows = 3 * self.settings.batch_rows
        return replace(self, learn=slice_batch(self.learn, 0, rows), test=slice_batch(self.test, 0, rows))

    def click(self, rows: Batch) -> np.ndarray:
        """(rows,) float32 labels."""
        column = rows[self.features.labels[0]]
        assert isinstance(column, torch.Tensor)
        return column.numpy().astype(np.float32)

    def padded(self, rows: Batch) -> dict[str, np.ndarray]:
        """(rows,) ids and numbers, (rows, longest) histories, padded with 0 on the right; (rows,) ``length``."""
        out: dict[str, np.ndarray] = {}
        for name in (*self.context, *self.targets, *self.histories.values()):
            column = rows[name]
            if isinstance(column, Ragged):
                out[name], out["length"] = column.padded(self.settings.longest)[0].numpy(), column.lengths.numpy()
            else:
                out[name] = column.numpy()
        for name, (column_of, n) in self.numbers.items():
            numbers = rows[column_of]
            assert isinstance(numbers, torch.Tensor)
            out[name] = numbers[:, n].float().numpy()
        return out


def read(log: Path, seed: int, rows: tuple[int, int], test_days: int, settings: Settings) -> Task:
    """Rows for training and, of the log's last days, for the test, drawn and put in order by the seed."""
    run = plan(log, ModelConfig(name="din"), TrainConfig(), labels_of(log, "din"), test_days)
    features = features_of(run)
    short = [f.model_copy(update={"max_length": settings.longest}) for f in features.features]
    features = features.model_copy(update={"features": tuple(short)})
    known = [f for f in short if f.kind == "id" or (f.listed and f.role == "target")]
    assert len(known) == len(short), "the comparison reads ids, matches and counts; strike the rest out."
    counted = Counts.read(log, features)
    learn, test = (
        counted(concat_batches(list(ParquetStream(table_files(log, "impression", *days), features.columns))))
        for days in (run.train_days, run.test_days)
    )
    rng = np.random.default_rng(seed)
    learn, test = (
        select_batch(part, torch.from_numpy(rng.permutation(rows_of(part))[:count]))
        for part, count in zip((learn, test), rows, strict=True)
    )
    encoders = Encoders.fit(features, [learn], run.min_count)
    sizes = {name: size + 1 for name, size in encoders.sizes().items()}
    return Task(features, sizes, higher(encoders, learn), higher(encoders, test), settings, seed)


def higher(encoders: Encoders, rows: Batch) -> dict[str, Column]:
    """Encoded features, each id one higher, and the label."""
    features, encoded = encoders.features, encoders(rows)
    out: dict[str, Column] = {}
    for feature in features.features:
        column = encoded[feature.column]
        if feature.listed:
            out[feature.column] = column if isinstance(column, torch.Tensor) else column.padded(feature.size)[0]
        else:
            out[feature.column] = column.with_values(column.values + 1) if isinstance(column, Ragged) else column + 1
    return out | {features.labels[0]: encoded[features.labels[0]]}


@torch.no_grad()
def start_alike(theirs: nn.Module, ours: nn.Module, task: Task) -> None:
    """Our first weights into their model: tables by column, linear layers in the order they are passed in.

    What they have and we do not starts as theirs. They read numbers after all vectors, ours stand before the histories.
    """
    ids = task.settings.embedding * (len(task.context) + len(task.targets))
    past, numbers = task.settings.embedding * len(task.histories), len(task.numbers)
    order = [*range(ids), *range(ids + numbers, ids + numbers + past), *range(ids, ids + numbers)]
    tables = {name.rsplit(".", 1)[-1]: m for name, m in ours.named_modules() if isinstance(m, nn.Embedding)}
    for name, table in theirs.named_modules():
        if isinstance(table, nn.Embedding):
            table.weight.copy_(tables[name.rsplit(".", 1)[-1]].weight)
            if table.padding_idx is not None:
                table.weight[table.padding_idx] = 0
    sources = iter([m for m in ours.modules() if isinstance(m, nn.Linear)])
    for layer in (m for m in theirs.modules() if isinstance(m, nn.Linear)):
        source = next(sources)
        layer.weight.copy_(source.weight[:, order] if source.in_features == len(order) else source.weight)
        (theirs.out.bias if layer.bias is None else layer.bias).copy_(source.bias)  # type: ignore[union-attr]
    assert next(sources, None) is None, "a layer of ours has no counterpart."
