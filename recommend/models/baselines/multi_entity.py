"""Joint models of several entities with schemas of their own: MMoE (KDD 2018); a task for each.

A row belongs to one entity, so an entity's gate, tower and own experts compute only its rows. In the feature map a
target field's ``group`` says whose it is: ``shared``, or the name of the entity that has it. Joint models read the
union of the fields; a field that an entity lacks is "unknown" in its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from recommend.config import ConfigError, ModelConfig
from recommend.data.ragged import Batch
from recommend.features.entities import ENTITY, SHARED
from recommend.features.feature_map import Feature, FeatureMap
from recommend.layers.mlp import MLP
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN


def entities(features: FeatureMap) -> list[str]:
    """Names of the entities: the groups of the target fields but ``shared``, in their order."""
    groups = list(dict.fromkeys(f.group for f in features.role("target")))
    return [g for g in groups if g != SHARED]


def part_of(features: FeatureMap, groups: tuple[str, ...]) -> FeatureMap:
    """The map with the target fields of some groups only, ``shared`` first; all else stays."""
    fields = [f for group in groups for f in features.role("target") if f.group == group]
    others = [f for f in features.features if f.role not in ("target", "raw")]
    return features.model_copy(update={"features": (*others, *fields)})


def tables_of(features: tuple[Feature, ...], sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes of the tables that these features need."""
    return {f.vocabulary: sizes[f.vocabulary] for f in features if f.kind == "id" and f.role != "raw"}


def mix(experts: Sequence[Tensor], gate: Tensor) -> Tensor:
    """Softmax-gated sum: experts (n, w) each, gate (n, len(experts)), result (n, w)."""
    return torch.einsum("new,ne->nw", torch.stack(list(experts), 1), gate.softmax(1))


class EntityExperts(nn.Module):
    """One extraction layer of PLE, by entity; without own experts it is MMoE.

    Args:
        shared, own: number of experts of all entities, and of each.
        widths: of an expert's layers; the last is the width of the result.
    """

    def __init__(
        self, inputs: int, names: Sequence[str], shared: int, specific: int, widths: Sequence[int], act: str = "relu"
    ) -> None:
        super().__init__()
        self.shared = nn.ModuleList(MLP(inputs, widths, 0, act) for _ in range(shared))
        self.own = nn.ModuleDict(
            {n: nn.ModuleList(MLP(inputs, widths, 0, act) for _ in range(specific)) for n in names}
        )
        self.gates = nn.ModuleDict({n: nn.Linear(inputs, shared + specific, bias=False) for n in names})
        self.width = widths[-1]

    def forward(self, x: Tensor, entity: str) -> Tensor:
        """(n, inputs) rows of one entity to (n, width)."""
        experts = [*cast(nn.ModuleList, self.own[entity]), *self.shared]
        return mix([expert(x) for expert in experts], self.gates[entity](x))


class MultiEntity(DIN):
    """DIN's inputs, then a part of each entity's own; subclasses say ``score``.

    The loss is the sum of the entities' mean cross-entropies: each entity weighs the same, however many rows it has.

    Args:
        names: the entities; by default those of the feature map.

    Attributes:
        column: the raw column that numbers a row's entity.
    """

    column = ENTITY

    def __init__(
        self,
        features: FeatureMap,
        sizes: Mapping[str, int],
        config: ModelConfig,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__(features, sizes, config)
        del self.top
        self.names = list(names) or entities(features)
        if len(self.names) < 2 or len(features.labels) != 1:
            raise ConfigError("a multi-entity model needs target fields of two entities (their group) and one label.")
        if len(config.mlp) < 2:
            raise ConfigError("a multi-entity model needs two widths in 'mlp': the experts' and the towers'.")
        self.norm = nn.LayerNorm(self.body_width) if config.layer_norm else nn.Identity()

    def start_at(self, rates: Mapping[str, float]) -> None:
        for tower in cast(nn.ModuleDict, self.towers).values():
            cast(MLP, tower).start_at([rates[self.features.labels[0]]])

    def rows(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The entities that a batch holds, each with the numbers of its rows."""
        of_row = label(batch, self.column)
        for number, name in enumerate(self.names):
            index = (of_row == number).nonzero()[:, 0]
            if len(index):
                yield name, index

    def score(self, body: Tensor, entity: str) -> Tensor:
        """(n,) logits of rows of one entity, of their (n, body_width)."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Logits:
        body = self.norm(self.body(self.inputs(batch)))
        logit = body.new_zeros(len(body))
        for name, index in self.rows(batch):
            logit = logit.index_copy(0, index, self.score(body[index], name))
        return {self.features.labels[0]: logit}

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        task = self.features.labels[0]
        y = label(batch, task)
        return torch.stack([bce(logits[task][i], y[i]) for _, i in self.rows(batch)]).sum()
