"""DIN: Deep Interest Network for Click-Through Rate Prediction (KDD 2018, arXiv 1706.06978)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recommend.config import ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.attention import attentions
from recommend.layers.inputs import Inputs
from recommend.models.base import Logits, Ranker


class DIN(Ranker):
    """Target attention over each history (eq. 3-5), then an MLP; the scores are not normalised unless asked for."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        self.attention = attentions(self.inputs.history_widths, config)
        self.top = self.mlp(self.body_width, len(features.labels))

    def body(self, x: Inputs) -> Tensor:
        """(rows, body_width): context, target and the attended interests."""
        interests = [attend(x.matched[group], x.histories[group]) for group, attend in self.attention.items()]
        return torch.cat([x.context, x.target, *interests], 1)

    def logits(self, x: Inputs) -> Logits:
        """(rows,) logits of each task on given inputs."""
        return self.by_task(self.top(self.body(x)))

    def forward(self, batch: Batch) -> Logits:
        return self.logits(self.inputs(batch))
