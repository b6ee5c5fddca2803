"""Training over several epochs under a magnifying glass: the test AUC within each epoch, and what moves meanwhile.

Made for the one-epoch phenomenon (CIKM 2022, arXiv 2209.06053), whose probes it holds: the A-distance of the embeddings
of rows that are about to be visited, the movement of weights a step, and training that goes on with a part frozen,
renewed or under another optimiser.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.data.memory import MemoryStream
from recommend.data.parquet import Position
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, Column, Ragged, concat_batches, rows_of, select_batch
from recommend.layers.attention import mean_pool
from recommend.layers.inputs import InputLayer
from recommend.metrics.ranks import auc
from recommend.models.base import Logits, Ranker
from recommend.models.registry import build_model
from recommend.training.scoring import predictions

Columns = Mapping[str, Column]
Optimiser = Literal["adam", "rmsprop", "sgd"]
Part = Literal["all", "embedding", "mlp"]
LARGE = 1_000  # rows from which a table counts as sparse: only such tables are thinned


@dataclass(frozen=True)
class Second:
    """How training goes on after the first epoch.

    Attributes:
        part: what is trained; the rest is frozen.
        renew: the embeddings start anew, and their moments with them (MEDA, arXiv 2305.19531); the MLP stays.
        learning_rate: 0 keeps the first epoch's optimiser with its moments; else a fresh one of this rate.
    """

    part: Part = "all"
    renew: bool = False
    learning_rate: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What is trained, and how.

    Attributes:
        model: name in the registry, or ``lr``: one weight an id, summed (mean for histories), no layers.
        changes: of the model's config.
        weight_decay: of Adam in its decoupled form (AdamW).
        keep, buckets: thinning of the large tables: the share of their ids that is kept, the most frequent first (the
            others share row 0), or the share of their size to which ids are hashed; 1 leaves them alone.
        evaluations: within each epoch, evenly spread, the last one at its end.
    """

    model: str = "dnn"
    changes: tuple[str, ...] = ()
    optimiser: Optimiser = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch_rows: int = 256
    epochs: int = 2
    keep: float = 1.0
    buckets: float = 1.0
    second: Second = field(default_factory=Second)
    evaluations: int = 8
    probes: bool = False


@dataclass(frozen=True)
class Probe:
    """A-distances of the embeddings of positive and negative rows: of all fields together (``""``) and of each.

    ``ahead`` is measured on training rows that are about to be visited, ``test`` on rows that are never trained on.
    """

    ahead: Mapping[str, float]
    test: Mapping[str, float]


@dataclass(frozen=True)
class Trace:
    """What a run showed.

    Attributes:
        auc: test AUC, ``evaluations`` an epoch; entry ``evaluations - 1`` is the end of epoch 1.
        train_auc: of the batches since the last evaluation, each scored before its step.
        movement: mean change of a weight in a step between two evaluations: ``mlp``, ``embedding`` (a batch's rows).
        probes: late in epoch 1 and early in epoch 2 (at the last and first evaluation but one).
    """

    auc: tuple[float, ...]
    train_auc: tuple[float, ...]
    movement: Mapping[str, tuple[float, ...]]
    probes: tuple[Probe, ...]


@dataclass(frozen=True)
class Middle:
    """The state of a run after its first epoch."""

    trace: Trace
    weights: Mapping[str, Tensor]
    optimiser: dict[str, Any]


class LogisticRegression(Ranker):
    """The paper's control without layers: the logit is the sum of one weight for each id and number."""

    number: Tensor  # (width,) which parts are numbers

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config.changed(["embedding=1"]))
        self.bias = nn.Parameter(torch.zeros(()))
        # An id's part is its weight already; only numbers have one of their own.
        read = [
            *features.role("context"),
            *features.role("target"),
            *(f for g in self.inputs.groups.values() for f in g),
        ]
        number = torch.cat([torch.full((f.size if f.kind != "id" else 1,), f.kind != "id") for f in read])
        self.register_buffer("number", number, persistent=False)
        self.scale = nn.Parameter(torch.ones(int(number.sum())))

    def forward(self, batch: Batch) -> Logits:
        x = self.inputs(batch)
        parts = [x.context, x.target, *(mean_pool(h) for h in x.histories.values())]
        scale = torch.ones(len(self.number)).masked_scatter(self.number, self.scale)
        return {self.features.labels[0]: torch.cat(parts, 1) @ scale + self.bias}


def run(
    plan: Plan,
    features: FeatureMap,
    sizes: Mapping[str, int],
    learn: Columns,
    test: Columns,
    config: ModelConfig,
    seed: int,
    middle: Middle | None = None,
) -> tuple[Trace, Middle]:
    """Train by a plan and watch.

    Args:
        learn, test: encoded columns; ``learn`` is visited in another order every epoch.
        config: sizes of the model before the plan's changes.
        seed: of initial weights and orders.
        middle: a run's state after its first epoch, from which a plan with another ``second`` goes on.

    Returns:
        what was seen, and the state after the first epoch.
    """
    learn, test = (thinned(c, features, sizes, plan, learn) for c in (learn, test))
    config = config.changed([*plan.changes, f"sparse_rows={10**9}"])
    torch.manual_seed(seed)
    if plan.model == "lr":
        model: Ranker = LogisticRegression(features, sizes, config)
    else:
        model = build_model(features, sizes, config.changed([f"name={plan.model}"]), seed)
    watch = Watcher(model, plan, rows_of(learn), probed_rows(test, seed))
    step_of = _optimiser(plan, model, plan.learning_rate)
    if middle is not None:
        model.load_state_dict(middle.weights)
        step_of.load_state_dict(copy.deepcopy(middle.optimiser))
        watch.go_on(middle.trace)
    label = features.labels[0]
    clicks = _plain(test, label)
    model.train()
    for epoch in range(0 if middle is None else 1, plan.epochs):
        if epoch:
            if middle is None:
                middle = Middle(watch.trace(), copy.deepcopy(model.state_dict()), copy.deepcopy(step_of.state_dict()))
            step_of = go_on(plan, model, step_of, seed + epoch)
            torch.manual_seed(seed + epoch)
        batches = list(MemoryStream(learn, plan.batch_rows, shuffle=seed, start=Position(epoch=epoch)))
        ends = watch.ends()
        for number, batch in enumerate(batches):
            step_of.zero_grad(set_to_none=True)
            logits = model(batch)
            model.loss(logits, batch).backward()
            watch.before(batch, logits[label])
            step_of.step()
            watch.after()
            if number + 1 in ends:
                watch.scored(auc(clicks, predictions(model, MemoryStream(test, 8_192))[f"p_{label}"]))
                if plan.probes and (epoch, ends.index(number + 1)) in ((0, plan.evaluations - 2), (1, 0)):
                    watch.probe(batches[number + 1 :])
    assert middle is not None
    return watch.trace(), middle


def boundary(trace: Trace, plan: Plan) -> tuple[float, float]:
    """Test AUC at the end of epoch 1, and its lowest within the first quarter of epoch 2."""
    first, quarter = plan.evaluations, max(plan.evaluations // 4, 1)
    return trace.auc[first - 1], min(trace.auc[first : first + quarter])


def thinned(columns: Columns, features: FeatureMap, sizes: Mapping[str, int], plan: Plan, counted: Columns) -> Columns:
    """Ids of the large tables, filtered or hashed as the plan says; frequencies are counted in ``counted``."""
    if plan.keep >= 1 and plan.buckets >= 1:
        return columns
    out = dict(columns)
    tables = {f.vocabulary for f in features.features if f.kind == "id" and sizes[f.vocabulary] > LARGE}
    for table in tables:
        rows = sizes[table]
        if plan.buckets < 1:
            buckets = max(int((rows - 1) * plan.buckets), 1)
            new = 1 + torch.arange(rows) * 2_654_435_761 % 4_294_967_296 % buckets
        else:
            shown = [
                _tensor(counted, f.column) for f in features.features if f.vocabulary == table and f.role != "history"
            ]
            many = torch.bincount(torch.cat(shown), minlength=rows)
            many[0] = 0
            kept = many.argsort(descending=True, stable=True)[: max(int((rows - 1) * plan.keep), 1)]
            new = torch.zeros(rows, dtype=torch.int64)
            new[kept] = kept
        new[0] = 0  # what is unknown stays unknown
        for f in features.features:
            if f.kind == "id" and f.vocabulary == table:
                column = columns[f.column]
                changed = column.with_values(new[column.values]) if isinstance(column, Ragged) else new[column]
                out[f.column] = changed
    return out


def a_distance(vectors: np.ndarray, labels: np.ndarray) -> float:
    """``2 (1 - 2 e)`` with e the balanced error of a logistic regression in five folds: 0 where the vectors of the two
    classes look alike, 2 where a plane parts them.

    Args:
        vectors: (rows, width).
        labels: (rows,) bool with both values in at least five rows; else the result is NaN.
    """
    from sklearn.linear_model import LogisticRegression as Regression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    if min(labels.sum(), (~labels).sum()) < 5:
        return float("nan")
    judge = make_pipeline(MinMaxScaler(), Regression(C=1.0, class_weight="balanced", max_iter=300))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    found = cross_val_predict(judge, vectors, labels, cv=folds)
    return float(2 * (1 - 2 * (1 - balanced_accuracy_score(labels, found))))


@torch.no_grad()
def field_vectors(inputs: InputLayer, batch: Batch) -> dict[str, np.ndarray]:
    """(rows, width) embeddings of each id field; of histories their means."""
    found = {}
    for f in inputs.features.features:
        if f.kind != "id" or f.role == "raw":
            continue
        column = batch[f.column]
        if isinstance(column, Ragged):
            found[f.column] = mean_pool(column.with_values(inputs.tables(f.vocabulary, column.values))).numpy()
        else:
            found[f.column] = inputs.tables(f.vocabulary, column).numpy()
    return found


PROBED = 4_000  # rows of a probe


def probed_rows(test: Columns, seed: int) -> Batch:
    """Test rows of the probes: drawn once, since the first ones would be those of one time or of short histories."""
    drawn = torch.randperm(rows_of(test), generator=torch.Generator().manual_seed(seed))[:PROBED]
    return select_batch(test, drawn)


class Watcher:
    """Collects what a ``Trace`` holds."""

    def __init__(self, model: Ranker, plan: Plan, rows: int, asked: Batch) -> None:
        self.model, self.plan, self.asked = model, plan, asked
        self.steps = -(-rows // plan.batch_rows)
        self.tables = list(model.inputs.tables.tables.parameters())
        own = {id(p) for p in self.tables}
        self.layers = [p for m in model.modules() if isinstance(m, nn.Linear) for p in [m.weight] if id(p) not in own]
        self.auc: list[float] = []
        self.train_auc: list[float] = []
        self.moved: dict[str, list[float]] = {"mlp": [], "embedding": []}
        self.probes: list[Probe] = []
        self.step = 0
        self.recent: list[tuple[np.ndarray, np.ndarray]] = []
        self.changes: dict[str, list[float]] = {"mlp": [], "embedding": []}  # since the last evaluation
        self.old: list[tuple[Tensor, Tensor | None]] | None = None

    def go_on(self, before: Trace) -> None:
        """With what an earlier run saw in its first epoch."""
        self.auc, self.train_auc, self.probes = list(before.auc), list(before.train_auc), list(before.probes)
        self.moved = {name: list(values) for name, values in before.movement.items()}
        self.step = self.steps

    def ends(self) -> list[int]:
        """Steps of an epoch after which the test rows are scored."""
        n = self.plan.evaluations
        return [max(round(self.steps * (i + 1) / n), 1) for i in range(n)]

    def before(self, batch: Batch, logits: Tensor) -> None:
        """After the gradient and before the step."""
        label = self.model.features.labels[0]
        self.recent.append((_plain(batch, label), logits.detach().numpy()))
        self.old = None
        if self.plan.probes:
            self.old = [(w.detach().clone(), None) for w in self.layers]
            if self.step % 8 == 0:  # which rows a batch touched costs a walk over the tables
                for t in self.tables:
                    rows = t.grad.abs().sum(1).nonzero().ravel() if t.grad is not None else torch.empty(0).long()
                    self.old.append((t.detach()[rows].clone(), rows))

    def after(self) -> None:
        """After the step."""
        self.step += 1
        if self.old is None:
            return
        layers, tables = self.old[: len(self.layers)], self.old[len(self.layers) :]
        if layers:
            total = sum(float((w.detach() - o).abs().sum()) for w, (o, _) in zip(self.layers, layers, strict=True))
            self.changes["mlp"].append(total / sum(w.numel() for w in self.layers))
        if tables:
            total = sum(float((t.detach()[r] - o).abs().sum()) for t, (o, r) in zip(self.tables, tables, strict=True))
            self.changes["embedding"].append(total / max(sum(o.numel() for o, _ in tables), 1))

    def scored(self, test: float) -> None:
        """At an evaluation."""
        labels, logits = (np.concatenate(v) for v in zip(*self.recent, strict=True))
        self.auc.append(test)
        self.train_auc.append(auc(labels, logits))
        for name, values in self.changes.items():
            self.moved[name].append(float(np.mean(values)) if values else float("nan"))
        self.changes = {name: [] for name in self.changes}
        self.recent = []

    def probe(self, ahead: Sequence[Batch]) -> None:
        """A-distances of rows to be visited next, before their step in this epoch, and of test rows."""
        soon = concat_batches(ahead[: -(-PROBED // self.plan.batch_rows)])
        self.probes.append(Probe(self._distances(soon), self._distances(self.asked)))

    def _distances(self, batch: Batch) -> dict[str, float]:
        labels = _plain(batch, self.model.features.labels[0]).astype(bool)
        fields = field_vectors(self.model.inputs, batch)
        together = {"": np.concatenate(list(fields.values()), 1)} if fields else {}
        return {name: a_distance(v, labels) for name, v in (together | fields).items()}

    def trace(self) -> Trace:
        """All of it so far."""
        moved = {name: tuple(values) for name, values in self.moved.items()}
        return Trace(tuple(self.auc), tuple(self.train_auc), moved, tuple(self.probes))


def _optimiser(plan: Plan, model: Ranker, rate: float) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.requires_grad]
    if plan.optimiser == "sgd":
        return torch.optim.SGD(weights, lr=rate)
    if plan.optimiser == "rmsprop":
        return torch.optim.RMSprop(weights, lr=rate)
    return torch.optim.AdamW(weights, lr=rate, weight_decay=plan.weight_decay, fused=True)


def go_on(plan: Plan, model: Ranker, step_of: torch.optim.Optimizer, seed: int) -> torch.optim.Optimizer:
    """What the plan says about the boundary; the optimiser of the next epoch."""
    tables = list(model.inputs.tables.tables.parameters())
    if plan.second.renew:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for table in tables:
                table.normal_(std=model.config.initial_std, generator=generator)
                step_of.state.pop(table, None)
    if plan.second.part != "all":
        own = {id(p) for p in tables}
        for p in model.parameters():
            p.requires_grad_((id(p) in own) == (plan.second.part == "embedding"))
    return _optimiser(plan, model, plan.second.learning_rate) if plan.second.learning_rate else step_of


def _tensor(columns: Columns, name: str) -> Tensor:
    column = columns[name]
    assert isinstance(column, Tensor)
    return column


def _plain(columns: Columns, name: str) -> np.ndarray:
    return _tensor(columns, name).numpy()
