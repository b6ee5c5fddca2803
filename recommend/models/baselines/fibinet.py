"""FiBiNET: Combining Feature Importance and Bilinear Feature Interaction for CTR Prediction (arXiv 1905.09433).

Numbers, vectors and pooled histories are projected to the width of an embedding, so that each is a field
beside the ids.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.models.base import Logits
from recommend.models.baselines.din import DIN


class Squeeze(nn.Module):
    """SENET: a weight for each field from the fields' means (eq. 2-4, reduction ratio 3)."""

    def __init__(self, fields: int) -> None:
        super().__init__()
        hidden = max(fields // 3, 1)
        self.weigh = nn.Sequential(
            nn.Linear(fields, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, fields, bias=False), nn.ReLU()
        )

    def forward(self, fields: Tensor) -> Tensor:
        """(n, fields, width), reweighed."""
        return fields * self.weigh(fields.mean(2))[:, :, None]


class Bilinear(nn.Module):
    """``(v_i W) * v_j`` of all pairs i < j, one W for all ("field-all", eq. 5)."""

    first: Tensor
    second: Tensor

    def __init__(self, fields: int, width: int) -> None:
        super().__init__()
        self.left = nn.Linear(width, width, bias=False)
        first, second = torch.triu_indices(fields, fields, 1)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)

    def forward(self, fields: Tensor) -> Tensor:
        """(n, fields, width) to (n, pairs * width)."""
        return (self.left(fields)[:, self.first] * fields[:, self.second]).flatten(1)


class FiBiNET(DIN):
    """Bilinear products of the fields, plain and reweighed, beside DIN's body, then the MLP."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        width = config.embedding
        columns = [*features.role("context"), *features.role("target")]
        self.widths = [width if f.kind == "id" else f.size for f in columns] + list(self.inputs.history_widths.values())
        ids = [f.kind == "id" for f in columns] + [False] * len(self.inputs.history_widths)
        self.project = nn.ModuleList(
            nn.Identity() if is_id else nn.Linear(w, width) for w, is_id in zip(self.widths, ids, strict=True)
        )
        fields = len(self.widths)
        self.squeeze = Squeeze(fields)
        self.bilinear = nn.ModuleList(Bilinear(fields, width) for _ in range(2))
        self.top = self.mlp(self.body_width + fields * (fields - 1) * width, len(features.labels))

    def forward(self, batch: Batch) -> Logits:
        body = self.body(self.inputs(batch))
        parts = body.split(self.widths, 1)
        fields = torch.stack([p(part) for p, part in zip(self.project, parts, strict=True)], 1)
        products = [pair(x) for pair, x in zip(self.bilinear, (fields, self.squeeze(fields)), strict=True)]
        return self.by_task(self.top(torch.cat([body, *products], 1)))
