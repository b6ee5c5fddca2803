"""ESMM: Entire Space Multi-Task Model (SIGIR 2018, arXiv 1804.07931)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from recommend.config import ConfigError, ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.losses.pointwise import bce, bce_of_product
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN


class ESMM(DIN):
    """Two towers on shared embeddings: pCTR, and pCVR that is trained only through pCTCVR = pCTR * pCVR on all rows.

    ``features.labels`` are (click, conversion). ``predict`` gives both, the conversion being *after a click*, and
    ``ctcvr``, their product.
    """

    usual = ("click", "order")

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        if len(features.labels) != 2:
            raise ConfigError("esmm needs two labels: the click and the conversion.")
        self.top = self.mlp(self.body_width)
        self.conversion = self.mlp(self.body_width)

    def forward(self, batch: Batch) -> Logits:
        body = self.body(self.inputs(batch))
        click, conversion = self.features.labels
        return {click: self.top(body).squeeze(1), conversion: self.conversion(body).squeeze(1)}

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        click, conversion = self.features.labels
        return bce(logits[click], label(batch, click)) + bce_of_product(
            logits[click], logits[conversion], label(batch, conversion)
        )

    def measured(self) -> dict[str, tuple[str, str | None]]:
        click, conversion = self.features.labels
        return {click: (click, None), conversion: (conversion, click), "ctcvr": (conversion, None)}

    def predicted(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities of click, of conversion after a click, and of both (``ctcvr``)."""
        p = super().predicted(batch)
        click, conversion = self.features.labels
        return {**p, "ctcvr": p[click] * p[conversion]}
