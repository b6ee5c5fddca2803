"""This package's models and trainer, as ``./ipl recommend train`` uses them; data in memory like the others'."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.recommend.peers.padded import PaddedDIN
from benchmarks.recommend.peers.workload import Task
from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.features.ragged import Batch
from recommend.models.registry import build_model
from recommend.training.scoring import predictions
from recommend.training.trainer import train


class Model:
    """Ragged histories, ReLU."""

    changes: dict[str, Any] = {}
    features: dict[str, Any] = {}

    def __init__(self, task: Task, kind: str) -> None:
        s, self.task = task.settings, task
        sizes = {"embedding": s.embedding, "attention": s.attention, "mlp": s.mlp, "initial_std": s.std}
        config = ModelConfig(name=kind, sparse_rows=10**9, **{**sizes, "activation": "relu", **self.changes})
        self.net = build_model(self.map(task), task.sizes, config, task.seed)
        self.config = TrainConfig(
            batch_rows=s.batch_rows, learning_rate=s.learning_rate, epochs=s.passes, seed=task.seed, threads=1
        )

    def map(self, task: Task):
        return task.features

    def fit(self) -> None:
        """All passes, each in an order of its own."""
        train(self.net, MemoryStream(self.task.learn, self.config.batch_rows, shuffle=self.task.seed), self.config)

    def predict(self, rows: Batch) -> np.ndarray:
        """Click probabilities."""
        return predictions(self.net, MemoryStream(rows, 8192))["p_click"]


class Padded(Model):
    """The same weights, start and batches on padded histories."""

    def __init__(self, task: Task, kind: str) -> None:
        super().__init__(task, kind)
        assert kind == "din"
        self.net.__class__ = PaddedDIN


class LikeRechub(Model):
    """What torch-rechub's models fix: batch normalisation, DIN's Dice, an attention to each history of its own."""

    changes = {"batch_norm": True}

    def __init__(self, task: Task, kind: str) -> None:
        if kind == "din":
            self.changes = {"batch_norm": True, "activation": "dice"}
        super().__init__(task, kind)

    def map(self, task: Task):
        own = [f.model_copy(update={"group": f.column} if f.role == "history" else {}) for f in task.features.features]
        return task.features.model_copy(update={"features": tuple(own)})
