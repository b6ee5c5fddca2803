"""This package's DIN and trainer, as ``./ipl recommend train`` uses them; data in memory like the others'."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.recommend.peers.workload import CONTEXT, Part, Workload
from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.features.feature_map import Feature, FeatureMap
from recommend.features.ragged import Ragged
from recommend.models.baselines.din import DIN
from recommend.training.scoring import predictions
from recommend.training.trainer import train

FEATURES = FeatureMap(
    features=(
        *(Feature(column=c, role="context") for c in CONTEXT),
        Feature(column="item_id", role="target"),
        Feature(column="category", role="target"),
        Feature(column="history", role="history", match="item_id"),
        Feature(column="history_category", role="history", match="category"),
    )
)


class Din:
    """Dense tables; ``sparse`` gives the tables of users and items sparse gradients."""

    sparse_rows = 10**9
    cls = DIN

    def __init__(self, work: Workload, learn: Part) -> None:
        self.work = work
        config = ModelConfig(
            name="din",
            embedding=work.embedding,
            attention=work.attention,
            mlp=work.mlp,
            sparse_rows=self.sparse_rows,
        )
        torch.manual_seed(work.seed)
        self.model = self.cls(FEATURES, work.sizes, config)
        self.columns = batch(learn)

    def fit(self, shuffle: bool = True) -> None:
        """One pass; without ``shuffle`` in the rows' own order."""
        config = TrainConfig(
            batch_rows=self.work.batch_rows,
            learning_rate=self.work.learning_rate,
            threads=torch.get_num_threads(),
            log_every=10**9,
        )
        train(self.model, MemoryStream(self.columns, self.work.batch_rows, shuffle=0 if shuffle else None), config)

    def predict(self, part: Part) -> np.ndarray:
        """Click probabilities."""
        return predictions(self.model, MemoryStream(batch(part), 8192))["p_click"]


class SparseDin(Din):
    """SparseAdam on tables above 10,000 rows; its moments are lazy."""

    sparse_rows = 10_000


def batch(part: Part) -> dict[str, torch.Tensor | Ragged]:
    """Padded rows as ragged ones."""
    lengths = torch.from_numpy(part.length)
    real = np.arange(part.columns["history"].shape[1]) < part.length[:, None]
    columns: dict[str, torch.Tensor | Ragged] = {}
    for name, values in part.columns.items():
        ragged = name.startswith("history")
        columns[name] = Ragged(torch.from_numpy(values[real]), lengths) if ragged else torch.from_numpy(values)
    return columns | {"click": torch.from_numpy(part.click)}
