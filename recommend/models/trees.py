"""Boosted trees (scikit-learn's) as a ranker like any other: fitted anew at each training, kept as plain tables.

They read numbers, matches, counts and vectors as they are encoded, and ids of few values as categories. How many trees
a log bears, its last rows say: more of them would be sure of what they have seen once. What moves a prediction is told
by leave-one-out, as of all models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.data.parquet import DataError
from recommend.data.ragged import Batch, tensor_of
from recommend.features.feature_map import Feature, FeatureMap
from recommend.models.base import Logits, Ranker
from recommend.models.training_log import TrainingLog

MOST_VALUES = 250  # of an id that is read as a category; trees have room for 255
CODES = 256
LEAVES, DEPTH = 31, 12  # of a tree
TABLES = ("column", "left", "right", "codes", "edge", "says")  # of nodes: the first four whole numbers


def read_by_trees(features: FeatureMap, values: Mapping[str, int]) -> list[tuple[Feature, bool]]:
    """The columns that trees read, and whether each is a category.

    Args:
        values: by table of ids, how many it has.
    """
    fields = [f for role in ("context", "target") for f in features.role(role)]
    return [(f, f.kind == "id") for f in fields if f.kind != "id" or values.get(f.vocabulary, 0) <= MOST_VALUES]


def table_of(fields: list[tuple[Feature, bool]], batch: Batch) -> Tensor:
    """(rows, numbers) of encoded columns."""
    flat = [tensor_of(batch[f.column]) for f, _ in fields]
    return torch.cat([c.reshape(c.shape[0], -1).float() for c in flat], 1)


class TreesConfig(ModelConfig):
    """``trees``: how many at most; ``rate``: of each one's step; ``least``: rows of a leaf; ``late``: share of the last
    rows that say how many (0: all)."""

    trees: int = 100
    rate: float = 0.1
    least: int = 20
    late: float = 0.2


class Trees(Ranker):
    """One forest a label. A node is a row of the tables: which column it reads, where it sends a row, what a leaf says;
    a leaf sends to itself, so that ``DEPTH`` steps end in one."""

    Config: ClassVar[type[ModelConfig]] = TreesConfig
    goes_left: Tensor

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        nn.Module.__init__(self)  # no embeddings
        self.features, self.config = features, self.configured(config)
        self.fields = read_by_trees(features, sizes)
        if not self.fields:
            raise DataError("trees read numbers, counts, matches and ids of few values; the log has none of them.")
        labels, nodes = len(features.labels), 2 * LEAVES - 1
        shape = (labels, self.config.trees, nodes)
        self.start = nn.Parameter(torch.zeros(labels), requires_grad=False)
        for name in TABLES:
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float32 if name in TABLES[4:] else torch.int64))
        # Row 0 is of nodes that read numbers; the others say which categories go left.
        rows = 1 + labels * self.config.trees * (LEAVES - 1) * any(few for _, few in self.fields)
        self.register_buffer("goes_left", torch.zeros((rows, CODES), dtype=torch.bool))

    def fit(self, source: TrainingLog, seed: int) -> tuple[int, float]:
        """Fit all labels on the training days; rows, and the sum of the mean losses."""
        import sklearn.ensemble  # noqa: F401 (whose threads are bounded only once they are there)
        from threadpoolctl import threadpool_limits

        rows = source.impressions()
        x = table_of(self.fields, rows).numpy()
        few = [is_few for f, is_few in self.fields for _ in range(f.size if f.listed or f.kind != "id" else 1)]
        loss = 0.0
        for n, name in enumerate(self.features.labels):
            y = tensor_of(rows[name]).numpy() > 0
            if y.all() or not y.any():
                raise DataError(f"all rows of the training days are alike in '{name}'; trees learn nothing of them.")
            with threadpool_limits(torch.get_num_threads()):
                loss += self._grow(n, x, y, np.array(few), seed)
        return len(x), loss

    def _grow(self, n: int, x: np.ndarray, y: np.ndarray, few: np.ndarray, seed: int) -> float:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import log_loss

        c = self.config
        forest = HistGradientBoostingClassifier(
            max_iter=c.trees, learning_rate=c.rate, min_samples_leaf=c.least, max_leaf_nodes=LEAVES, max_depth=DEPTH,
            categorical_features=few, early_stopping=False, random_state=seed,
        )  # fmt: skip
        early = len(y) - round(c.late * len(y))
        if 0 < y[:early].sum() < early < len(y):
            stages = forest.fit(x[:early], y[:early]).staged_predict_proba(x[early:])
            losses = [log_loss(y[early:], p[:, 1], labels=[False, True]) for p in stages]
            forest.set_params(max_iter=1 + int(np.argmin(losses)))
        forest.fit(x, y)
        self.start.data[n] = float(np.ravel(cast(Any, forest)._baseline_prediction)[0])
        row = 1 + n * c.trees * (LEAVES - 1)
        columns = _columns(forest, x.shape[1])
        for t, (tree,) in enumerate(cast(Any, forest)._predictors):
            nodes = tree.nodes
            size, leaf, here = len(nodes), nodes["is_leaf"].astype(bool), np.arange(len(nodes))
            category = nodes["is_categorical"].astype(bool) & ~leaf
            codes = np.where(category, row + np.cumsum(category) - 1, 0)
            read = columns[nodes["feature_idx"]]
            of = {"column": np.where(leaf, 0, read), "left": np.where(leaf, here, nodes["left"]), "codes": codes,
                  "right": np.where(leaf, here, nodes["right"]), "edge": nodes["num_threshold"],
                  "says": np.where(leaf, nodes["value"], 0)}  # fmt: skip
            for name, values in of.items():
                table: Tensor = getattr(self, name)
                table[n, t, :size] = torch.from_numpy(values).to(table.dtype)
            for at in np.flatnonzero(category):
                bits = tree.raw_left_cat_bitsets[nodes["bitset_idx"][at]]
                left = np.unpackbits(bits.astype("<u4").view(np.uint8), bitorder="little").astype(bool)
                known = np.unique(x[:, read[at]]).astype(int)  # scikit-learn numbers the categories that it has seen
                self.goes_left[codes[at]] = bool(nodes["missing_go_to_left"][at])
                self.goes_left[codes[at], torch.from_numpy(known)] = torch.from_numpy(left[: len(known)])
            row += int(category.sum())
        return float(log_loss(y, forest.predict_proba(x)[:, 1]))

    def forward(self, batch: Batch) -> Logits:
        """(rows,) log-odds of each label."""
        x = table_of(self.fields, batch)
        count = x.shape[0]
        out = []
        for n in range(len(self.features.labels)):
            tables = {name: getattr(self, name)[n] for name in TABLES}
            flat = {name: table.reshape(-1) for name, table in tables.items()}
            trees, nodes = tables["left"].shape
            root = (torch.arange(trees) * nodes).expand(count, trees)
            node = root
            for _ in range(DEPTH):
                value, codes = x.gather(1, flat["column"][node]), flat["codes"][node]
                low = value <= flat["edge"][node]
                left = torch.where(codes > 0, self.goes_left[codes, value.clamp(0, CODES - 1).long()], low)
                node = root + torch.where(left, flat["left"][node], flat["right"][node])
            out.append(self.start[n] + flat["says"][node].sum(1))
        return dict(zip(self.features.labels, out, strict=True))


def _columns(forest: Any, width: int) -> np.ndarray:
    """(width,) the table's column of each of the forest's: it puts categories first."""
    few = forest.is_categorical_
    return np.arange(width) if few is None else np.concatenate([np.flatnonzero(few), np.flatnonzero(~few)])
