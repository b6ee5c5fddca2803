"""The shared first layer of every model: a batch to context, target and history vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.data.ragged import Batch, Ragged, ragged_of, rows_of, tensor_of
from recommend.features.feature_map import Feature, FeatureMap
from recommend.layers.embedding import Tables

FEW = 100  # rows of a table that holds all values there are: none of it is read as unknown


@dataclass(frozen=True)
class Inputs:
    """The embedded inputs of a model.

    Attributes:
        context: (rows, context width): user and page.
        target: (rows, target width): the candidate, all of its features.
        matched: per history group, (rows, w): the target's features that the history has too.
        histories: per history group, ragged (total, w).
    """

    context: Tensor
    target: Tensor
    matched: dict[str, Tensor]
    histories: dict[str, Ragged]


class InputLayer(nn.Module):
    """Embeds ids, appends numbers and vectors.

    Attributes:
        context_width, target_width: last dimensions of the two parts.
        history_widths: per history group.
    """

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__()
        self.features = features
        self.tables = Tables(sizes, config)
        self.unknown_ids = config.unknown_ids
        self.many = {name for name, rows in sizes.items() if rows > FEW}
        self.context_width = sum(self._width(f) for f in features.role("context"))
        self.target_width = sum(self._width(f) for f in features.role("target"))
        self.groups = {g: [f for f in features.role("history") if f.group == g] for g in features.groups()}
        self.history_widths = {g: sum(map(self._width, members)) for g, members in self.groups.items()}

    def _width(self, feature: Feature) -> int:
        return self.tables.width if feature.kind == "id" else feature.size

    def forward(self, batch: Batch) -> Inputs:
        """Look everything up once."""
        target = {f.column: self._part(f, batch) for f in self.features.role("target")}
        return Inputs(
            context=self._join([self._part(f, batch) for f in self.features.role("context")], batch),
            target=self._join(list(target.values()), batch),
            matched={g: torch.cat([target[f.match] for f in members], 1) for g, members in self.groups.items()},
            histories={g: self._history(members, batch) for g, members in self.groups.items()},
        )

    def _part(self, feature: Feature, batch: Batch) -> Tensor:
        column = tensor_of(batch[feature.column])
        if feature.kind == "id":
            if self.training and self.unknown_ids and feature.vocabulary in self.many:
                # Row 0 is what every new id is served with, and in training hardly any id is new.
                column = torch.where(torch.rand(len(column), device=column.device) < self.unknown_ids, 0, column)
            return self.tables(feature.vocabulary, column)
        return column.float().reshape(-1, feature.size)

    def _history(self, members: list[Feature], batch: Batch) -> Ragged:
        parts = [self._past(f, batch) for f in members]
        return parts[0].beside(parts[1:])

    def _past(self, feature: Feature, batch: Batch) -> Ragged:
        column = ragged_of(batch[feature.column])
        if feature.kind == "id":
            return column.map(lambda ids: self.tables(feature.vocabulary, ids))
        return column.map(lambda values: values.float().reshape(-1, feature.size))

    def _join(self, parts: list[Tensor], batch: Batch) -> Tensor:
        if parts:
            return torch.cat(parts, 1)
        return next(self.parameters(), torch.empty(0)).new_zeros(rows_of(batch), 0)  # vectors alone: no table
