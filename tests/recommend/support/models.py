"""Small models of every kind on the tiny log."""

from __future__ import annotations

import torch

from recommend.config import ModelConfig
from recommend.data.ragged import Batch
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.models.base import Ranker
from recommend.models.registry import build_model, model_class
from tests.recommend.support import tiny

SMALL = ModelConfig(embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1, experts=2, tower=8)
TWO = FeatureMap(features=tiny.FEATURES.features, labels=("click", "order"))
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
LABELS = {"esmm": TWO, "mmoe": TWO, "ple": TWO, "ecad": TWO, "mkt": BOTH}
ROWS = 2_048


def prepared(features: FeatureMap, rows: int = ROWS) -> tuple[Encoders, Batch]:
    data = tiny.columns(rows)
    data |= {"post_id": data["item_id"], "entity": torch.ones(rows, dtype=torch.int64)}
    encoders = Encoders.fit(features, [data])
    return encoders, encoders(data)


def fresh(name: str, rows: int = ROWS, **changes: object) -> tuple[Ranker, Batch]:
    features = LABELS.get(name, tiny.FEATURES)
    encoders, data = prepared(features, rows)
    settled = {"order_edges": [3.0], "refund_edges": [6.0]} if name == "ecad" else {}  # these rows have no times
    config = model_class(name).Config.of({**SMALL.model_dump(exclude_unset=True), "name": name, **settled, **changes})
    return build_model(features, encoders.sizes(), config), data
