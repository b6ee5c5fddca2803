"""DropoutNet: Addressing Cold Start in Recommender Systems (NIPS 2017), its input dropout on DIN."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from recommend.config import ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.id_embedding import Identity
from recommend.layers.inputs import Inputs
from recommend.models.base import Logits
from recommend.models.baselines.din import DIN


class DropoutNet(DIN):
    """Rows drawn at random are trained without the IDs of candidate or history (section 4.2), so that the rest of the
    model learns to do without; an ID that training did not hold is without one at serving time.

    Without an ID means a vector of zeros. ``config.id_dropout`` is the share, drawn for candidate and history apart.
    The paper fits the outputs of a trained factor model; here, as in its later uses, the click is fitted itself.
    """

    class Config(ModelConfig):
        """DropoutNet's own setting."""

        id_dropout: float = 0.5  # share of rows that are trained without IDs

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        self.identity = Identity.find(features, self.inputs, "dropoutnet")

    def without(self, x: Inputs, batch: Batch) -> Inputs:
        """The inputs with zeros for the IDs that are unknown or (in training) dropped."""
        place = self.identity
        history = x.histories[place.group]
        candidate, past = place.in_vocabulary(batch)
        if self.training and self.config.id_dropout:
            remaining = torch.rand(2, len(candidate), device=candidate.device) >= self.config.id_dropout
            candidate, past = candidate & remaining[0], past & remaining[1].repeat_interleave(history.lengths)
        identity, _ = place.parts(x.matched[place.group])
        x = place.candidate(x, identity * candidate[:, None])
        mine, _ = place.parts(history.values)
        x.histories[place.group] = history.with_values(place.put(history.values, mine * past[:, None]))
        return x

    def forward(self, batch: Batch) -> Logits:
        return self.logits(self.without(self.inputs(batch), batch))
