"""Settings under which the figures of these scripts were taken, whatever the defaults are by now."""

from __future__ import annotations

from typing import Any

from recommend.config import ModelConfig, TrainConfig

MODEL = {
    "attention": (64,), "mlp": (200, 80), "activation": "prelu", "softmax": False, "initial_std": 0.01,
    "layer_norm": False, "unknown_ids": 0.0,
}  # fmt: skip
TRAIN = {"batch_rows": 1024, "learning_rate": 1e-3, "table_rate": 0.0, "schedule": "constant", "warmup": 0.0}


def model(**changes: Any) -> ModelConfig:
    """A model's config."""
    return ModelConfig(**{**MODEL, **changes})


def training(**changes: Any) -> TrainConfig:
    """A config of training."""
    return TrainConfig(**{**TRAIN, **changes})
