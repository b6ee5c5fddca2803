"""ECAD: Entire Space Cascade Delayed Feedback Modeling for Effective Conversion Rate Prediction (CIKM 2023, arXiv
2308.04768).

A click is *effective* when it is ordered (y) and not refunded (z). Both are known late and err in opposite directions:
an order that is still to come looks like a failure, a refund that is still to come like a success. ECAD learns only
from settled labels, but settles them early: the attribution windows are cut into parts, and a tower for each part
learns from every click that is old enough for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from recommend.config import ConfigError, ModelConfig
from recommend.data.delayed_labels import NEVER, ClickLog, ObservedClicks, Samples
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, read_moments
from recommend.data.ragged import Batch, select_batch, tensor_of
from recommend.data.schema import DAY_MS, columns_of
from recommend.features.feature_map import FeatureMap
from recommend.layers.mlp import MLP
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN
from recommend.models.training_log import TrainingLog

FIRST_RATE = 0.05  # what a tower says before it has learned anything
RATES = ("order", "refund")  # how the names of towers begin
# Columns that a stream adds to a click: its age now and when it was last trained on, and the time from the click to its
# order and to its refund, NEVER where none is known yet. All in ms.
AGE, AGE_BEFORE, ORDER_AFTER, REFUND_AFTER = "age_ms", "age_before_ms", "order_after_ms", "refund_after_ms"
TIMES = (AGE, AGE_BEFORE, ORDER_AFTER, REFUND_AFTER)


class Towers(DIN):
    """DIN's body, a shared bottom, and one tower for each named head; ``forward`` gives their (rows,) logits.

    Args:
        heads: names, with the probability at which each starts.
    """

    def __init__(
        self,
        features: FeatureMap,
        sizes: Mapping[str, int],
        config: ModelConfig,
        heads: Mapping[str, float],
    ) -> None:
        super().__init__(features, sizes, config)
        c = config
        # The shared bottom.
        self.top = MLP(self.body_width, c.mlp[:-1], 0, c.activation, c.dropout, c.batch_norm, c.layer_norm)
        self.towers = nn.ModuleDict({n: MLP(self.top.width, c.mlp[-1:], 1, c.activation) for n in heads})
        for tower, rate in zip(self.towers.values(), heads.values(), strict=True):
            _begin(tower, rate)

    def start(self, order: float, refund: float) -> None:
        """Let the towers begin at the rates of orders a click and of refunds an order, where those are known.

        From 5 % for all, a tower of refunds that few orders teach stays worse than their mean.
        """
        windows = {kind: sum(n.startswith(kind) for n in self.towers) for kind in RATES}
        for name, tower in self.towers.items():
            kind = next((k for k in RATES if name.startswith(k)), "")
            rate = order * (1 - refund) if not kind else {"order": order, "refund": refund}[kind] / windows[kind]
            _begin(tower, rate)

    def samples(self, observed: ObservedClicks, since: int) -> Samples:
        """The rows that a moment adds to those of the moment ``since``; for training while labels come in."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Logits:
        bottom = self.top(self.body(self.inputs(batch)))
        return {name: tower(bottom).squeeze(1) for name, tower in self.towers.items()}

    def probabilities(self, logits: Logits) -> dict[str, Tensor]:
        """(rows,) ``ecvr`` and whatever else follows from the heads' logits."""
        raise NotImplementedError

    def predicted(self, batch: Batch) -> dict[str, Tensor]:
        """(rows,) ``probabilities``."""
        probabilities = self.probabilities({name: value.double() for name, value in self(batch).items()})
        return {name: value.float() for name, value in probabilities.items()}


def _begin(tower: nn.Module, rate: float) -> None:
    """Let a tower say a rate before it has learned anything."""
    *_, last = (layer for layer in tower.modules() if isinstance(layer, nn.Linear))
    nn.init.constant_(last.bias, math.log(rate / (1 - rate)))


class ECAD(Towers):
    """Window towers over the entire space of clicks.

    ``features.labels`` are (order, refund); every row is a click. ``predict`` gives both by their names (the refund
    being the joint "ordered and refunded"), and beside them ``rfr``, the refund rate after an order, and ``ecvr``.

    Args:
        order_edges: ends w_1 < ... < w_n of the windows on the delay click to order, days; w_n is the attribution
            window of the order.
        refund_edges: ends u_1 < ... < u_m of the windows on the delay *click* to refund, days; u_m is both attribution
            windows together. One window each gives ESMM on settled labels. By default both are the config's.
        detached: the refunds' heads take p_v as it is and give it no gradient (ours, not the paper's): an error of p_v
            is then none of theirs to repair.
    """

    class Config(ModelConfig):
        """ECAD's own settings, in days after the click."""

        order_edges: tuple[float, ...] = (0.25, 1.0, 3.0)  # ends of the windows of the order
        refund_edges: tuple[float, ...] = (1.0, 3.0, 6.0)  # ends of the windows of the refund

    usual = ("order", "refund")
    only = "click"
    needs = ("impression.impression_id", *(f"{table}.impression_id" for table in ("click", "order", "refund")))

    def __init__(
        self,
        features: FeatureMap,
        sizes: Mapping[str, int],
        config: ModelConfig,
        order_edges: Sequence[float] | None = None,
        refund_edges: Sequence[float] | None = None,
        detached: bool = False,
    ) -> None:
        settings = self.configured(config)
        if len(features.labels) != 2:
            raise ConfigError("ecad needs two labels: the order and the refund (--labels order,refund).")
        order_edges = settings.order_edges if order_edges is None else order_edges
        refund_edges = settings.refund_edges if refund_edges is None else refund_edges
        for edges in (order_edges, refund_edges):
            if not edges or sorted({0.0, *edges}) != [0.0, *edges]:
                raise ConfigError(f"the windows end at {list(edges)}; the ends must rise, from above 0.")
        self.order_ms, self.refund_ms = ([round(e * DAY_MS) for e in edges] for edges in (order_edges, refund_edges))
        self.order_names = [f"order_{k}" for k in range(len(order_edges))]
        self.refund_names = [f"refund_{j}" for j in range(len(refund_edges))]
        rates = {n: FIRST_RATE / len(order_edges) for n in self.order_names}
        rates |= {n: FIRST_RATE / len(refund_edges) for n in self.refund_names}
        super().__init__(features, sizes, config, rates)
        self.detached = detached

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """``sum_k M_k BCE(f_k) + sum_j M_j BCE(g_j)``: each head over the clicks that ripened for it just now.

        Without the columns of a stream the labels are taken as settled, which needs a single window each.
        """
        log_p = heads(logits, self.order_names, self.refund_names, self.detached)
        if AGE not in batch:
            if len(log_p) != 2:
                raise ConfigError("with several windows, ecad needs the times of a stream of events.")
            order, refund = (label(batch, name).to(log_p.dtype) for name in self.features.labels)
            return bce_of_log(log_p[0], order) + bce_of_log(log_p[1], order * refund)
        targets, masks = ripened(batch, self.order_ms, self.refund_ms)
        losses = [bce_of_log(*row) for row in zip(log_p, targets, masks, strict=True)]
        return torch.stack(losses).sum()

    def probabilities(self, logits: Logits) -> dict[str, Tensor]:
        """p_v = sum_k f_k, p_vr = sum_j g_j and ECVR = p_v - p_vr, each (rows,)."""
        names = (self.order_names, self.refund_names)
        # Sums of softmax shares pass 1 by rounding; ECVR must not become negative for it.
        order, rfr = (shares(logits, n).exp().sum(0).clamp(max=1) for n in names)
        of_order, of_refund = self.features.labels
        return {of_order: order, of_refund: order * rfr, "rfr": rfr, "ecvr": order * (1 - rfr)}

    def samples(self, observed: ObservedClicks, since: int) -> Samples:
        """The clicks for which a head ripened after ``since``, with their times as known now."""
        age, before = observed.now - observed.click_ms, since - observed.click_ms
        ends = torch.tensor([*self.order_ms, *self.refund_ms])[:, None]
        index = ((age >= ends) & (before < ends)).any(0).nonzero().squeeze(1)
        return Samples(index, {AGE: age[index], AGE_BEFORE: before[index], **after_click(observed, index)})

    def stream(self, source: TrainingLog) -> MemoryStream:
        """The clicks of the training days for which a window has closed, in their order.

        What is known is what the log knew at the end of these days; a click whose first window is still open then is
        not trained on, one whose last is open is trained on for the earlier ones.

        Raises:
            DataError: there are none.
        """
        first, last = source.run.train_days
        there = columns_of(source.log)
        if absent := [n for n in ("impression_id", "click", *source.features.labels) if n not in there]:
            raise DataError(f"ecad reads '{absent[0]}', which {source.log} does not have.")
        impressions = source.impressions("impression_id", *(["entity"] if "entity" in there else []))
        ids = tensor_of(impressions["impression_id"])
        entity = tensor_of(impressions["entity"]) if "entity" in there else torch.zeros_like(ids)
        tables = ("click", "order", "refund")
        click, order, refund = (read_moments(source.log, table, ids, NEVER, first, last) for table in tables)
        index = ((click < NEVER) & (entity == 0)).nonzero().squeeze(1)
        index = index[click[index].argsort(stable=True)]
        inputs = {f.column: impressions[f.column] for f in source.features.features}
        log = ClickLog(select_batch(inputs, index), *(t[index] for t in (click, order, refund)))
        observed = log.observed((last + 1) * DAY_MS - 1)
        samples = self.samples(observed, first * DAY_MS - 1)
        if not len(samples.index):
            shortest = min(*self.order_ms, *self.refund_ms) / DAY_MS
            raise DataError(
                f"no click of the days {source.days} in {source.log} is {shortest:g} days old, as the shortest window "
                "asks; wait, or set shorter ones (--set order_edges=[0.1,1] --set refund_edges=[0.5,2])."
            )
        return MemoryStream(
            {**select_batch(log.columns, samples.index), **samples.columns}, source.run.train.batch_rows
        )


def after_click(observed: ObservedClicks, index: Tensor) -> dict[str, Tensor]:
    """Time from the click to its order and to its refund, of some rows, as far as known."""
    columns = zip((ORDER_AFTER, REFUND_AFTER), (observed.order_ms, observed.refund_ms), strict=True)
    return {name: torch.where(t < NEVER, t - observed.click_ms, NEVER)[index] for name, t in columns}


def heads(logits: Logits, order: Sequence[str], refund: Sequence[str], detached: bool = False) -> Tensor:
    """(n + m, rows) logarithms of f_k = P(y=1, order in window k) and g_j = P(z=1, refund in window j).

    f is a softmax over the windows and "no order"; g_j = p_v r_j with r a softmax over the windows and "no refund", so
    that 0 <= p_vr <= p_v <= 1 holds for any weights.
    """
    f = shares(logits, order)
    p_v = f.logsumexp(0)
    return torch.cat([f, (p_v.detach() if detached else p_v) + shares(logits, refund)])


def shares(logits: Logits, names: Sequence[str]) -> Tensor:
    """(n, rows) logarithms of what falls into each window, by a softmax over them and "none"."""
    scores = torch.stack([logits[name] for name in names])
    return torch.cat([torch.zeros_like(scores[:1]), scores]).log_softmax(0)[1:]


def ripened(batch: Batch, order_ms: Sequence[int], refund_ms: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(n + m, rows) targets and masks.

    A head's mask is 1 when the click reached the end of its window since the last training, so that nobody learns a
    label that may still change, and nobody learns one twice. The refund must lie in its own window after the order as
    well: what comes later does not count, and no age can bring it back.
    """
    age, before, order, refund = (label(batch, name) for name in TIMES)
    bought = order <= order_ms[-1]
    back = bought & (refund <= refund_ms[-1]) & (refund - order <= refund_ms[-1] - order_ms[-1])
    ends = torch.tensor([*order_ms, *refund_ms])[:, None]
    starts = torch.tensor([-1, *order_ms[:-1], -1, *refund_ms[:-1]])[:, None]
    n = len(order_ms)
    happened = torch.cat([order.expand(n, -1), refund.expand(len(refund_ms), -1)])
    counts = torch.cat([bought.expand(n, -1), back.expand(len(refund_ms), -1)])
    targets = counts & (happened > starts) & (happened <= ends)
    return targets, (age >= ends) & (before < ends)


def bce_of_log(log_p: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Cross-entropy of (rows,) probabilities given as logarithms, mean over the rows of the mask (0 if none)."""
    # log p is the logit of p less log(1 - p); as a logit the shared loss can take it.
    return bce(log_p - log_complement(log_p), target, None if mask is None else mask.to(log_p.dtype))


def log_complement(log_p: Tensor) -> Tensor:
    """log(1 - p) without cancellation on either side of p = 1/2."""
    log_p = log_p.clamp(max=-1e-6)
    small = log_p < -math.log(2)
    # Each branch sees values that it can take: the other one's would give NaN gradients.
    near_zero = torch.where(small, log_p, torch.full_like(log_p, -1.0))
    near_one = torch.where(small, torch.full_like(log_p, -0.5), log_p)
    return torch.where(small, torch.log1p(-near_zero.exp()), torch.log(-torch.expm1(near_one)))
