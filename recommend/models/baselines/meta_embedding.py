"""MetaEmbedding: Warm Up Cold-start Advertisements, Improving CTR Predictions via Learning to Learn ID Embeddings
(SIGIR 2019, arXiv 1904.11547), on DIN."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.data.ragged import Batch, Ragged, rows_of, slice_batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.id_embedding import Identity, alone
from recommend.layers.inputs import Inputs
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN

COLD_SHARE = 0.1  # alpha of eq. 12: the loss before the step against the one after it
STEP = 0.1  # of the one gradient step that stands for a thing's first samples (eq. 8)
SIZE = 0.2  # largest entry of a generated embedding


class MetaEmbedding(DIN):
    """A generator makes the ID embedding of a thing that was never shown from its side information (section 4).

    It is trained to predict well before and after one gradient step on the thing's first rows: a batch's first half is
    the cold minibatch, its second half the warm one. DIN itself learns as ever and does not see the generator's loss;
    both learn in the same pass, where the paper trains DIN before. A row of the table starts at its generated value
    when its thing is first shown. For one process.
    """

    shown: Tensor

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        self.identity = Identity.find(features, self.inputs, "meta_embedding")
        self.generator = nn.Sequential(nn.Linear(self.identity.side_width, self.identity.width, bias=False), nn.Tanh())
        self.register_buffer("shown", torch.zeros(self.identity.size(sizes), dtype=torch.bool))

    def generated(self, x: Inputs) -> Tensor:
        """(rows, width) embeddings from the side information, which stays as DIN has learned it."""
        _, side = self.identity.parts(x.matched[self.identity.group])
        return SIZE * self.generator(side.detach())

    def forward(self, batch: Batch) -> Logits:
        rows = self.identity.rows(batch)
        if self.training:
            self._start(batch, rows)
        x = self.inputs(batch)
        if not self.training:
            identity, _ = self.identity.parts(x.matched[self.identity.group])
            trained = (self.shown[rows] & (rows > 0))[:, None]
            x = self.identity.candidate(x, torch.where(trained, identity, self.generated(x)))
        return self.logits(x)

    @torch.no_grad()
    def _start(self, batch: Batch, rows: Tensor) -> None:
        new = ~self.shown[rows]
        if bool(new.any()):
            table = self.inputs.tables.tables[self.identity.table].weight
            assert isinstance(table, Tensor)
            table[rows[new]] = self.generated(self.inputs(batch))[new].to(table.dtype)
            self.shown[rows] = True

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """DIN's loss, and the generator's, of which nothing reaches DIN's weights."""
        base = super().loss(logits, batch)
        if not self.training or not torch.is_grad_enabled() or rows_of(batch) < 2:
            return base
        return base + alone(self.meta(batch), list(self.generator.parameters()))

    def meta(self, batch: Batch) -> Tensor:
        """``alpha l_a + (1 - alpha) l_b`` (eq. 12) with ``phi' = phi - STEP dl_a/dphi`` (eq. 8)."""
        half = rows_of(batch) // 2
        (cold, first), (warm, second) = (
            self._generated_half(batch, *ends) for ends in ((0, half), (half, rows_of(batch)))
        )
        name, place = self.features.labels[0], self.identity
        cold_loss = bce(self.logits(place.candidate(cold[0], first))[name], label(cold[1], name))
        (gradient,) = torch.autograd.grad(cold_loss, first, create_graph=True)
        # A thing's rows share its embedding, so its gradient is the sum over them (the mean loss times the rows).
        table = torch.zeros(len(self.shown), place.width, dtype=gradient.dtype)
        total = table.index_add(0, place.rows(cold[1]), gradient * half)
        stepped = second - STEP * total[place.rows(warm[1])]
        warm_loss = bce(self.logits(place.candidate(warm[0], stepped))[name], label(warm[1], name))
        return COLD_SHARE * cold_loss + (1 - COLD_SHARE) * warm_loss

    def _generated_half(
        self, batch: Batch, start: int, stop: int
    ) -> tuple[tuple[Inputs, dict[str, Tensor | Ragged]], Tensor]:
        part = slice_batch(batch, start, stop)
        x = self.inputs(part)
        return (x, part), self.generated(x)
