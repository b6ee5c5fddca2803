"""Yardsticks without the multimodal model: the tower's heads, probes on its features, and copying past listings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finetune.data.photosets import ATTRIBUTES
from finetune.evaluate.arms.material import Material, Row
from finetune.evaluate.arms.statement import Statement, likeliest, single_source
from finetune.evaluate.measures import NOT_STATED

NEAREST = 5


def classifier(material: Material) -> list[Statement]:
    """The tower's own heads; a model without them says nothing."""
    silent = Statement("none", {})
    return [
        single_source(row, "classifier", material.taxonomy) if "label" in row["classifier"] else silent
        for row in material.predictions("tuned")
    ]


def linear_probe(material: Material) -> list[Statement]:
    """A logistic regression on the tower's features for each question."""
    from sklearn.linear_model import LogisticRegression

    return _fitted(material, lambda: LogisticRegression(C=10.0, max_iter=300))


def nearest_neighbours(material: Material) -> list[Statement]:
    """A vote of the five nearest training photos by the same features."""
    from sklearn.neighbors import KNeighborsClassifier

    return _fitted(material, lambda: KNeighborsClassifier(NEAREST, metric="cosine", weights="distance"))


def _fitted(material: Material, new: Any) -> list[Statement]:
    """One model a question, fitted on training photos whose answer is no guess; ``n/a`` and ``unknown`` are answers."""
    train, judged = material.vectors
    said: list[dict[str, dict[str, float]]] = [{} for _ in material.rows]
    for name in ("label", *ATTRIBUTES):
        kept = [i for i, row in enumerate(material.train) if taught(row, name)]
        model = new().fit(train[kept], np.array([str(material.train[i][name]) for i in kept]))
        for answers, shares in zip(said, model.predict_proba(judged), strict=True):
            answers[name] = dict(zip(model.classes_.tolist(), shares.tolist(), strict=True))
    return [likeliest(answers.pop("label"), answers, material.taxonomy) for answers in said]


def taught(row: Row, name: str) -> bool:
    """Whether an annotation may be learnt from."""
    return bool(row["label_ok"]) if name == "label" else name not in row["guess"] and row[name] is not None


def copied(nearest: Mapping[str, Any] | None) -> Statement:
    """Everything that the nearest past listing states, as if it were this photo's."""
    if nearest is None:
        return Statement("none", {})
    return Statement(nearest["category"], {n: v for n, v in nearest["attributes"].items() if v not in NOT_STATED})


def copy_nearest(material: Material) -> list[Statement]:
    """Copy the nearest past listing."""
    return [copied(near["nearest"]) for near in nearest_listings(material)]


def nearest_listings(material: Material) -> Sequence[Row]:
    """Neighbours of each photo, whatever their category."""
    return [material.neighbourhood.near(row, None) for row in material.rows]
