"""MKT: Effective Two-Stage Knowledge Transfer for Multi-Entity Cross-Domain Recommendation (arXiv 2402.19101).

Stage 1 trains one model (``MEM``) on the rows of all entities, whose own fields differ. Stage 2 freezes it and adds
what it knows of user, histories, shared fields and their interaction, each through a gate, to the target entity's model
(``TEM``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from recommend.config import ModelConfig, Sizes
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, read_table
from recommend.data.ragged import Batch, Column, select_batch
from recommend.features.entities import ENTITY, POST, Facts, entity_map
from recommend.features.feature_map import FeatureMap
from recommend.layers.embedding import Tables
from recommend.layers.mlp import MLP
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN
from recommend.models.baselines.multi_entity import SHARED, EntityExperts, MultiEntity, entities, part_of, tables_of
from recommend.models.run_config import RunConfig
from recommend.models.training_log import Train, TrainingLog

WEIGHT = 0.1  # gamma, of the polarised loss
STAGE = "stage1"  # folder of the first stage's checkpoint


class Aligned(nn.Module):
    """HFA (eq. 3-8): an entity's own fields, however many, to a vector of a width that all entities share.

    Args:
        fields: number of the entity's own fields, each of ``width``.
        out: width of the result.
    """

    def __init__(self, fields: int, width: int, out: int, layers: int = 2) -> None:
        super().__init__()
        size = fields * width
        self.fields = fields
        self.cross = nn.ModuleList(nn.Linear(size, 1, bias=False) for _ in range(layers))
        self.shift = nn.ParameterList(nn.Parameter(torch.zeros(size)) for _ in range(layers))
        self.implicit = nn.Linear(size, size)
        self.score = nn.Linear(2 * size, fields)
        self.out = nn.Linear(size, out)

    def importance(self, first: Tensor) -> Tensor:
        """(n, fields) weights between 0 and 2 from explicit and implicit products of the (n, fields * width) fields."""
        x = first
        # Eq. 4 in the form of DCN, which is cited there; as printed, ``x_l`` and ``x_0`` change places.
        for weigh, shift in zip(self.cross, self.shift, strict=True):
            x = first * weigh(x) + shift + x
        implicit = functional.relu(self.implicit(first))  # eq. 5
        return 2 * self.score(torch.cat([x, implicit], 1)).sigmoid()  # eq. 6

    def forward(self, specific: Tensor) -> Tensor:
        """(n, fields * width) to (n, out)."""
        weighed = specific.unflatten(1, (self.fields, -1)) * self.importance(specific)[:, :, None]  # eq. 7-8
        return functional.relu(self.out(weighed.flatten(1)))


class Gate(nn.Module):
    """GLU (for eq. 14): ``(W_1 x + b_1) * sigmoid(W_2 x + b_2)``: what of the transferred vector is let through."""

    def __init__(self, inputs: int, out: int) -> None:
        super().__init__()
        self.both = nn.Linear(inputs, 2 * out)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) to (n, out)."""
        return functional.glu(self.both(x), 1)


@dataclass(frozen=True)
class Knowledge:
    """Tensors that stage 1 hands to stage 2, all (rows, width): user, histories, shared fields, and ``g_com``."""

    user: Tensor
    past: Tensor
    shared: Tensor
    common: Tensor


class MEM(MultiEntity):
    """The multi-entity model of stage 1.

    ``config.experts`` experts, one of them an entity's own; experts and independent extractors take all widths but the
    last of ``config.mlp``, towers the last.

    Args:
        features: target fields with their group; the last entity is the one to which is transferred.
    """

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        common = part_of(features, (SHARED,))
        super().__init__(common, tables_of(common.features, sizes), config, entities(features))
        c, names = config, self.names
        fields = {n: [f for f in features.role("target") if f.group == n] for n in names}
        self.specific = {n: [(f.vocabulary, f.column) for f in members] for n, members in fields.items()}
        self.tables = nn.ModuleDict({n: Tables(tables_of(tuple(fields[n]), sizes), c) for n in names})
        width = c.mlp[0]
        self.align = nn.ModuleDict({n: Aligned(len(fields[n]), c.embedding, width) for n in names})
        self.extract = EntityExperts(self.body_width + width, names, max(c.experts - 1, 1), 1, c.mlp[:-1], c.activation)
        whole = {n: self.body_width + len(fields[n]) * c.embedding for n in names}
        self.independent = nn.ModuleDict({n: MLP(whole[n], c.mlp[:-1], 0, c.activation) for n in names})
        self.towers = nn.ModuleDict({n: MLP(2 * self.extract.width, c.mlp[-1:], 1, c.activation) for n in names})

    @property
    def target(self) -> str:
        """The entity to which is transferred."""
        return self.names[-1]

    def specific_fields(self, batch: Batch, entity: str, index: Tensor) -> Tensor:
        """(n, fields * width) embeddings of the entity's own fields in its rows."""
        return torch.cat(
            [self.tables[entity](table, label(batch, column)[index]) for table, column in self.specific[entity]], 1
        )

    def common(self, body: Tensor, specific: Tensor, entity: str) -> Tensor:
        """(n, width): ``g_com = f_CKE(q)`` (eq. 9).

        Eq. 8 has the shared and the aligned fields in ``q``; user and histories stand there too, since no interaction
        with them could be transferred otherwise.
        """
        return self.extract(torch.cat([body, self.align[entity](specific)], 1), entity)

    def forward(self, batch: Batch) -> Logits:
        body = self.norm(self.body(self.inputs(batch)))
        logit, turned = body.new_zeros(len(body)), body.new_zeros(())
        for name, index in self.rows(batch):
            x, specific = body[index], self.specific_fields(batch, name, index)
            common = self.common(x, specific, name)
            alone = self.independent[name](torch.cat([x, specific], 1))  # eq. 10
            # The tower reads both, or else only the polarised loss would train the independent extractor.
            score = self.towers[name](torch.cat([common, alone], 1)).squeeze(1)
            logit = logit.index_copy(0, index, score)
            # An entity's part of the polarised loss (eq. 11-12).
            turned = turned + functional.cosine_similarity(common, alone, dim=1).mean()
        task = self.features.labels[0]
        return {task: logit, "polarity": turned} if self.training else {task: logit}

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """``CE_s + CE_t + gamma L_pdl`` (eq. 13, but with means for sums, so that gamma does not hang on the batch)."""
        return super().loss(logits, batch) + WEIGHT * logits.get("polarity", torch.zeros(()))

    def knowledge(self, batch: Batch) -> Knowledge:
        """Knowledge of rows that are all of the target entity; nothing of the other entities is read."""
        x = self.inputs(batch)
        body = self.body(x)
        everything = torch.arange(body.shape[0], device=body.device)
        user, shared, past = body.split([x.context.shape[1], x.target.shape[1], self.past_width], 1)
        specific = self.specific_fields(batch, self.target, everything)
        return Knowledge(user, past, shared, self.common(self.norm(body), specific, self.target))

    @property
    def past_width(self) -> int:
        """Width of the attended histories."""
        return sum(self.inputs.history_widths.values())


class TEM(DIN):
    """The target entity's model of stage 2: its own DIN, to whose parts the gated knowledge of the frozen MEM is added.

    With gates that give 0 it is that DIN. Trained and served on rows of the target entity only.

    Args:
        features: the whole map; the target entity's fields are taken from it.
        mem: trained; frozen here.
        inherit: begin with MEM's tables and attention (ours, not the paper's) instead of fresh ones.
    """

    def __init__(
        self,
        features: FeatureMap,
        sizes: Mapping[str, int],
        config: ModelConfig,
        mem: MEM,
        inherit: bool = False,
    ) -> None:
        specific = part_of(features, (SHARED, mem.target))
        super().__init__(specific, tables_of(specific.features, sizes), config)
        mem.zero_grad()  # what stage 1 left would be kept in memory for nothing
        self.mem = mem.requires_grad_(False)
        i, teacher = self.inputs, mem.inputs
        # The gates come last, so that all before them is drawn as in a DIN of the same seed.
        self.user = Gate(teacher.context_width, i.context_width)
        self.past = Gate(mem.past_width, sum(i.history_widths.values()))
        self.shared = Gate(teacher.target_width, teacher.target_width)
        linear = [n for n, layer in enumerate(self.top.layers) if isinstance(layer, nn.Linear)]
        self.cut = linear[-2]  # g_cross: where MEM's experts end as well
        self.cross = Gate(mem.extract.width, config.mlp[-2])
        if inherit:
            self._inherit()
        self.train(self.training)

    def _inherit(self) -> None:
        """Take over copies of what MEM has learned of ids, and of what in a history matters to a candidate."""
        self.attention.load_state_dict(self.mem.attention.state_dict())
        own = cast(Tables, self.mem.tables[self.mem.target])
        for tables in (self.mem.inputs.tables, own):
            for name, table in tables.tables.items():
                if name in self.inputs.tables.tables:
                    self.inputs.tables.tables[name].load_state_dict(table.state_dict())

    def train(self, mode: bool = True) -> Self:
        """MEM stays in evaluation mode: running statistics must not move either."""
        super().train(mode)
        self.mem.eval()
        return self

    def forward(self, batch: Batch) -> Logits:
        with torch.no_grad():
            knowledge = self.mem.knowledge(batch)
        x = self.inputs(batch)
        interests = [attend(x.matched[group], x.histories[group]) for group, attend in self.attention.items()]
        shared, specific = x.target.tensor_split([knowledge.shared.shape[1]], 1)
        user = x.context + self.user(knowledge.user)
        past = torch.cat(interests, 1) + self.past(knowledge.past)
        crossed = self.top.layers[: self.cut](
            torch.cat([user, shared + self.shared(knowledge.shared), specific, past], 1)
        )
        out = self.top.layers[self.cut :](crossed + self.cross(knowledge.common))  # eq. 15
        return {self.features.labels[0]: out[:, 0]}


class MKT(TEM):
    """Both stages in one model: ``mem`` is trained first, then frozen, and the rest on rows of the target entity."""

    class Config(ModelConfig):
        """Experts and extractors take all widths but the last two, which are the towers'."""

        mlp: Sizes = (64, 32, 16)
        activation: str = "relu"
        experts: PositiveInt = 3

    only = ENTITY
    needs = ("impression.post_id", "item.seller_id", "post.author_id", "user.city")

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        specific: ModelConfig = self.configured(config)
        super().__init__(features, sizes, specific, MEM(features, sizes, specific))
        self.features = features  # of both entities: what is read of a log

    @classmethod
    def reads(cls, usual: FeatureMap, run: RunConfig) -> FeatureMap:
        """Fields of things, of posts and of both, and a history of each."""
        return entity_map(content=run.content, labels=run.labels)

    @classmethod
    def join(cls, log: Path, run: RunConfig) -> Callable[[Batch], dict[str, Column]]:
        """Adds what the log's tables say of posts, of people and of what was clicked."""
        return Facts(log, read_table(log, "impression", ["post_id", "category"])).join

    def first_stage(self, source: TrainingLog, out: Path, train: Train) -> None:
        """Train what is transferred on the rows of both entities; goes on with an interrupted first stage."""
        rows, _ = _both(source)
        mem = self.mem.requires_grad_(True)
        train(mem, MemoryStream(rows, source.run.train.batch_rows), source.run.train, folder=out / STAGE)
        mem.requires_grad_(False)
        mem.zero_grad()

    def stream(self, source: TrainingLog) -> MemoryStream:
        """The rows of posts, in their order."""
        rows, of_posts = _both(source)
        return MemoryStream(select_batch(rows, of_posts.nonzero().squeeze(1)), source.run.train.batch_rows)


def _both(source: TrainingLog) -> tuple[dict[str, Column], Tensor]:
    """The training days' rows, and which of them are posts.

    Raises:
        DataError: the log has rows of one entity alone.
    """
    rows = source.impressions()
    of_posts = label(rows, ENTITY) == POST
    if not bool(of_posts.any()) or bool(of_posts.all()):
        lacking = "posts" if not bool(of_posts.any()) else "things"
        raise DataError(
            f"nobody saw {lacking} on the days {source.days} in {source.log}; mkt learns from things and posts."
        )
    return rows, of_posts
