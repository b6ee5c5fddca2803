"""KEEP: An Industrial Pre-Training Framework for Online Recommendation via Knowledge Extraction and Plugging
(CIKM 2022, arXiv 2208.10174).

``Extractor`` learns clicks, carts and orders from the impressions of all channels (the super-domain); what it knows is
computed once for every key and stored. ``KEEP`` is the ranker of one channel (the sub-domain), which looks that
knowledge up and adds it to its first hidden layer.

The paper's equations could not be had; these are numbered by us, and docs/papers/keep.md says which follow it:

    z_u = LN(f_u(u, behaviour)),  z_i = LN(f_i(item)),  z_uc = LN(f_uc(u, c, behaviour in c))        (1)
    y_k = sigmoid(w_k [z_u | z_i | z_uc | z_u * z_i | e_page] + b_k)                                 (2)
    L_pre = sum_k lambda_k BCE(y_k, label_k),  lambda_k = 1, all over all impressions                (3)
    k = stop_gradient([k_u | k_i | k_uc]),  looked up                                                (4)
    a_1 <- a_1 + [k known] MLP_plug(k),  the last layer of MLP_plug starts at 0                      (5)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.data.knowledge import KnowledgeStore, Snapshot
from recommend.data.ragged import Batch, Column, Ragged, array_of, ragged_of, tensor_of
from recommend.features.feature_map import Feature, FeatureMap
from recommend.layers.attention import mean_pool
from recommend.layers.mlp import MLP
from recommend.models.base import Logits, Ranker
from recommend.models.baselines.din import DIN
from recommend.models.run_config import RunConfig

KINDS = ("user", "item", "pair")  # of knowledge: by user, by item, by user and category
CATEGORY = "category"
PLUG_WIDTH = 128
PREFIX = "knowledge_"

READ = ("user_id", "item_id", CATEGORY, "time_ms")  # which keys a row has, and when


class Extractor(Ranker):
    """Three towers (eq. 1), each of which reads the fields of its own key and nothing else, so that it can be stored.

    The user is the feature map's ``group``; its other context features describe the page: they take part in the logit
    (eq. 2), lest a channel's habits be taken for taste, and are not part of the knowledge.
    """

    usual = ("click", "cart", "order")

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        context = features.role("context")
        self.of_user = [f for f in context if f.column == features.group]
        self.of_page = [f for f in context if f.column != features.group]
        self.of_item = features.role("target")
        self.past = features.role("history")
        of_user, of_item = self._widths(self.of_user) + self._widths(self.past), self._widths(self.of_item)
        self.user = self.mlp(of_user, config.tower)
        self.item = self.mlp(of_item, config.tower)
        self.pair = self.mlp(of_user + self._width(self._feature(CATEGORY)) + 1, config.tower)
        self.heads = nn.Linear(4 * config.tower + self._widths(self.of_page), len(features.labels))

    def user_vector(self, batch: Batch) -> Tensor:
        """(rows, tower) z_u of the user's columns: the id and the histories."""
        behaviour = mean_pool(self._behaviour(batch))
        return self._tower(self.user, [*self._embed(self.of_user, batch), behaviour])

    def item_vector(self, batch: Batch) -> Tensor:
        """(rows, tower) z_i of the target's columns."""
        return self._tower(self.item, self._embed(self.of_item, batch))

    def pair_vector(self, batch: Batch) -> Tensor:
        """(rows, tower) z_uc of the user's columns and the category: what the user did within it, and how often."""
        category, past = tensor_of(batch[CATEGORY]), ragged_of(batch[f"history_{CATEGORY}"])
        inside = self._behaviour(batch).keep(past.values == category[past.rows])
        often = inside.lengths[:, None].float().log1p()
        of_key = self._embed(self.of_user, batch) + self._embed([self._feature(CATEGORY)], batch)
        return self._tower(self.pair, [*of_key, mean_pool(inside), often])

    def forward(self, batch: Batch) -> Logits:
        user, item, pair = self.user_vector(batch), self.item_vector(batch), self.pair_vector(batch)
        joint = torch.cat([user, item, pair, user * item, *self._embed(self.of_page, batch)], 1)
        return self.by_task(self.heads(joint))

    def _tower(self, tower: MLP, parts: list[Tensor]) -> Tensor:
        # Every vector has unit scale, so that plug-ins need not follow the scale of each extraction.
        return functional.layer_norm(tower(torch.cat(parts, 1)), (self.config.tower,))

    def _width(self, feature: Feature) -> int:
        return self.config.embedding if feature.kind == "id" else feature.size

    def _widths(self, features: list[Feature]) -> int:
        return sum(map(self._width, features))

    def _feature(self, column: str) -> Feature:
        return next(f for f in self.of_item if f.column == column)

    def _embed(self, features: list[Feature], batch: Batch) -> list[Tensor]:
        return [self._values(f, tensor_of(batch[f.column])) for f in features]

    def _values(self, feature: Feature, values: Tensor) -> Tensor:
        if feature.kind == "id":
            return self.inputs.tables(feature.vocabulary, values)
        return values.float().reshape(len(values), feature.size)

    def _behaviour(self, batch: Batch) -> Ragged:
        columns = [ragged_of(batch[f.column]) for f in self.past]
        parts = [self._values(f, c.values) for f, c in zip(self.past, columns, strict=True)]
        return columns[0].with_values(torch.cat(parts, 1))

    @classmethod
    def reads(cls, usual: FeatureMap, run: RunConfig) -> FeatureMap:
        """No numbers, such as an age or a count, which change while what is stored of a thing does not."""
        return usual.those(lambda f: f.kind in ("id", "vector"))


def knowledge_features(width: int) -> tuple[Feature, ...]:
    """The columns in which looked-up knowledge travels; ``raw``, since nothing embeds or scales them."""
    return tuple(Feature(column=f"{PREFIX}{kind}", role="raw", kind="vector", size=width) for kind in KINDS)


def knowledge_columns(features: FeatureMap) -> dict[str, int]:
    """The knowledge that a model reads: column to width; nothing for most models."""
    return {f.column: f.size for f in features.role("raw", "vector") if f.column.startswith(PREFIX)}


class KEEP(DIN):
    """DIN with a plug-in (eq. 4-5). Without knowledge columns in its feature map it is DIN.

    Every weight of a DIN has the same name and shape here, so that a checkpoint of years is loaded and goes on: at that
    moment both give the same predictions, since the plug starts at 0. A row whose keys are all missing (zeros) is
    scored by the DIN alone, always.
    """

    published = True

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        columns = knowledge_columns(features)
        self.knowledge, width = list(columns), sum(columns.values())
        self.first = 1 + [isinstance(layer, nn.Linear) for layer in self.top.layers].index(True)
        self.plug = MLP(width, (PLUG_WIDTH,), config.mlp[0], config.activation).begin() if width else None

    def forward(self, batch: Batch) -> Logits:
        hidden = self.top.layers[: self.first](self.body(self.inputs(batch)))  # a_1, before its activation
        hidden = hidden + self.plugged(batch) if self.plug is not None else hidden
        return self.by_task(self.top.layers[self.first :](hidden))

    def plugged(self, batch: Batch) -> Tensor:
        """(rows, first hidden width) what the knowledge adds; exactly 0 where no key of a row is known."""
        assert self.plug is not None
        parts = [tensor_of(batch[name]) for name in self.knowledge]
        k = torch.cat(parts, 1).detach()
        return self.plug(k) * (k != 0).any(1, keepdim=True)

    def inherit(self, old: DIN) -> None:
        """Take over all weights of an old checkpoint; the plug alone keeps its own.

        Raises:
            RuntimeError: the old model lacks a weight of the new one, or has one of another shape.
        """
        keys = self.load_state_dict(old.state_dict(), strict=False)
        left = [name for name in keys.missing_keys if not name.startswith("plug.")]
        if left or keys.unexpected_keys:
            raise RuntimeError(f"the old model does not fit: {', '.join([*left, *keys.unexpected_keys])}.")

    @classmethod
    def reads(cls, usual: FeatureMap, run: RunConfig) -> FeatureMap:
        """The usual features and the looked-up vectors."""
        knowledge = [f.model_copy(update={"joined_by": READ}) for f in knowledge_features(run.knowledge_width)]
        return usual.model_copy(update={"features": (*usual.features, *knowledge)})

    @classmethod
    def join(cls, log: Path, run: RunConfig) -> Callable[[Batch], dict[str, Column]]:
        """Adds what the run's version knows; a row from before its moment is refused."""
        store = KnowledgeStore(Path(run.knowledge), readonly=True)

        def join(rows: Batch) -> dict[str, Column]:
            raw = {name: array_of(rows[name]) for name in READ}
            with store.snapshot(run.knowledge_version) as snapshot:
                return {**rows, **vectors(snapshot, raw["user_id"], raw["item_id"], raw[CATEGORY], raw["time_ms"])}

        return join


def vectors(
    snapshot: Snapshot, user: np.ndarray, item: np.ndarray, category: np.ndarray, time_ms: np.ndarray | None = None
) -> dict[str, Column]:
    """(rows, width) knowledge of each kind by (rows,) keys; zeros where a key is unknown."""
    keys = (user, item, np.column_stack([user, category]))
    values_of = {kind: snapshot.lookup(kind, key, time_ms) for kind, key in zip(KINDS, keys, strict=True)}
    return {f"{PREFIX}{kind}": torch.from_numpy(values.copy()) for kind, values in values_of.items()}
