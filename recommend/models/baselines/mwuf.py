"""MWUF: Learning to Warm Up Cold Item Embeddings with Meta Scaling and Shifting Networks (SIGIR 2021,
arXiv 2105.04790), on DIN."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import PositiveInt
from torch import Tensor

from recommend.config import ConfigError, ModelConfig
from recommend.data.ragged import Batch
from recommend.features.feature_map import FeatureMap
from recommend.layers.id_embedding import Identity, alone
from recommend.layers.inputs import Inputs
from recommend.layers.mlp import MLP
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN


class MWUF(DIN):
    """A cold thing's ID embedding is scaled by its side information and shifted by the people who clicked it (eq. 5-7).

    Cold is what was shown fewer than ``config.cold_count`` times in training. The table's row of a thing starts at the
    mean of those that are not cold when it is first shown. The meta networks' loss reaches nothing but themselves; they
    learn in the same pass as DIN, where the paper trains DIN before. The people's mean is a running one, of their
    embeddings when they clicked; where nobody has, the mean of all people stands in. For one process.
    """

    shown: Tensor
    clicked: Tensor
    people: Tensor

    class Config(ModelConfig):
        """MWUF's own settings."""

        meta_width: PositiveInt = 16  # hidden units of the meta networks
        cold_count: PositiveInt = 20  # things shown less often in training are cold

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        self.identity = place = Identity.find(features, self.inputs, "mwuf")
        user = [f for f in features.role("context", "id") if f.column == features.group]
        if not user:
            raise ConfigError(f"mwuf needs the id '{features.group}' among the context features.")
        self.user = user[0]
        hidden = (self.config.meta_width,)
        self.scale = MLP(place.side_width, hidden, place.width, config.activation)
        self.shift = MLP(place.width, hidden, place.width, config.activation)
        for network in (self.scale, self.shift):
            network.begin(0.01)
        size = sizes[place.table]
        self.register_buffer("shown", torch.zeros(size))
        self.register_buffer("clicked", torch.zeros(size))
        self.register_buffer("people", torch.zeros(size, place.width))

    def warmed(self, x: Inputs, rows: Tensor) -> Tensor:
        """(rows, width): ``e * scale(side) + shift(people)``; inputs are stopped, as DIN has learned them."""
        identity, side = (part.detach() for part in self.identity.parts(x.matched[self.identity.group]))
        clicked = self.clicked[rows][:, None]
        everybody = self._table(self.user.vocabulary).mean(0)
        people = torch.where(clicked > 0, self.people[rows] / clicked.clamp(min=1), everybody)
        return identity * (1 + self.scale(side)) + self.shift(people)

    def _table(self, name: str) -> Tensor:
        weight = self.inputs.tables.tables[name].weight
        assert isinstance(weight, Tensor)
        return weight.detach()

    def forward(self, batch: Batch) -> Logits:
        rows = self.identity.rows(batch)
        if self.training:
            self._start(rows)
        x = self.inputs(batch)
        if not self.training:
            identity, _ = self.identity.parts(x.matched[self.identity.group])
            cold = ((self.shown[rows] < self.config.cold_count) | (rows == 0))[:, None]
            x = self.identity.candidate(x, torch.where(cold, self.warmed(x, rows), identity))
        return self.logits(x)

    @torch.no_grad()
    def _start(self, rows: Tensor) -> None:
        new, warm = rows[self.shown[rows] == 0], self.shown >= self.config.cold_count
        warm[0] = False
        table = self._table(self.identity.table)
        if len(new) and bool(warm.any()):
            table[new] = table[warm].mean(0)

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """DIN's loss, and that of the warmed embeddings, of which nothing reaches DIN's weights."""
        base = super().loss(logits, batch)
        if not self.training or not torch.is_grad_enabled():
            return base
        rows, x, name = self.identity.rows(batch), self.inputs(batch), self.features.labels[0]
        weights = [*self.scale.parameters(), *self.shift.parameters()]
        warm = bce(self.logits(self.identity.candidate(x, self.warmed(x, rows)))[name], label(batch, name))
        warm = alone(warm, weights)
        self._count(batch, rows)
        return base + warm

    @torch.no_grad()
    def _count(self, batch: Batch, rows: Tensor) -> None:
        self.shown.index_add_(0, rows, torch.ones(len(rows)))
        click = label(batch, self.features.labels[0]).bool()
        self.clicked.index_add_(0, rows[click], torch.ones(int(click.sum())))
        user = label(batch, self.user.column)[click]
        self.people.index_add_(0, rows[click], self._table(self.user.vocabulary)[user])
