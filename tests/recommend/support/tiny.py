"""A tiny log with a signal: users click what their history holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from recommend.config import ModelConfig
from recommend.data.ragged import Batch, Column, Ragged
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.models.base import Ranker
from recommend.models.registry import build_model, model_class

FEATURES = FeatureMap(
    features=(
        Feature(column="user_id", role="context"),
        Feature(column="item_id", role="target"),
        Feature(column="category", role="target"),
        Feature(column="price", role="target", kind="number"),
        Feature(column="history_item", role="history", match="item_id", max_length=20),
        Feature(column="history_category", role="history", match="category", max_length=20),
    ),
    labels=("click",),
)


def encoded(rows: int, features: FeatureMap = FEATURES) -> tuple[dict[str, int], Batch]:
    """Sizes of the tables, and the rows as a model reads them."""
    data = columns(rows)
    encoders = Encoders.fit(features, [data])
    return encoders.sizes(), encoders(data)


def columns(rows: int = 600, seed: int = 0, items: int = 40, longest: int = 6) -> Batch:
    """Rows in the order of time; ``order`` is a second, rarer label."""
    rng = np.random.default_rng(seed)
    category_of = rng.integers(0, 5, items)
    item = rng.integers(0, items, rows)
    lengths = rng.integers(0, longest + 1, rows)
    history = rng.integers(0, items, lengths.sum())
    row = np.repeat(np.arange(rows), lengths)
    same = np.bincount(row, weights=category_of[history] == category_of[item][row], minlength=rows)
    p = 1 / (1 + np.exp(-(-1.5 + 4 * same / np.maximum(lengths, 1))))
    click = rng.random(rows) < p
    lengths_tensor = torch.from_numpy(lengths)
    return {
        "user_id": torch.from_numpy(rng.integers(0, 30, rows)),
        "item_id": torch.from_numpy(item),
        "category": torch.from_numpy(category_of[item]),
        "price": torch.from_numpy(rng.lognormal(3, 1, rows).astype(np.float32)),
        "history_item": Ragged(torch.from_numpy(history), lengths_tensor),
        "history_category": Ragged(torch.from_numpy(category_of[history]), lengths_tensor),
        "click": torch.from_numpy(click),
        "order": torch.from_numpy(click & (rng.random(rows) < 0.3)),
    }


def write(path: Path, data: Batch, group_rows: int = 100) -> Path:
    """As Parquet with row groups of a size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        name: pa.ListArray.from_arrays(pa.array(v.offsets.numpy(), pa.int32()), pa.array(v.values.numpy()))
        if isinstance(v, Ragged)
        else pa.array(v.numpy())
        for name, v in data.items()
    }
    pq.write_table(pa.table(arrays), path, row_group_size=group_rows, write_page_checksum=True)
    return path


def same(a: Column, b: Column) -> bool:
    """Equal to the bit."""
    if isinstance(a, Ragged) and isinstance(b, Ragged):
        return torch.equal(a.values, b.values) and torch.equal(a.lengths, b.lengths)
    return isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and torch.equal(a, b)


SMALL = ModelConfig(embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1, experts=2, tower=8)
TWO = FeatureMap(features=FEATURES.features, labels=("click", "order"))
BOTH = FeatureMap(  # of two entities: the tiny log's rows are posts, whose own field is the item's id
    features=(
        Feature(column="user_id", role="context"),
        Feature(column="category", role="target", group="shared"),
        Feature(column="item_id", role="target", group="item"),
        Feature(column="post_id", role="target", group="post"),
        Feature(column="history_category", role="history", match="category", group="item", max_length=20),
        Feature(column="entity", role="raw"),
    )
)
LABELS = {"esmm": TWO, "ecad": TWO, "mkt": BOTH}
ROWS = 2_048


def prepared(features: FeatureMap, rows: int = ROWS) -> tuple[Encoders, Batch]:
    data = columns(rows)
    data |= {"post_id": data["item_id"], "entity": torch.ones(rows, dtype=torch.int64)}
    encoders = Encoders.fit(features, [data])
    return encoders, encoders(data)


def fresh(name: str, rows: int = ROWS, **changes: object) -> tuple[Ranker, Batch]:
    features = LABELS.get(name, FEATURES)
    encoders, data = prepared(features, rows)
    settled = {"order_edges": [3.0], "refund_edges": [6.0]} if name == "ecad" else {}  # these rows have no times
    config = model_class(name).Config.of({**SMALL.model_dump(exclude_unset=True), "name": name, **settled, **changes})
    return build_model(features, encoders.sizes(), config), data
