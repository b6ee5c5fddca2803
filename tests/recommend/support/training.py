"""Runs on the tiny log, also those of processes that a test starts."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.parquet import ParquetStream
from recommend.data.ragged import Batch
from recommend.features.encoders import Encoders
from recommend.models.base import Ranker
from recommend.models.registry import build_model
from recommend.training.distributed import group
from recommend.training.trainer import train
from tests.recommend.support import tiny

SMALL = ModelConfig(
    embedding=4, attention=(8,), mlp=(8,), dropout=0.2, softmax=False, initial_std=0.1
)  # of a softmax a bias has no gradient
ONCE = TrainConfig(threads=1, checkpoint_every=3, log_every=2, epochs=2)
KINDS = {"dense": 1_000, "sparse": 10}  # rows above which a table gets sparse gradients


def prepared(folder: Path, config: ModelConfig = SMALL) -> tuple[Encoders, Ranker, ParquetStream]:
    """Encoders, a fresh model and the stream of a written log."""
    stream = ParquetStream([folder / "a.parquet", folder / "b.parquet"], tiny.FEATURES.columns, 64)
    encoders = Encoders.fit(tiny.FEATURES, stream)
    return encoders, build_model(tiny.FEATURES, encoders.sizes(), config), stream


def weights(model: Ranker) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def joined(kind: str) -> tuple[Ranker, Batch]:
    """A model, with sparse tables or without, and its encoded data."""
    data = tiny.columns(310)
    encoders = Encoders.fit(tiny.FEATURES, [data])
    changes = {"dropout": 0.0, "sparse_rows": KINDS[kind]}
    return build_model(tiny.FEATURES, encoders.sizes(), SMALL.model_copy(update=changes)), encoders(data)


def part(folder: Path) -> None:
    """One of two processes: trains each kind of model on its share and, as the first, saves the weights."""
    torch.set_num_threads(1)
    with group() as mine:
        for kind in KINDS:
            model, data = joined(kind)
            stream = MemoryStream(data, 32, shard=mine.rank, shards=mine.size)
            done = train(model, stream, TrainConfig(threads=1, checkpoint_every=2), folder=folder / kind, group=mine)
            assert done.steps == 5
            if mine.first:
                save_file(weights(model), folder / f"{kind}.safetensors")
    print("done", flush=True)
