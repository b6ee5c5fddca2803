"""MSNet: MetaSplit, Meta-Split Network for Limited-Stock Product Recommendation (WWW 2024, arXiv 2403.06747).

The paper's equations were not at hand; those that are numbered here stand in docs/papers/msnet.md, with what was chosen
where the paper's summary leaves it open. A thing that nobody has seen has table row 0, ``e_0``, and gets its embedding
from its side information: ``e_0 * scale + shift``. Neither the candidate's user nor the page enters it, so that it is
computed once, when the thing is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.data.ragged import Batch, Ragged, ragged_of
from recommend.features.feature_map import FeatureMap
from recommend.layers.attention import attentions, mean_pool
from recommend.layers.id_embedding import Identity
from recommend.layers.inputs import Inputs
from recommend.layers.mlp import MLP
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, Ranker, label

FLAG = "single"  # the listing's attribute "offered with one piece": known at the request, never counted from the log
LIMITED_ROW = 2  # of the flag's table, whose rows are unknown, no, yes
AUX = "aux"


class Warm(nn.Module):
    """``e' = e * scale + shift`` with ``scale, shift = g(stop(e), side)`` (eq. 3-5).

    Both networks start near scale 1 and shift 0, where a converged ID may stay.

    Args:
        width: of the ID embedding.
        side: width of the side information.
        hidden: units of the hidden layer of either network.
    """

    def __init__(self, width: int, side: int, hidden: int, act: str) -> None:
        super().__init__()
        self.scale = MLP(width + side, (hidden,), width, act)
        self.shift = MLP(width + side, (hidden,), width, act)
        for network in (self.scale, self.shift):
            network.begin(0.01)

    def forward(self, identity: Tensor, side: Tensor) -> Tensor:
        """(n, width) embeddings of ``own`` (n, width) and ``side`` (n, side)."""
        # Only the copy that the networks read is stopped: the embedding itself goes on learning through the product.
        z = torch.cat([identity.detach(), side], 1)
        return identity * (1 + self.scale(z)) + self.shift(z)


@dataclass(frozen=True)
class State:
    """A batch as the top network reads it.

    Attributes:
        x: the inputs, with the warmed embedding where the candidate is limited.
        parts: of the history, ``limited``, ``deep`` and ``all`` of it, ragged (total, history width), warmed.
    """

    x: Inputs
    parts: dict[str, Ragged]


class MSNet(Ranker):
    """Two histories by stock type, each with its own encoder; limited IDs warmed; a loss that reaches what was sold.

    ``config.aux_weight = 0`` switches the auxiliary loss off. Data without the flag, or with one stock type only, count
    as limited throughout.
    """

    class Config(ModelConfig):
        """MSNet's own settings."""

        branch_length: PositiveInt = 50  # clicks kept of each stock type
        split: bool = True  # two histories by stock; otherwise one attention reads both (ours, not the paper's)
        warm_known: bool = True  # made IDs also of what training held; otherwise of unknown things alone (ours)
        aux_weight: NonNegativeFloat = 0.1  # of the auxiliary loss
        temperature: PositiveFloat = 0.2  # divides the cosines of the auxiliary loss
        meta_width: PositiveInt = 16  # hidden units of the meta networks

    stock = True

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        i = self.inputs
        self.identity = identity = Identity.find(features, i, "msnet")
        of_flag = {f.match: f.column for f in i.groups[identity.group]}.get(FLAG)
        self.flag = of_flag if of_flag is not None and sizes[FLAG] > LIMITED_ROW else None
        settings = self.config
        self.warm = Warm(identity.width, identity.side_width, settings.meta_width, settings.activation)
        width = i.history_widths[identity.group]
        self.encoders = attentions(dict.fromkeys(("limited", "deep") if settings.split else ("all",), width), config)
        self.nothing = nn.ParameterDict({kind: nn.Parameter(torch.zeros(width)) for kind in self.encoders})
        others = {g: w for g, w in i.history_widths.items() if g != identity.group}
        self.others = attentions(others, config)
        self.top = self.mlp(
            i.context_width + i.target_width + len(self.encoders) * (width + 1) + sum(others.values()),
            len(features.labels),
        )
        self.slope = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.tensor(-2.0))  # near the log-odds of a click, which Adam takes long to reach

    def is_limited(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(rows,) and (history entries,) masks: which candidates and which clicks are of limited things."""
        if self.flag is None:
            candidate, past = self.identity.in_vocabulary(batch)
            return torch.ones_like(candidate), torch.ones_like(past)
        return label(batch, FLAG) == LIMITED_ROW, ragged_of(batch[self.flag]).values == LIMITED_ROW

    def is_warmed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(rows,) and (history entries,) masks: which candidates and which clicks get a made embedding."""
        candidate, past = self.is_limited(batch)
        if self.config.warm_known:
            return candidate, past
        unknown = [~held for held in self.identity.in_vocabulary(batch)]
        if self.training:  # in which hardly any is: some are taken for unknown
            unknown = [u | (torch.rand(len(u), device=u.device) < self.inputs.unknown_ids) for u in unknown]
        return candidate & unknown[0], past & unknown[1]

    def made(self, vectors: Tensor) -> Tensor:
        """(n, width) IDs made of matched or history vectors; of row 0, which all unknown ones share, where known ones
        stay as they are."""
        identity, side = self.identity.parts(vectors)
        if not self.config.warm_known:
            identity = self.inputs.tables(self.identity.table, identity.new_zeros(1, dtype=torch.int64)).expand_as(
                identity
            )
        return self.warm(identity, side)

    def state(self, batch: Batch) -> State:
        """Warm what is limited, split the history (eq. 1), cut each part on its own."""
        x, place = self.inputs(batch), self.identity
        history = x.histories[place.group]
        candidate, past = self.is_warmed(batch)
        made = place.put(history.values, self.made(history.values))
        history = history.with_values(torch.where(past[:, None], made, history.values))
        vectors = x.matched[place.group]
        identity = torch.where(candidate[:, None], self.made(vectors), place.parts(vectors)[0])
        x = place.candidate(x, identity)
        limited = self.is_limited(batch)[1]
        parts = {"limited": history.keep(limited), "deep": history.keep(~limited), "all": history}
        return State(x, {kind: part.last(self.config.branch_length) for kind, part in parts.items()})

    def interest(self, kind: str, query: Tensor, history: Ragged) -> Tensor:
        """(rows, width + 1): attention over one part of the history (eq. 2, 6) and whether there is one."""
        there = (history.lengths > 0)[:, None]
        vector = torch.where(there, self.encoders[kind](query, history), self.nothing[kind])
        return torch.cat([vector, there.to(vector.dtype)], 1)

    def forward(self, batch: Batch) -> Logits:
        """Logits by task (eq. 7); in training also ``aux``, whose loss applies to ``with_aux(batch)``."""
        s = self.state(batch)
        query = s.x.matched[self.identity.group]
        interests = [self.interest(kind, query, s.parts[kind]) for kind in self.encoders]
        interests += [attend(s.x.matched[g], s.x.histories[g]) for g, attend in self.others.items()]
        logits = self.by_task(self.top(torch.cat([s.x.context, s.x.target, *interests], 1)))
        if self.training and self.config.aux_weight:
            logits[AUX] = self.aux(s)
        return logits

    def aux(self, s: State) -> Tensor:
        """(rows,) logits that see nothing but the limited history's mean and the candidate (eq. 8)."""
        past, _ = self.identity.parts(mean_pool(s.parts["limited"]))
        identity, _ = self.identity.parts(s.x.matched[self.identity.group])
        return self.slope * functional.cosine_similarity(past, identity, dim=1) / self.config.temperature + self.bias

    def with_aux(self, batch: Batch) -> Tensor:
        """(rows,) 1 where candidate and some of the history are limited: no deep ID learns from the auxiliary loss."""
        candidate, past = self.is_limited(batch)
        return (candidate & (ragged_of(batch[self.identity.past]).keep(past).lengths > 0)).float()

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """Cross-entropies, and ``aux_weight`` times the auxiliary one (eq. 9) where the logits hold it.

        It needs the rows that were not clicked as well: clicks alone would pull all embeddings into one direction.
        """
        total = super().loss(logits, batch)
        if AUX not in logits:
            return total
        return total + self.config.aux_weight * bce(
            logits[AUX], label(batch, self.features.labels[0]), self.with_aux(batch)
        )
