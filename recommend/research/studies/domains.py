"""Several domains in one model, all of it trained by the rows of all: MMoE, PLE and STAR with a tower a domain.

A row's domain is the column ``system``, 0 (the default) or 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.activations import activation
from recommend.layers.mlp import MLP
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN
from recommend.models.baselines.multitask import PLE, MMoE

DOMAINS, SYSTEM = 2, "system"


def of_domain(scores: list[Tensor], batch: Batch) -> Tensor:
    """(rows,) the score of each row's own domain."""
    first, second = scores
    return torch.where(label(batch, SYSTEM) == 1, second, first) if SYSTEM in batch else first


class Domains(MMoE):
    """MMoE over domains instead of tasks: shared experts, a gate and a tower for each."""

    tasks = DOMAINS

    def forward(self, batch: Batch) -> Logits:
        return {self.features.labels[0]: of_domain(self.scores(batch), batch)}


class DomainPLE(PLE):
    """PLE over domains instead of tasks: each has experts of its own beside the shared ones."""

    tasks = DOMAINS

    def forward(self, batch: Batch) -> Logits:
        return {self.features.labels[0]: of_domain(self.scores(batch), batch)}


class STAR(DIN):
    """Star topology (Sheng et al., CIKM 2021, eq. 4-6): a domain's weights are its own times the shared ones, its
    biases their sum. Without partitioned normalisation and auxiliary network."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        towers = (MLP(self.body_width, config.mlp, 1, config.activation) for _ in range(DOMAINS))
        self.domain_top = nn.ModuleList(towers)
        for layer in (layer for top in self.domain_top for layer in top.modules()):
            if isinstance(layer, nn.Linear):  # both start as the shared network
                nn.init.ones_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.act = activation(config.activation, 1)

    def forward(self, batch: Batch) -> Logits:
        x = self.body(self.inputs(batch))
        return {self.features.labels[0]: of_domain([self._score(x, top) for top in self.domain_top], batch)}

    def _score(self, x: Tensor, top: nn.Module) -> Tensor:
        norm = self.top.layers[0]
        x = norm(x) if isinstance(norm, nn.LayerNorm) else x
        pairs = list(zip(_linear(self.top), _linear(top), strict=True))
        for place, (shared, domain) in enumerate(pairs):
            x = functional.linear(x, shared.weight * domain.weight, shared.bias + domain.bias)
            x = self.act(x) if place < len(pairs) - 1 else x
        return x.squeeze(1)


def _linear(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
