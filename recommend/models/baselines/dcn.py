"""DCN V2: Improved Deep & Cross Network (WWW 2021, arXiv 2008.13535)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch
from recommend.layers.attention import mean_pool
from recommend.models.base import Logits, Ranker


class Cross(nn.Module):
    """``x_{l+1} = x_0 * (W_l x_l + b_l) + x_l`` (eq. 1): each layer raises the degree of the products by one."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))

    def forward(self, first: Tensor) -> Tensor:
        """(n, width) to (n, width)."""
        x = first
        for layer in self.layers:
            x = first * layer(x) + x
        return x


class DCN(Ranker):
    """The stacked form (figure 1a): cross layers first, the MLP on top; histories are mean-pooled as in DNN."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        i = self.inputs
        width = i.context_width + i.target_width + sum(i.history_widths.values())
        self.cross = Cross(width, config.layers)
        self.top = self.mlp(width, len(features.labels))

    def forward(self, batch: Batch) -> Logits:
        x = self.inputs(batch)
        pooled = [mean_pool(history) for history in x.histories.values()]
        out = self.top(self.cross(torch.cat([x.context, x.target, *pooled], 1)))
        return dict(zip(self.features.labels, out.unbind(1), strict=True))
