"""Content vectors of what is shown and of what was clicked, joined to the batches by id.

An item's vector is known from its listing on, so the join adds nothing of the future. It stands in a table of its own
and not in every impression, where a history of fifty would repeat fifty vectors a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from recommend.data.parquet import DataError, read_table
from recommend.data.ragged import Batch, Column, Ragged, ragged_of, tensor_of
from recommend.data.schema import table_files
from recommend.features.feature_map import Feature, FeatureMap

KEYS = {"item_id": "item", "history_item": "item", "post_id": "post", "history_post": "post"}  # key column to table


@dataclass(frozen=True)
class Vectors:
    """Vectors (n, size) by id, ids ascending; an unknown id, or -1, gives zeros."""

    ids: Tensor
    values: Tensor

    def __call__(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """(m, size) vectors of (m,) ids, and which of them are known."""
        if not len(self.ids):
            return self.values.new_zeros(len(ids), self.values.shape[1]), torch.zeros(len(ids), dtype=torch.bool)
        place = torch.searchsorted(self.ids, ids.contiguous()).clamp(max=len(self.ids) - 1)
        matches = self.ids[place] == ids
        return self.values[place] * matches[:, None], matches


@dataclass(frozen=True)
class Contents:
    """Adds the joined columns of a feature map to a batch of raw columns.

    Attributes:
        features: those with ``joined_by``.
        tables: name of the table to its vectors.
    """

    features: tuple[Feature, ...]
    tables: dict[str, Vectors]

    @staticmethod
    def read(root: Path, features: FeatureMap, last_day: int | None = None) -> Contents:
        """Read the tables that the map's features need from a log; of things listed until ``last_day``."""
        joined = tuple(f for f in features.features if f.joined_by and f.kind == "vector" and f.role != "raw")
        tables = {KEYS[key]: f.size for f in joined for key in f.joined_by}
        return Contents(joined, {name: _read(root, name, size, last_day) for name, size in tables.items()})

    def __call__(self, batch: Batch) -> dict[str, Column]:
        """The batch with the joined columns: (rows, size), or ragged with values (total, size)."""
        return {**batch, **{f.column: self._joined(f, batch) for f in self.features}}

    def _joined(self, feature: Feature, batch: Batch) -> Column:
        first = batch[feature.joined_by[0]]
        if isinstance(first, Ragged):
            return first.with_values(self.tables[KEYS[feature.joined_by[0]]](first.values)[0])
        values, matches = self.tables[KEYS[feature.joined_by[0]]](first)
        for key in feature.joined_by[1:]:
            other, _ = self.tables[KEYS[key]](tensor_of(batch[key]))
            values = torch.where(matches[:, None], values, other)
        return values


def _read(root: Path, table: str, size: int, last_day: int | None) -> Vectors:
    key = f"{table}_id"
    if not table_files(root, table, 0, last_day):
        raise DataError(f"there is no table '{table}' in {root}, which holds the content vectors.")
    rows = read_table(root, table, [key, "content"], 0, last_day)
    ids = tensor_of(rows[key])
    if not len(ids):  # a marketplace without posts
        return Vectors(ids, torch.zeros(0, size))
    content = ragged_of(rows["content"])
    if not bool((content.lengths == size).all()):
        raise DataError(f"the content vectors of table '{table}' in {root} do not hold {size} numbers each.")
    order = ids.argsort()
    return Vectors(ids[order], content.values.reshape(-1, size)[order])
