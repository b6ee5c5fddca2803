"""KEEP: knowledge depends on its own key alone, the plug starts at zero, and nothing leaks, neither back nor ahead."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Column, select_batch, slice_batch
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.losses.pointwise import bce
from recommend.models.base import label
from recommend.models.baselines.din import DIN
from recommend.models.keep import KEEP, KINDS, Extractor, knowledge_features
from recommend.models.run_config import RunConfig
from recommend.training import checkpoint, runs
from recommend.training.knowledge import coordinates, started
from recommend.training.trainer import train
from tests.recommend.support import tiny

CONFIG = ModelConfig(embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1, tower=6)
TASKS = ("click", "order")
PLUGGED = FeatureMap(features=(*tiny.FEATURES.features, *knowledge_features(6)))

Rows = dict[str, Column]


def make(cls: type, features: FeatureMap, sizes: dict[str, int], config: ModelConfig = CONFIG):
    torch.manual_seed(0)
    return cls(features, sizes, config).eval()


@pytest.fixture(scope="module")
def data() -> tuple[Encoders, Rows]:
    encoders = Encoders.fit(tiny.FEATURES, [tiny.columns(1_024)])
    return encoders, encoders(tiny.columns(1_024))


def with_knowledge(rows: Rows, seed: int = 0) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    count = len(rows["user_id"])
    return {**rows, **{f"knowledge_{kind}": torch.randn(count, 6, generator=generator) for kind in KINDS}}


@pytest.mark.parametrize(
    ("tower", "own"),
    [
        ("user_vector", {"user_id", "history_item", "history_category"}),
        ("item_vector", {"item_id", "category", "price"}),
        ("pair_vector", {"user_id", "history_item", "history_category", "category"}),
    ],
)
def test_a_vector_depends_on_its_key_alone(data: tuple[Encoders, Rows], tower: str, own: set[str]) -> None:
    encoders, rows = data
    model = make(Extractor, FeatureMap(features=tiny.FEATURES.features, labels=TASKS), encoders.sizes())
    compute = getattr(model, tower)
    other = select_batch(rows, torch.roll(torch.arange(1_024), 1))
    mixed = {**other, **{name: rows[name] for name in own}}  # only the own fields are kept
    with torch.no_grad():
        expected = compute(rows)
        assert torch.equal(compute(mixed), expected)
        assert torch.equal(compute({name: rows[name] for name in own}), expected)  # nothing else need exist
        assert not torch.allclose(compute(other), expected)


def test_the_extractors_logit_and_loss_are_the_papers(data: tuple[Encoders, Rows]) -> None:
    encoders, rows = data
    model = make(Extractor, FeatureMap(features=tiny.FEATURES.features, labels=TASKS), encoders.sizes())
    with torch.no_grad():
        user, item, pair = model.user_vector(rows), model.item_vector(rows), model.pair_vector(rows)
        logits = model(rows)
        for place, task in enumerate(TASKS):
            weight = model.heads.weight[place].chunk(4)
            parts = zip((user, item, pair, user * item), weight, strict=True)
            joint = sum(z @ w for z, w in parts) + model.heads.bias[place]
            torch.testing.assert_close(logits[task], joint)
        total = sum(bce(logits[task], label(rows, task)) for task in TASKS)
        torch.testing.assert_close(model.loss(logits, rows), total)
    torch.testing.assert_close(user.mean(1), torch.zeros(1_024), atol=1e-5, rtol=0)
    torch.testing.assert_close(user.square().mean(1), torch.ones(1_024), atol=1e-2, rtol=0)


def test_an_old_checkpoint_is_inherited_by_the_plug(data: tuple[Encoders, Rows]) -> None:
    encoders, rows = data
    old = make(DIN, tiny.FEATURES, encoders.sizes())
    train(old, MemoryStream(rows, 128), TrainConfig(learning_rate=0.01, threads=1))
    new = make(KEEP, PLUGGED, encoders.sizes())
    new.inherit(old)
    asked = with_knowledge(rows)
    assert torch.equal(new.predict(asked)["click"], old.predict(rows)["click"])
    shapes = {name: value.shape for name, value in new.state_dict().items()}
    assert all(shapes[name] == value.shape for name, value in old.state_dict().items())
    train(new, MemoryStream(asked, 128), TrainConfig(learning_rate=0.01, threads=1))
    moved = with_knowledge(rows, seed=1)
    assert not torch.allclose(new.predict(asked)["click"], new.predict(moved)["click"], atol=1e-3)  # the plug learns


def test_no_gradient_flows_into_the_knowledge(data: tuple[Encoders, Rows]) -> None:
    encoders, rows = data
    model = make(KEEP, PLUGGED, encoders.sizes())
    torch.nn.init.normal_(model.plug.layers[-1].weight)
    asked = with_knowledge(slice_batch(rows, 0, 64))
    for kind in KINDS:
        asked[f"knowledge_{kind}"].requires_grad_()
    model.loss(model(asked), asked).backward()
    assert all(asked[f"knowledge_{kind}"].grad is None for kind in KINDS)
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.plug.parameters())


def test_no_run_goes_on_from_later_days(tmp_path: Path) -> None:
    """Its own last day is what its knowledge is published under."""

    def run(last: int) -> RunConfig:
        facts = {"labels": TASKS, "content": 0, "history": 20, "min_count": 1}
        days = {"train_days": (0, last), "test_days": (last + 1, last + 2)}
        return RunConfig(model=ModelConfig(name="keep_extractor"), train=TrainConfig(), **facts, **days)

    (tmp_path / runs.RUN).write_text(run(last=9).model_dump_json(), encoding="utf-8")
    (tmp_path / checkpoint.NAME).write_bytes(b"weights")
    assert started(run(last=9), tmp_path).start == started(run(last=12), tmp_path).start == coordinates(tmp_path)
    with pytest.raises(ConfigError, match=r"has learned days until 9, .* may not end with day 8"):
        started(run(last=8), tmp_path)


def test_rows_without_known_keys_are_the_dins(data: tuple[Encoders, Rows]) -> None:
    encoders, rows = data
    model = make(KEEP, PLUGGED, encoders.sizes())
    torch.nn.init.normal_(model.plug.layers[-1].weight)
    torch.nn.init.normal_(model.plug.layers[-1].bias)
    alone = make(DIN, tiny.FEATURES, encoders.sizes())
    alone.load_state_dict({name: v for name, v in model.state_dict().items() if not name.startswith("plug.")})
    asked = with_knowledge(rows)
    for kind in KINDS:
        asked[f"knowledge_{kind}"][:500] = 0
    asked["knowledge_item"][500:] = 0
    with_plug, without = model.predict(asked)["click"], alone.predict(rows)["click"]
    assert torch.equal(with_plug[:500], without[:500])
    assert bool(((with_plug[500:] - without[500:]).abs() > 1e-6).float().mean() > 0.95)  # one missing part of three
