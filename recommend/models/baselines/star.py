"""STAR: One Model to Serve All: Star Topology Adaptive Recommender for Multi-Domain CTR Prediction (arXiv 2101.11427).

Here a domain is an entity, or whatever the raw column ``entity`` numbers. Each layer's weight is the shared one times
the domain's own; rows are normalised by their own domain's statistics; a small network that knows the domain adds to
the logit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.features.feature_map import FeatureMap
from recommend.layers.activations import activation
from recommend.layers.mlp import MLP
from recommend.models.baselines.multi_entity import MultiEntity


class PartitionedNorm(nn.Module):
    """Batch normalisation with an entity's own statistics; scales are multiplied, shifts added (eq. 3-4)."""

    def __init__(self, width: int, names: Sequence[str]) -> None:
        super().__init__()
        self.norm = nn.ModuleDict({n: nn.BatchNorm1d(width) for n in names})
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, entity: str) -> Tensor:
        """(n, width) rows of one entity, normalised."""
        own = self.norm[entity]
        assert isinstance(own, nn.BatchNorm1d)
        # A batch of one has no variance: what was learned so far stands in.
        learn = own.training and len(x) > 1
        x = functional.batch_norm(x, own.running_mean, own.running_var, None, None, learn, own.momentum or 0.0, own.eps)
        return x * (self.scale * own.weight) + (self.shift + own.bias)


class StarLayer(nn.Module):
    """``W = W_shared * W_own``, ``b = b_shared + b_own`` (eq. 6); own parts start as 1 and 0, so all start alike."""

    def __init__(self, inputs: int, width: int, names: Sequence[str]) -> None:
        super().__init__()
        self.shared = nn.Linear(inputs, width)
        self.weight = nn.ParameterDict({n: nn.Parameter(torch.ones(width, inputs)) for n in names})
        self.bias = nn.ParameterDict({n: nn.Parameter(torch.zeros(width)) for n in names})

    def forward(self, x: Tensor, entity: str) -> Tensor:
        """(n, inputs) rows of one entity to (n, width)."""
        return functional.linear(x, self.shared.weight * self.weight[entity], self.shared.bias + self.bias[entity])


class STAR(MultiEntity):
    """Star-shaped layers of ``config.mlp`` on DIN's inputs, which are normalised first."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        widths = [self.body_width, *config.mlp, 1]
        self.norm = PartitionedNorm(self.body_width, self.names)
        self.layers = nn.ModuleList(StarLayer(a, b, self.names) for a, b in pairwise(widths))
        self.acts = nn.ModuleList(activation(config.activation, width) for width in config.mlp)
        self.mark = nn.ParameterDict({n: nn.Parameter(torch.randn(config.embedding) * 0.1) for n in self.names})
        self.auxiliary = MLP(self.body_width + config.embedding, config.mlp[-1:], 1, config.activation)

    def score(self, body: Tensor, entity: str) -> Tensor:
        x = self.norm(body, entity)
        mark = self.mark[entity].expand(len(body), -1)
        extra = self.auxiliary(torch.cat([mark, x], 1))
        for layer, act in zip(self.layers, self.acts, strict=False):
            x = act(layer(x, entity))
        return (self.layers[-1](x, entity) + extra).squeeze(1)
