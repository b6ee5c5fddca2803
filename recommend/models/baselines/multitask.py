"""MMoE (KDD 2018) and PLE (RecSys 2020): several tasks, shared and own experts, on DIN's inputs."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.experts import PLE as Extraction
from recommend.layers.experts import MMoE as Mixture
from recommend.layers.mlp import MLP
from recommend.models.base import Logits
from recommend.models.baselines.din import DIN


class MMoE(DIN):
    """Experts are shared; each task has its gate and its tower. Experts take all widths but the last of ``mlp``."""

    usual = ("click", "order")

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        widths = config.mlp[:-1] or config.mlp
        del self.top
        self.experts = self._experts(widths)
        self.towers = nn.ModuleList(MLP(widths[-1], config.mlp[-1:], 1, config.activation) for _ in range(self.tasks))

    @property
    def tasks(self) -> int:
        """The number of towers."""
        return len(self.features.labels)

    def _experts(self, widths: tuple[int, ...]) -> nn.Module:
        c = self.config
        return Mixture(self.body_width, self.tasks, c.experts, widths, c.activation)

    def scores(self, batch: Batch) -> list[Tensor]:
        """(rows,) logit of each tower."""
        parts = self.experts(self.body(self.inputs(batch)))
        return [tower(part).squeeze(1) for tower, part in zip(self.towers, parts, strict=True)]

    def forward(self, batch: Batch) -> Logits:
        return dict(zip(self.features.labels, self.scores(batch), strict=True))


class PLE(MMoE):
    """Experts are shared or a task's own, in ``config.layers`` layers; half of ``config.experts`` each."""

    def _experts(self, widths: tuple[int, ...]) -> nn.Module:
        c = self.config
        specific = max(c.experts // 2, 1)
        return Extraction(self.body_width, self.tasks, specific, widths, c.layers, c.activation)
