"""Two towers: a user vector and an item vector whose product is the logit (Yi et al., RecSys 2019, for the correction).

The item tower sees the candidate alone, so that item vectors are computed once and searched; ``user_vector`` and
``item_vector`` serve retrieval, ``predict`` serves pre-ranking.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.attention import mean_pool
from recommend.layers.inputs import Inputs
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, Ranker, label
from recommend.models.run_config import RunConfig


class TwoTower(Ranker):
    """Cosine of the two vectors, times a learned scale, plus a bias: a calibrated logit of the first label."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        i = self.inputs
        self.user = self.mlp(i.context_width + sum(i.history_widths.values()), config.tower)
        self.item = self.mlp(i.target_width, config.tower)
        self.scale = nn.Parameter(torch.tensor(5.0))
        self.bias = nn.Parameter(torch.tensor(-2.0))

    @classmethod
    def reads(cls, usual: FeatureMap, run: RunConfig) -> FeatureMap:
        """Nothing of user and candidate together."""
        return usual.apart()

    def user_vector(self, x: Inputs) -> Tensor:
        """(rows, tower) of unit length; depends on context and history only."""
        pooled = [mean_pool(history) for history in x.histories.values()]
        return functional.normalize(self.user(torch.cat([x.context, *pooled], 1)), dim=1)

    def item_vector(self, x: Inputs) -> Tensor:
        """(rows, tower) of unit length; depends on the candidate only."""
        return functional.normalize(self.item(x.target), dim=1)

    def factor(self, user: Tensor, item: Tensor) -> Tensor:
        """(n,) by what the probability of each is multiplied before things are ordered by it, of (n, tower) vectors."""
        return torch.ones_like(item[:, 0])  # of its shape, also where it is traced

    def forward(self, batch: Batch) -> Logits:
        x = self.inputs(batch)
        logit = self.scale * (self.user_vector(x) * self.item_vector(x)).sum(1) + self.bias
        return {self.features.labels[0]: logit}

    def measured(self) -> dict[str, tuple[str, str | None]]:
        name = self.features.labels[0]
        return {name: (name, None)}

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        name = self.features.labels[0]
        return bce(logits[name], label(batch, name))
