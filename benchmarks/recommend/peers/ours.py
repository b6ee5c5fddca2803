"""This package's models and trainer, as ``./ipl recommend train`` uses them; data in memory like the others'."""

from __future__ import annotations

import numpy as np

from benchmarks.recommend.peers.workload import Task
from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Batch
from recommend.models.registry import build_model
from recommend.training.scoring import predictions
from recommend.training.trainer import train


class Model:
    """Ragged histories; ReLU and batch normalisation, as of every library."""

    def __init__(self, task: Task, kind: str) -> None:
        s, self.task = task.settings, task
        config = ModelConfig(
            name=kind, embedding=s.embedding, attention=s.attention, mlp=s.mlp, activation="relu", batch_norm=True,
            sparse_rows=10**9, softmax=False, initial_std=0.01, layer_norm=False, unknown_ids=0.0,
        )  # fmt: skip
        self.net = build_model(task.features, task.sizes, config, task.seed)
        self.config = TrainConfig(
            batch_rows=s.batch_rows, learning_rate=s.learning_rate, seed=task.seed, threads=1, table_rate=0.0,
            schedule="constant", warmup=0.0,
        )  # fmt: skip

    def fit(self) -> None:
        """One pass in the rows' order, as of every library."""
        train(self.net, MemoryStream(self.task.learn, self.config.batch_rows), self.config)

    def predict(self, rows: Batch) -> np.ndarray:
        """Click probabilities."""
        return predictions(self.net, MemoryStream(rows, 8192))["p_click"]
