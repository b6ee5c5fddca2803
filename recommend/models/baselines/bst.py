"""BST: Behavior Sequence Transformer for E-commerce Recommendation in Alibaba (2019, arXiv 1905.06874)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recommend.config import ConfigError, ModelConfig
from recommend.data.ragged import Batch, Ragged
from recommend.features.feature_map import FeatureMap
from recommend.models.base import Logits, Ranker

PLACES_STD = 0.02  # as of BERT's positions


class BST(Ranker):
    """The target is the last element of its own history; a transformer mixes them, an MLP reads the target's place.

    Distance to the target stands in for the paper's time difference as position, so that the end of a
    history, not its start, lines up across users.
    """

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        i = self.inputs
        if not i.history_widths:
            raise ConfigError("bst needs a history feature.")
        self.longest = longest = {g: max(f.max_length for f in members) + 1 for g, members in i.groups.items()}
        for group, width in i.history_widths.items():
            if width % config.heads:
                raise ConfigError(f"bst: {config.heads} heads do not divide the width {width} of '{group}'.")
        self.places = nn.ModuleDict({g: nn.Embedding(longest[g], w) for g, w in i.history_widths.items()})
        for weight in self.places.parameters():  # N(0, 1) would drown vectors that start ten times as small
            nn.init.normal_(weight, std=PLACES_STD)
        self.mixers = nn.ModuleDict({g: self._mixer(w) for g, w in i.history_widths.items()})
        self.top = self.mlp(self.body_width, len(features.labels))

    def _mixer(self, width: int) -> nn.TransformerEncoder:
        c = self.config
        layer = nn.TransformerEncoderLayer(width, c.heads, 4 * width, c.dropout, batch_first=True, norm_first=True)
        return nn.TransformerEncoder(layer, c.layers, enable_nested_tensor=False)

    def forward(self, batch: Batch) -> Logits:
        x = self.inputs(batch)
        mixed = [self._mixed(g, x.matched[g], history) for g, history in x.histories.items()]
        return self.by_task(self.top(torch.cat([x.context, x.target, *mixed], 1)))

    def _mixed(self, group: str, target: Tensor, history: Ragged) -> Tensor:
        # An exported program has the longest history's size, since no size in it may depend on the data.
        longest = self.longest[group] - 1 if torch.compiler.is_exporting() else None
        values, mask = history.padded(longest)
        sequence = torch.cat([target[:, None], values], 1)
        distance = torch.where(
            mask, history.lengths[:, None] - torch.arange(mask.shape[1], device=mask.device)[None, :], 0
        )
        places = self.places[group](torch.cat([torch.zeros_like(distance[:, :1]), distance], 1))
        ignored = torch.cat([torch.zeros_like(mask[:, :1]), ~mask], 1)
        return self.mixers[group](sequence + places, src_key_padding_mask=ignored)[:, 0]
