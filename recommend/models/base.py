"""What every ranker has in common: logits by task, a loss, and ``predict``.

A model never reads files, configs of others or command lines. Whoever uses one calls ``predict`` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, on_device
from recommend.layers.embedding import Make, make
from recommend.layers.inputs import InputLayer
from recommend.layers.mlp import MLP
from recommend.losses.pointwise import bce

Logits = dict[str, Tensor]


class Ranker(nn.Module):
    """Base of the models.

    Args:
        features: what is read; ``features.labels`` are the tasks.
        sizes: rows of the embedding tables (``Encoders.sizes()``).
        config: sizes of the layers.
        build: makes the tables (swap it for another engine).
    """

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig, build: Make = make) -> None:
        super().__init__()
        self.features = features
        self.config = config
        self.inputs = InputLayer(features, sizes, config.embedding, config.sparse_rows, config.initial_std, build)

    def mlp(self, inputs: int, out: int = 1) -> MLP:
        """The config's tower."""
        c = self.config
        return MLP(inputs, c.mlp, out, c.activation, c.dropout, c.batch_norm)

    def forward(self, batch: Batch) -> Logits:
        """(rows,) logits of each task."""
        raise NotImplementedError

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """Sum of the tasks' cross-entropies, each over all rows."""
        return torch.stack([bce(logits[name], label(batch, name)) for name in self.features.labels]).sum()

    def measured(self) -> dict[str, tuple[str, str | None]]:
        """What each prediction is to be measured against: its label and, if it is a conditional probability, the label
        of the rows to which it applies."""
        return {name: (name, None) for name in self.features.labels}

    def predicted(self, batch: Batch) -> dict[str, Tensor]:
        """(rows,) probabilities of each task."""
        return {name: value.float().sigmoid() for name, value in self(batch).items()}

    @torch.no_grad()
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """``predicted``, in evaluation mode, on the processor."""
        device = next(self.parameters()).device
        with evaluating(self):
            return {name: value.cpu() for name, value in self.predicted(on_device(batch, device)).items()}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; a model that is in it already is left as it is, since the walk over its layers costs
    milliseconds and other threads may be using it."""
    if not model.training:
        yield
        return
    model.eval()
    try:
        yield
    finally:
        model.train()


def label(batch: Batch, name: str) -> Tensor:
    """A label column as (rows,) numbers."""
    column = batch[name]
    assert isinstance(column, Tensor)
    return column
