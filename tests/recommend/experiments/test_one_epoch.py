"""The one-epoch phenomenon: probes and plans, and the warning of ``train`` when a second pass overfits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.parquet import ParquetStream
from recommend.data.schema import day_file
from recommend.experiments.setups import one_epoch as epochs
from recommend.experiments.setups.one_epoch import Plan, Second
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.features.ragged import Ragged
from recommend.metrics.ranks import auc
from recommend.models.registry import build_model
from recommend.training import checkpoint
from recommend.training.runs import plan
from recommend.training.scoring import predictions
from recommend.training.trainer import train
from recommend.training.watch import STATE, Watch
from tests.recommend import tiny

SMALL = ModelConfig(name="dnn", embedding=8, mlp=(32, 16), activation="relu", initial_std=0.0025)


ITEMS = 20_000
SIZES = {"item_id": ITEMS + 1, "category": 101}


def sparse_log(rows: int, seed: int) -> tuple[FeatureMap, dict[str, torch.Tensor]]:
    """Rows of things that are seen once or a few times, with categories that carry most of what can be learned."""
    rng, world = np.random.default_rng(seed), np.random.default_rng(99)
    of_category, category = world.normal(0, 1.0, 100), world.integers(0, 100, ITEMS)
    of_item = world.normal(0, 0.7, ITEMS)
    item = rng.integers(0, ITEMS, rows)
    p = 1 / (1 + np.exp(-of_category[category[item]] - of_item[item]))
    features = FeatureMap(
        features=(Feature(column="item_id", role="target"), Feature(column="category", role="target")), group="item_id"
    )
    columns = {
        "item_id": torch.from_numpy(item + 1),
        "category": torch.from_numpy(category[item] + 1),
        "click": torch.from_numpy(rng.random(rows) < p),
    }
    return features, columns


@pytest.fixture(scope="module")
def rows():
    features, learn = sparse_log(20_000, 1)
    return features, learn, sparse_log(6_000, 2)[1]


def go(rows, chosen: Plan, seed: int = 0) -> epochs.Trace:
    torch.set_num_threads(1)
    features, learn, test = rows
    return epochs.run(chosen, features, SIZES, learn, test, SMALL, seed)[0]


@pytest.fixture(scope="module")
def base(rows):
    return go(rows, Plan(probes=True, learning_rate=3e-3, batch_rows=128))


def test_auc_falls_exactly_at_the_boundary_and_training_auc_rises(base):
    at_1, lowest = epochs.boundary(base, Plan())
    assert len(base.auc) == len(base.train_auc) == 16
    assert at_1 - lowest > 0.02, base.auc
    assert max(base.auc[8:]) < at_1, "it does not come back within the second epoch"
    assert base.auc[7] > base.auc[3] - 0.005, "no fall before the boundary"
    assert base.train_auc[8] > base.train_auc[7] + 0.05, "the training AUC makes a step up"


def test_the_probes_find_the_jump_in_the_sparse_field_only(base):
    late, early = base.probes
    assert abs(late.ahead["item_id"] - late.test["item_id"]) < 0.2
    assert early.ahead["item_id"] - early.test["item_id"] > 0.5
    assert abs(early.ahead["category"] - early.test["category"]) < 0.2
    assert base.movement["mlp"][8] > 1.5 * base.movement["mlp"][7]
    assert len(base.movement["embedding"]) == 16


def test_training_goes_on_to_overfit_in_the_layers_and_not_in_the_embeddings(rows, base):
    """A fresh optimiser of a third of the rate: a tenth, as in the recipe, moves little in a pass of 157 steps."""
    end = {}
    for part in ("mlp", "embedding"):
        second = Second(part, learning_rate=1e-3)
        end[part] = go(rows, Plan(learning_rate=3e-3, batch_rows=128, second=second)).auc[-1]
    assert end["embedding"] > end["mlp"] + 0.015, end
    assert end["embedding"] > base.auc[7] - 0.005, "the embeddings alone lose nothing"


def test_without_sparse_ids_or_layers_nothing_falls(rows):
    for calm in (
        Plan(buckets=0.01, learning_rate=3e-3, batch_rows=128),
        Plan(model="lr", learning_rate=1e-2, batch_rows=128),
    ):
        at_1, lowest = epochs.boundary(go(rows, calm), calm)
        assert at_1 - lowest < 0.005, calm


@pytest.mark.parametrize("part", ["mlp", "embedding"])
def test_partial_training_moves_its_part_only(rows, part):
    features, learn, test = rows
    short = Plan(evaluations=2, batch_rows=1024, learning_rate=3e-3)
    middle = epochs.run(short, features, SIZES, learn, test, SMALL, 0)[1]
    model = build_model(features, SIZES, SMALL, 0)
    model.load_state_dict(middle.weights)
    old = torch.optim.AdamW(model.parameters())
    step_of = epochs.go_on(replace(short, second=Second(part, learning_rate=1e-4)), model, old, 1)
    model.loss(model(learn), learn).backward()
    step_of.step()
    assert step_of.param_groups[0]["lr"] == 1e-4
    for name, weight in model.state_dict().items():
        if "norm" not in name:  # running means of Dice are no weights
            assert torch.equal(weight, middle.weights[name]) == (("tables" in name) != (part == "embedding")), name


def test_runs_that_share_their_first_epoch_go_on_as_one(rows):
    features, learn, test = rows
    short = Plan(evaluations=2, batch_rows=1024, learning_rate=3e-3)
    whole, middle = epochs.run(short, features, SIZES, learn, test, SMALL, 0)
    again, _ = epochs.run(short, features, SIZES, learn, test, SMALL, 0, middle)
    assert again.auc == whole.auc
    other, _ = epochs.run(replace(short, second=Second(renew=True)), features, SIZES, learn, test, SMALL, 0, middle)
    assert other.auc[:2] == whole.auc[:2]
    assert other.auc[2:] != whole.auc[2:]


def test_renewing_forgets_embeddings_and_their_moments_only():
    features, learn = sparse_log(500, 0)
    model = build_model(features, SIZES, SMALL, 0)
    step_of = torch.optim.AdamW(model.parameters())
    model.loss(model(learn), learn).backward()
    step_of.step()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    epochs.go_on(Plan(second=Second(renew=True)), model, step_of, seed=1)
    for name, weight in model.named_parameters():
        table = "tables" in name
        assert torch.equal(weight, before[name]) != table, name
        assert (weight in step_of.state) != table, "moments start anew with their rows"


def test_filter_keeps_the_most_frequent_and_hash_fills_its_buckets():
    features = FeatureMap(
        features=(
            Feature(column="item_id", role="target"),
            Feature(column="few", role="target"),
            Feature(column="past", role="history", match="item_id"),
        )
    )
    sizes = {"item_id": 5_001, "few": 4}
    item = torch.cat([torch.full((9,), 7), torch.full((5,), 9), torch.arange(1, 5_001)])
    columns = {"item_id": item, "few": item % 4, "past": Ragged(torch.tensor([7, 9, 3, 0]), torch.tensor([4]))}
    kept = epochs.thinned(columns, features, sizes, Plan(keep=2 / 5_000), columns)
    assert set(kept["item_id"].tolist()) == {0, 7, 9}
    assert kept["past"].values.tolist() == [7, 9, 0, 0]
    assert torch.equal(kept["few"], columns["few"]), "small tables are left alone"
    hashed = epochs.thinned(columns, features, sizes, Plan(buckets=0.01), columns)
    counts = np.bincount(hashed["item_id"][14:].numpy(), minlength=51)
    assert counts[0] == 0
    assert counts[1:].min() > 50
    assert len(counts) == 51
    assert hashed["past"].values[3] == 0, "unknown stays unknown"
    assert hashed["past"].values[0] == hashed["item_id"][0]


def test_a_distance_is_0_for_noise_and_2_where_a_plane_parts():
    rng = np.random.default_rng(0)
    labels = rng.random(2_000) < 0.2
    vectors = rng.normal(size=(2_000, 6))
    assert abs(epochs.a_distance(vectors, labels)) < 0.2
    vectors[:, 0] += 20 * labels
    assert epochs.a_distance(vectors, labels) > 1.95
    assert np.isnan(epochs.a_distance(vectors[:3], labels[:3]))


def test_the_regression_is_a_sum_of_weights():
    features, learn = sparse_log(10, 0)
    number = Feature(column="price", role="context", kind="number")
    features = features.model_copy(update={"features": (*features.features, number)})
    learn = {**learn, "price": torch.arange(10.0)}
    model = epochs.LogisticRegression(features, SIZES, SMALL)
    tables = model.inputs.tables
    assert len(model.scale) == 1, "an id's part is its weight"
    with torch.no_grad():
        model.scale.fill_(3.0)
    expected = tables("item_id", learn["item_id"]) + tables("category", learn["category"])
    torch.testing.assert_close(model(learn)["click"], expected.ravel() + 3 * learn["price"])


def test_test_rows_of_the_probes_are_drawn_from_all_of_them(monkeypatch):
    monkeypatch.setattr(epochs, "PROBED", 50)
    drawn = epochs.probed_rows({"step": torch.arange(1_000)}, 0)["step"]
    assert len(set(drawn.tolist())) == 50
    assert drawn.max() > 800
    assert torch.equal(drawn, epochs.probed_rows({"step": torch.arange(1_000)}, 0)["step"])


# The warning of training.


def overfitting(folder: Path, watched: bool, stop_after: int | None = None):
    """A few steps over two passes on a log of rare ids; what was said."""
    features, learn = sparse_log(12_000, 1)
    test = sparse_log(4_000, 2)[1]
    model = build_model(features, SIZES, SMALL, 0)
    config = TrainConfig(batch_rows=128, epochs=2, learning_rate=5e-3, threads=1, checkpoint_every=20)
    said: list[str] = []

    def measure() -> float:
        return auc(test["click"].numpy(), predictions(model, MemoryStream(test, 4096))["p_click"])

    watch = Watch(measure, 12_000, said.append, folder, "held back rows") if watched else None
    train(model, MemoryStream(learn, 128, shuffle=0), config, folder=folder, stop_after=stop_after, watch=watch)
    return model, said


def test_a_second_pass_that_overfits_is_said_once(tmp_path):
    _, said = overfitting(tmp_path, watched=True)
    assert len(said) == 1
    assert said[0].startswith("pass 2 overfits: the AUC of held back rows was 0.")
    assert said[0].endswith("train with epochs=1.")
    assert json.loads((tmp_path / STATE).read_text())["warned"]


@pytest.mark.parametrize("stop", [60, 94, 140])
def test_watching_and_going_on_change_no_weight(tmp_path, stop):
    """94 steps are a pass; the warning also comes after a run was continued in its second pass."""
    plain, _ = overfitting(tmp_path / "plain", watched=False)
    _, early = overfitting(tmp_path / "run", watched=True, stop_after=stop)
    again, late = overfitting(tmp_path / "run", watched=True)
    assert len(early) + len(late) == 1
    for (name, a), (_, b) in zip(plain.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(a, b), name


def test_one_pass_is_not_watched(tmp_path):
    looks = []
    watch = Watch(lambda: looks.append(1) or 0.5, 530, print, tmp_path)
    data = tiny.columns(530)
    tiny.write(tmp_path / "a.parquet", data, 70)
    stream = ParquetStream([tmp_path / "a.parquet"], tiny.FEATURES.columns, 64)
    encoders = Encoders.fit(tiny.FEATURES, stream)
    model = build_model(tiny.FEATURES, encoders.sizes(), SMALL)
    train(model, stream, TrainConfig(threads=1), encoders, tmp_path, watch=watch)
    assert not looks
    assert (tmp_path / checkpoint.NAME).exists()


def test_a_run_of_several_passes_keeps_a_day_to_watch(tmp_path):
    for day in range(9):
        path = day_file(tmp_path, "impression", day)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"click": [True]}), path)
    model = ModelConfig(name="dnn")
    once = plan(tmp_path, model, TrainConfig(), ("click",), 2)
    twice = plan(tmp_path, model, TrainConfig(epochs=2), ("click",), 2)
    assert (once.train_days, once.watch_days, once.test_days) == ((0, 6), None, (7, 8))
    assert (twice.train_days, twice.watch_days, twice.test_days) == ((0, 5), (6, 6), (7, 8))
