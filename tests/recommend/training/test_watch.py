"""What ``train`` says of a second pass that overfits, and which rows it looks at for that."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.schema import day_file
from recommend.features.feature_map import Feature, FeatureMap
from recommend.metrics.ranks import auc
from recommend.models.registry import build_model
from recommend.training import checkpoint
from recommend.training.runs import plan
from recommend.training.scoring import predictions
from recommend.training.trainer import train
from recommend.training.watch import STATE, Watch
from tests.recommend.support import tiny

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


def overfitting(folder: Path, watched: bool, stop_after: int | None = None):
    """A few steps over two passes on a log of rare ids; what was said."""
    features, learn = sparse_log(12_000, 1)
    test = sparse_log(4_000, 2)[1]
    model = build_model(features, SIZES, SMALL, 0)
    config = TrainConfig(batch_rows=128, epochs=2, learning_rate=5e-3, threads=1, checkpoint_every=20)
    warnings: list[str] = []

    def measure() -> float:
        return auc(test["click"].numpy(), predictions(model, MemoryStream(test, 4096))["p_click"])

    watch = Watch(measure, 12_000, warnings.append, folder, "held back rows") if watched else None
    train(model, MemoryStream(learn, 128, shuffle=0), config, folder=folder, stop_after=stop_after, watch=watch)
    return model, warnings


def test_a_second_pass_that_overfits_is_said_once(tmp_path):
    _, warnings = overfitting(tmp_path, watched=True)
    assert len(warnings) == 1
    assert warnings[0].startswith("pass 2 overfits: the AUC of held back rows was 0.")
    assert warnings[0].endswith("train with epochs=1.")
    assert json.loads((tmp_path / STATE).read_text())["warned"]


@pytest.mark.parametrize("stop", [60, 140])
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
    sizes, data = tiny.encoded(530)
    model = build_model(tiny.FEATURES, sizes, SMALL)
    train(model, MemoryStream(data, 64), TrainConfig(threads=1), folder=tmp_path, watch=watch)
    assert not looks
    assert (tmp_path / checkpoint.NAME).exists()


def test_several_passes_keep_a_day_to_watch(tmp_path):
    for day in range(9):
        tiny.write(day_file(tmp_path, "impression", day), tiny.columns(4))
    model = ModelConfig(name="dnn")
    once = plan(tmp_path, model, TrainConfig(), ("click",), 2)
    twice = plan(tmp_path, model, TrainConfig(epochs=2), ("click",), 2)
    assert (once.train_days, once.watch_days, once.test_days) == ((0, 6), None, (7, 8))
    assert (twice.train_days, twice.watch_days, twice.test_days) == ((0, 5), (6, 6), (7, 8))
