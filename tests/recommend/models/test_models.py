"""Every model learns the tiny log's signal; each keeps the promise that is its own."""

from __future__ import annotations

import pytest
import torch

from recommend.config import ConfigError, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Ragged, select_batch, slice_batch
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.metrics.ranks import auc
from recommend.models.baselines.dcn import Cross
from recommend.models.registry import MODELS, build_model
from recommend.training.trainer import train
from tests.recommend.support import tiny
from tests.recommend.support.tiny import SMALL, fresh


@pytest.mark.parametrize("name", [n for n in MODELS if n != "trees"])  # which are fitted, and in no steps
def test_every_model_learns_the_signal(name: str) -> None:
    """On rows that it was not trained on; the chance AUC is 0.5 with a standard error of 0.018."""
    model, data = fresh(name, rows=5_120)
    learned, held = slice_batch(data, 0, 4_096), slice_batch(data, 4_096, 5_120)
    with torch.no_grad():
        before = float(model.loss(model(held), held))
    train(model, MemoryStream(learned, 128), TrainConfig(epochs=6, learning_rate=0.01, threads=1))
    with torch.no_grad():
        logits = model(held)
        after = float(model.loss(logits, held))
    assert all(value.shape == (1_024,) for value in logits.values())
    assert after < 0.97 * before
    probabilities = model.predict(held)
    assert all(bool(((p > 0) & (p < 1)).all()) for p in probabilities.values())
    assert auc(held["click"], probabilities["click"]) > 0.56


@pytest.mark.parametrize("name", MODELS)
def test_a_prediction_depends_on_its_row_alone(name: str) -> None:
    model, data = fresh(name)
    index = torch.tensor([700, 3, 41])
    alone, together = model.predict(select_batch(data, index)), model.predict(data)
    for task, p in alone.items():
        torch.testing.assert_close(p, together[task][index], atol=1e-5, rtol=1e-4)
    empty = Ragged(torch.empty(0, dtype=torch.int64), torch.zeros(4, dtype=torch.int64))
    without = slice_batch(data, 0, 4) | {"history_item": empty, "history_category": empty}
    assert all(torch.isfinite(p).all() for p in model.predict(without).values())


def test_esmm_learns_conversions_from_all_rows() -> None:
    model, data = fresh("esmm")
    p = model.predict(data)
    torch.testing.assert_close(p["ctcvr"], p["click"] * p["order"])
    assert model.measured()["ctcvr"] == ("order", None)
    assert model.measured()["order"] == ("order", "click")
    train(model, MemoryStream(data, 128), TrainConfig(epochs=5, learning_rate=0.01, threads=1))
    p = model.predict(data)
    clicked = data["click"].bool()
    assert float(p["order"][clicked].mean()) == pytest.approx(float(data["order"][clicked].float().mean()), abs=0.05)
    with pytest.raises(ConfigError, match="two labels"):
        build_model(tiny.FEATURES, tiny.encoded(100)[0], SMALL.model_copy(update={"name": "esmm"}))


def test_the_item_tower_sees_the_candidate_alone() -> None:
    model, data = fresh("two_tower")
    batch = slice_batch(data, 0, 50)
    other = {**batch, **{n: c for n, c in slice_batch(data, 50, 100).items() if n.startswith(("user", "history"))}}
    one, two = model.inputs(batch), model.inputs(other)
    assert torch.equal(model.item_vector(one), model.item_vector(two))
    assert not torch.equal(model.user_vector(one), model.user_vector(two))
    logit = model.scale * (model.user_vector(one) * model.item_vector(one)).sum(1) + model.bias
    torch.testing.assert_close(model(batch)["click"], logit)


def test_cross_layers_are_the_papers() -> None:
    layer, x = Cross(5, 2), torch.randn(3, 5)
    (w0, b0), (w1, b1) = ((part.weight, part.bias) for part in layer.layers)
    first = x * (x @ w0.T + b0) + x
    torch.testing.assert_close(layer(x), x * (first @ w1.T + b1) + first)


def test_bst_counts_places_from_the_end() -> None:
    """Two equal recent clicks are told apart by order, however long the rest of the batch is."""
    model, data = fresh("bst")
    row = slice_batch(data, 0, 1)
    row["history_category"] = Ragged.of([[1, 1]])
    first, second = (model.predict({**row, "history_item": Ragged.of([ids])})["click"] for ids in ([1, 2], [2, 1]))
    assert not torch.equal(first, second)
    with pytest.raises(ConfigError, match="do not divide"):
        fresh("bst", heads=3)


def test_vectors_reach_target_and_history() -> None:
    features = FeatureMap(
        features=(
            *tiny.FEATURES.features,
            Feature(column="content", role="target", kind="vector", size=4),
            Feature(column="history_content", role="history", match="content", kind="vector", size=4),
        )
    )
    torch.manual_seed(0)
    by_item, data = torch.randn(40, 4), tiny.columns(64)
    data |= {"content": by_item[data["item_id"]]}
    data |= {"history_content": data["history_item"].with_values(by_item[data["history_item"].values])}
    encoders = Encoders.fit(features, [data])
    model = build_model(features, encoders.sizes(), SMALL)
    batch = encoders(data)
    x = model.inputs(batch)
    assert torch.equal(x.matched["item"][:, -4:], data["content"])
    assert torch.equal(x.histories["item"].values[:, -4:], data["history_content"].values)
    changed = {**batch, "history_content": data["history_content"].with_values(data["history_content"].values + 1)}
    assert not torch.equal(model.predict(batch)["click"], model.predict(changed)["click"])
