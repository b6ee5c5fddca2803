"""Raw columns to what a model reads: ids to table rows, numbers to about unit scale.

Fitted on the training window only and saved with the model. Row 0 of every table is "out of vocabulary": an id that the
window did not hold, which on a marketplace of single pieces is the common case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from recommend.data.parquet import DataError
from recommend.data.ragged import Batch, Column, Ragged, ragged_of, tensor_of
from recommend.features.feature_map import Feature, FeatureMap
from recommend.features.matches import match


@dataclass(frozen=True)
class Scale:
    """To about unit scale over the training window; ``log``: of sign(x) * log(1 + |x|), for long tails."""

    mean: float = 0.0
    std: float = 1.0
    log: bool = True

    def __call__(self, values: Tensor) -> Tensor:
        return ((_squash(values) if self.log else values.float()) - self.mean) / self.std


@dataclass(frozen=True)
class Encoders:
    """``vocabularies``: table to its sorted ids (row = place + 1); ``scales``: numeric column to its scale; ``edges``:
    table of a number in buckets to the buckets' edges (row = bucket + 1, 0 for NaN).
    """

    features: FeatureMap
    vocabularies: dict[str, Tensor]
    scales: dict[str, Scale]
    edges: dict[str, Tensor] = field(default_factory=dict)

    @staticmethod
    def fit(features: FeatureMap, batches: Iterable[Batch], min_count: int = 1) -> Encoders:
        """One pass over the training window.

        Ids are counted where they are shown, not where they stand in a history: what was clicked stands in many
        histories, so that counting those would make "known" mean "clicked", and leak the label.

        Args:
            batches: the training stream; nothing of validation or test may be in it.
            min_count: ids shown less often stay out of the vocabulary.
        """
        counted = [f for f in features.features if _is_id(f) and not f.bucketed and f.role != "history"]
        parted = [f for f in features.features if f.buckets and f.role != "history"]
        samples = {f.vocabulary: Sample() for f in parted}
        counts = {f.vocabulary: (torch.empty(0, dtype=torch.int64),) * 2 for f in counted}
        sums: dict[str, Tensor] = {
            f.column: torch.zeros(3, dtype=torch.float64) for f in features.features if _scaled(f)
        }
        log = {f.column: f.scale == "log" for f in features.features}
        scaled = list(sums)
        batch_count = 0
        for raw in batches:
            batch_count += 1
            batch = with_derived(features, raw)
            for f in parted:
                samples[f.vocabulary].add(_flat(batch[f.column]))
            for name, tally in counts.items():
                ids = [_flat(batch[f.column]) for f in counted if f.vocabulary == name]
                counts[name] = _merge(tally, torch.cat(ids).to(torch.int64))
            for name in scaled:
                x = (_squash(_flat(batch[name])) if log[name] else _flat(batch[name])).double()
                sums[name] += torch.stack([torch.tensor(len(x), dtype=torch.float64), x.sum(), (x * x).sum()])
        if not batch_count:
            raise DataError("the training window is empty; nothing can be fitted on it.")
        return Encoders(
            features,
            {name: ids[many >= min_count] for name, (ids, many) in counts.items()},
            {name: _scale(total, log[name]) for name, total in sums.items()},
            {
                **{f.vocabulary: torch.tensor(f.edges) for f in features.features if f.edges},
                **{f.vocabulary: samples[f.vocabulary].edges(f.buckets) for f in parted},
            },
        )

    def sizes(self) -> dict[str, int]:
        """Rows of each table, the out-of-vocabulary row included."""
        rows = {name: len(ids) + 1 for name, ids in self.vocabularies.items()}
        return rows | {name: len(edges) + 2 for name, edges in self.edges.items()}

    def __call__(self, batch: Batch) -> dict[str, Column]:
        """Encode a batch: ids to rows, numbers to their scale; labels and other columns pass as they are."""
        batch = with_derived(self.features, batch)
        out = dict(batch)
        for feature in self.features.features:
            column = batch.get(feature.column)
            if column is None:
                raise DataError(f"the data lack the column '{feature.column}', which the model reads.")
            history = feature.role == "history"
            if isinstance(column, Ragged) and history:
                column = column.last(feature.max_length)
            if feature.listed and not history:
                column = _flat(column).reshape(-1, feature.size)
            encode = partial(self.encoded, feature)
            out[feature.column] = column.map(encode) if isinstance(column, Ragged) else encode(column)
        return out

    def encoded(self, feature: Feature, values: Tensor) -> Tensor:
        """A feature's plain values: ids to table rows, numbers to their scale."""
        if feature.bucketed and feature.role != "raw":
            edges = self.edges[feature.vocabulary]
            place = torch.bucketize(values.float(), edges, right=True) + 1
            return torch.where(values.isnan(), 0, place) if values.is_floating_point() else place
        if _is_id(feature):
            return self.row(feature.vocabulary, values)
        if _scaled(feature):
            return self.scales[feature.column](values)
        return values.float() if feature.listed and feature.role != "history" else values

    def row(self, table: str, ids: Tensor) -> Tensor:
        """Table rows of raw ids; 0 for ids outside the vocabulary."""
        vocabulary = self.vocabularies[table]
        ids = ids.to(torch.int64)
        if not len(vocabulary):
            return torch.zeros_like(ids)
        place = torch.searchsorted(vocabulary, ids.contiguous()).clamp(max=len(vocabulary) - 1)
        return torch.where(vocabulary[place] == ids, place + 1, 0)

    def save(self, folder: Path) -> None:
        """Write ``features.json``, ``vocabularies.safetensors`` and ``scales.json`` into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.features.save(folder / "features.json")
        save_file(self.vocabularies or {"_": torch.empty(0)}, folder / "vocabularies.safetensors")
        if self.edges:
            save_file(self.edges, folder / "edges.safetensors")
        scales = {name: [s.mean, s.std, *([] if s.log else [False])] for name, s in self.scales.items()}
        (folder / "scales.json").write_text(json.dumps(scales), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> Encoders:
        """Read what ``save`` wrote."""
        folder = Path(folder)
        try:
            vocabularies = load_file(folder / "vocabularies.safetensors")
            vocabularies.pop("_", None)
            scales = json.loads((folder / "scales.json").read_text(encoding="utf-8"))
            edges = load_file(folder / "edges.safetensors") if (folder / "edges.safetensors").exists() else {}
            scale_of = {n: Scale(*of) for n, of in scales.items()}
            return Encoders(FeatureMap.load(folder / "features.json"), vocabularies, scale_of, edges)
        except (OSError, ValueError) as error:
            raise DataError(f"{folder} holds no readable encoders: {error}") from error


class Sample:
    """Numbers of a stream of any length: every k-th of them, k growing with the stream; of a seed it needs none.

    Attributes:
        most: kept at least half as many, once there are so many.
    """

    def __init__(self, most: int = 2**20) -> None:
        self.most, self.step, self.at, self.parts, self.count = most, 1, 0, [torch.empty(0)], 0

    def add(self, values: Tensor) -> None:
        """More of the stream; NaN counts as nothing."""
        values = values[~values.isnan()].float() if values.is_floating_point() else values.float()
        first = -self.at % self.step
        self.at += len(values)
        self.parts.append(values[first :: self.step])
        self.count += len(self.parts[-1])
        while self.count > self.most:
            self.step *= 2
            self.parts = [torch.cat(self.parts)[::2]]
            self.count = len(self.parts[0])

    def edges(self, buckets: int) -> Tensor:
        """At most ``buckets - 1`` ascending edges between parts of equal size; equal ones are one."""
        values = torch.cat(self.parts).sort().values
        if not len(values):
            return torch.empty(0)
        place = (torch.arange(1, buckets) * len(values) // buckets).clamp(max=len(values) - 1)
        return torch.unique(values[place])


def with_derived(features: FeatureMap, batch: Batch) -> dict[str, Column]:
    """The raw columns with those that are made of others: crosses and matches, the same wherever a model is asked."""
    derived: dict[str, Column] = {}
    histories = {f.column: f for f in features.role("history")}
    for feature in features.features:
        if feature.cross:
            derived[feature.column] = mixed([tensor_of(batch[name]) for name in feature.cross])
        elif feature.kind == "match":
            history = histories[feature.inputs[0]]
            past = ragged_of(batch[history.column]).last(history.max_length)
            derived[feature.column] = match(batch[history.match], past)
    return {**batch, **derived}


def mixed(columns: Sequence[Tensor]) -> Tensor:
    """(n,) one number for the ids (n,) of several columns: equal ones for equal ids, up to collisions of 64 bits."""
    total = torch.zeros((), dtype=torch.int64)
    for ids in columns:
        # A splitmix64 step a column, in wrapping arithmetic, so that (1, 2) is not (2, 1).
        total = (total ^ ids.to(torch.int64)) * -7046029254386353131
        total = (total ^ ((total >> 32) & 0xFFFFFFFF)) * -4658895280553007687
    return total


def _is_id(feature: Feature) -> bool:
    return feature.kind == "id" and feature.role != "raw"


def _scaled(feature: Feature) -> bool:
    return feature.kind == "number" and feature.role != "raw" and feature.scale != "none"


def _flat(column: Column) -> Tensor:
    return column.values if isinstance(column, Ragged) else column


def _squash(values: Tensor) -> Tensor:
    values = values.float()
    return values.sign() * values.abs().log1p()


def _merge(tally: tuple[Tensor, Tensor], ids: Tensor) -> tuple[Tensor, Tensor]:
    """Sorted ids and their counts, with a batch's ids added; memory stays that of the vocabulary."""
    new, many = torch.unique(ids, return_counts=True)
    both, place = torch.unique(torch.cat([tally[0], new]), return_inverse=True)
    total = torch.zeros(len(both), dtype=torch.int64).index_add(0, place, torch.cat([tally[1], many]))
    return both, total


def _scale(total: Tensor, log: bool) -> Scale:
    count, first, second = (float(v) for v in total)
    mean = first / max(count, 1)
    return Scale(mean, max(second / max(count, 1) - mean**2, 1e-12) ** 0.5, log)
