"""DNN: embeddings, mean-pooled history, one MLP (the base model of DIN's paper; Covington et al., RecSys 2016)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from recommend.config import ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.attention import mean_pool
from recommend.models.base import Logits, Ranker


class DNN(Ranker):
    """Every task has a logit of its own on the shared MLP."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        self.cross = self.crossing(self.body_width)
        self.top = self.mlp(self.body_width, len(features.labels))

    def crossing(self, width: int) -> nn.Module:
        """(n, width) to (n, width): what stands between the joined inputs and the MLP."""
        return nn.Identity()

    def forward(self, batch: Batch) -> Logits:
        x = self.inputs(batch)
        pooled = [mean_pool(history) for history in x.histories.values()]
        return self.by_task(self.top(self.cross(torch.cat([x.context, x.target, *pooled], 1))))
