"""KEEP from a log: the extractor's features, and for the ranker what a published version knows of each row's keys.

A version may have seen the events until its moment, so that a ranker is trained on later ones only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recommend.data.knowledge import KnowledgeStore, Snapshot
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, Column
from recommend.models.keep import CATEGORY, KINDS, knowledge_features
from recommend.training.run_config import RunConfig

KEYS = ("user_id", "item_id", CATEGORY)
READ = (*KEYS, "time_ms")


def of_keys(usual: FeatureMap, run: RunConfig) -> FeatureMap:
    """What an extractor reads: no numbers, such as an age, which change while what is stored of a thing does not."""
    return usual.model_copy(update={"features": tuple(f for f in usual.features if f.kind != "number")})


def with_knowledge(usual: FeatureMap, run: RunConfig) -> FeatureMap:
    """The usual features and the looked-up vectors."""
    known = [f.model_copy(update={"joined_by": READ}) for f in knowledge_features(run.knowledge_width)]
    return usual.model_copy(update={"features": (*usual.features, *known)})


def look_up(log: Path, run: RunConfig) -> Callable[[Batch], dict[str, Column]]:
    """Adds what the run's version knows; a row from before its moment is refused."""
    store = KnowledgeStore(Path(run.knowledge), readonly=True)

    def join(rows: Batch) -> dict[str, Column]:
        raw = {name: _array(rows[name]) for name in READ}
        with store.snapshot(run.knowledge_version) as snapshot:
            return {**rows, **vectors(snapshot, raw["user_id"], raw["item_id"], raw[CATEGORY], raw["time_ms"])}

    return join


def vectors(
    snapshot: Snapshot, user: np.ndarray, item: np.ndarray, category: np.ndarray, time_ms: np.ndarray | None = None
) -> dict[str, Column]:
    """(rows, width) knowledge of each kind by (rows,) keys; zeros where a key is unknown."""
    keys = (user, item, np.column_stack([user, category]))
    found = {kind: snapshot.lookup(kind, key, time_ms) for kind, key in zip(KINDS, keys, strict=True)}
    return {f"knowledge_{kind}": torch.from_numpy(values.copy()) for kind, values in found.items()}


def _array(column: Column) -> np.ndarray:
    assert isinstance(column, Tensor)
    return column.numpy()
