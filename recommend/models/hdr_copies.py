"""HDR's copies of the conversion models that serve: the model as it is, with a TransBlock on its conversion.

A copy has the weights of its model under the same names, and those of the block beside them; with a fresh block it is
its model to the digit.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recommend.config import ConfigError, ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.mlp import MLP
from recommend.models.base import Logits
from recommend.models.baselines.esmm import ESMM
from recommend.models.ecad import ECAD
from recommend.models.hdr import TransBlock


class Blocked(MLP):
    """A tower of one logit whose probability goes through a block that reads the tower's last hidden layer."""

    def __init__(self, tower: MLP) -> None:
        nn.Module.__init__(self)  # the layers are the tower's own
        self.width = tower.width
        last = tower.layers[-1]
        if not isinstance(last, nn.Linear) or len(tower.layers) < 2:
            raise ConfigError("a promotion's copy needs a conversion model with a hidden layer.")
        self.layers = tower.layers
        self.block = TransBlock(last.in_features)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) to (n, 1) logits."""
        hidden = self.layers[:-1](x)
        p = self.layers[-1](hidden).squeeze(1).float().sigmoid()
        return torch.logit(self.block(hidden.float(), p), 1e-7)[:, None]


class ESMMCopy(ESMM):
    """ESMM with a block on the conversion after a click."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        self.conversion = Blocked(self.conversion)
        self.converted = (features.labels[1], features.labels[1])

    @property
    def block(self) -> TransBlock:
        """The weights that move the conversion."""
        assert isinstance(self.conversion, Blocked)
        return self.conversion.block


class ECADCopy(ECAD):
    """ECAD with a block on the order, whatever windows it is summed over; refunds after an order stay as they are."""

    MOVED = "moved"  # logit of the order behind the block

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        self.block = TransBlock(self.top.width)
        self.converted = (self.MOVED, features.labels[0])

    def forward(self, batch: Batch) -> Logits:
        bottom = self.top(self.body(self.inputs(batch)))
        logits = {name: tower(bottom).squeeze(1) for name, tower in self.towers.items()}
        p = ECAD.probabilities(self, {name: value.float() for name, value in logits.items()})[self.converted[1]]
        return {**logits, self.MOVED: torch.logit(self.block(bottom.float(), p), 1e-7)}

    def probabilities(self, logits: Logits) -> dict[str, Tensor]:
        """As the model's, from the order behind the block."""
        rfr, order = super().probabilities(logits)["rfr"], logits[self.MOVED].sigmoid()
        of_order, of_refund = self.features.labels
        return {of_order: order, of_refund: order * rfr, "rfr": rfr, "ecvr": order * (1 - rfr)}
