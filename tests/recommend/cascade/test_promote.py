"""A promotion's copy of the conversion model: made of old labels, served in its days alone, rolled back when sick."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from recommend.cascade import promote as promoting
from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import FeedConfig
from recommend.cascade.promote import Target, promote
from recommend.cascade.registry import PROMOTION, Registry
from recommend.cascade.request import DAY_MS, HOUR_MS, Moment
from recommend.cascade.scoring import Models
from recommend.config import ModelConfig, TrainConfig
from recommend.data.parquet import DataError
from recommend.data.ragged import select_batch
from recommend.data.schema import table_files
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.models.hdr import Rates, fine_tune
from recommend.models.registry import build_model, model_class
from recommend.training.runs import plan, train_run
from tests.recommend.support import tiny
from tests.recommend.support.feed import SIZE, item, write_log

PROMOTIONS = {4: 1, 5: 1, 13: 2, 14: 2, 22: 3, 23: 3}
DAY = 22
NOON = DAY * DAY_MS + 12 * HOUR_MS
TARGET = Target(DAY, DAY + 1, 3, "summer sale", (4, 5, 13, 14))
LABELS_OF = {"esmm": ("click", "order"), "ecad": ("order", "refund")}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A log, and conversion models that were trained on the days before the promotion."""
    root = tmp_path_factory.mktemp("promotions")
    log = write_log(root / "log", 24, PROMOTIONS)
    for name, labels in LABELS_OF.items():
        # Orders of this log depend on the promotion alone: a model that learned its noise would have scores that shift.
        mlp = (16, 16) if name == "ecad" else (16,)
        model = ModelConfig(name=name, embedding=8, mlp=mlp, initial_std=0.01, layer_norm=False)
        train = TrainConfig(
            batch_rows=64 if name == "ecad" else 256,  # clicks, or all
            learning_rate=5e-3, table_rate=0.0, schedule="constant", warmup=0.0, threads=1,
        )  # fmt: skip
        train_run(log, plan(log, model, train, labels, 2), root / name)
    return root


@pytest.fixture
def registry(tmp_path, world) -> Registry:
    new_registry = Registry(tmp_path / "models", healthy)
    new_registry.install(world / "esmm", "conversion")
    return new_registry


def feed(registry: Registry) -> Feed:
    cascade = Feed(SIZE, Models(registry), FeedConfig(candidates=50, ranked=20, size=10))
    for item_id in range(1, 40):
        cascade.put(item(item_id), moment(DAY))
    return cascade


def moment(day: int, hour: int = 12) -> Moment:
    return Moment(day * DAY_MS + hour * HOUR_MS, promotion=3 if DAY <= day <= DAY + 1 else 0)


def weights(registry: Registry, version: str) -> dict[str, torch.Tensor]:
    state = load_file(registry.folder(PROMOTION, version) / "checkpoint.safetensors")
    return {name: tensor for name, tensor in state.items() if name.startswith("model.")}


@pytest.mark.parametrize("name", LABELS_OF)
def test_a_copy_begins_as_its_model_and_learns(name):
    features = FeatureMap(features=tiny.FEATURES.features, labels=LABELS_OF[name])
    data = {**tiny.columns(600), "refund": torch.zeros(600, dtype=torch.bool)}
    encoders = Encoders.fit(features, [data])
    batch = encoders(data)
    small = ModelConfig(name=name, embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1)
    base = build_model(features, encoders.sizes(), small)
    copy = build_model(features, encoders.sizes(), small.model_copy(update={"name": model_class(name).copy}), seed=1)
    missing, unknown = copy.load_state_dict(base.state_dict(), strict=False)
    assert not unknown
    assert len(missing) == 2
    asked, answers = base.predict(batch), copy.predict(batch)
    assert all(torch.allclose(answers[task], asked[task], atol=1e-6) for task in asked)
    tuned = fine_tune(copy, [batch] * 30, Rates(net=1e-5, block=0.01), ratio=1.0)
    ordered, before, after = data["order"].float().mean(), asked["order"].mean(), tuned.predict(batch)["order"].mean()
    assert abs(after - ordered) < 0.7 * abs(before - ordered)
    assert all(torch.equal(base.predict(batch)[task], asked[task]) for task in asked)
    if name == "esmm":
        assert torch.allclose(tuned.predict(batch)["click"], asked["click"], atol=1e-3)


def test_a_copy_serves_its_days_alone(registry, world):
    promoted = promote(registry, world / "log", TARGET, NOON)
    assert set(promoted.days) < {4, 5, 13, 14}
    assert promoted.orders >= promoting.FEWEST_ORDERS
    served = feed(registry)
    base = registry.load("conversion").name
    copy = f"esmm_copy {promoted.version} of {base}"
    for day, by, degraded in ((DAY - 1, base, False), (DAY, copy, False), (DAY + 1, copy, False)):
        served.models.refresh(day)
        slate = served.slate(1, moment(day))
        assert slate.models["conversion"] == by
        assert slate.models.get("promotion", by) == by
        assert ("promotion" in slate.degraded) is degraded
    for idle in ("esmm_copy", "esmm"):  # the copy, or what it is a copy of, waits without being thrown away
        registry.idle = lambda idle=idle: {idle: "no promotion declared"}
        served.models.refresh(DAY)
        assert served.models.copy(moment(DAY)) is None
        assert registry.versions(PROMOTION) == [promoted.version]
    registry.idle = dict
    served.models.refresh(DAY)
    assert served.slate(1, moment(DAY)).models["conversion"] == copy
    # A second after midnight, before anybody has looked at the registry again, the copy scores nobody.
    assert served.slate(1, moment(DAY + 2, 0)).models["conversion"] == base
    served.models.refresh(DAY + 2)
    assert registry.versions(PROMOTION) == []
    assert registry.current(PROMOTION) == ""
    assert [(e["what"], e["why"]) for e in registry.events(1)] == [("discarded", "its days are over")]
    assert served.slate(1, moment(DAY)).models["promotion"] == "none"
    again = promote(registry, world / "log", TARGET, NOON)
    assert again.version != promoted.version  # who holds the old one must notice
    served.close()


@pytest.mark.parametrize("name", LABELS_OF)
def test_the_copy_repairs_the_promotions_afternoon(tmp_path, world, name):
    """The model promises half of what happens; the labels of two earlier promotion days repair most of it."""
    log, registry = world / "log", Registry(tmp_path / "models", healthy)
    registry.install(world / name, "conversion")
    base = registry.load("conversion")
    promoted = promote(registry, log, TARGET, NOON)
    copy, problem = registry.check(PROMOTION, promoted.version)
    assert not problem
    clicks = promoting.read_clicks(log, base, 40 * DAY_MS)
    late = clicks.time > NOON
    batch = base.encoders(select_batch(clicks.columns, torch.from_numpy(np.flatnonzero(late))))
    observed = np.isfinite(clicks.ordered[late]).mean()
    before, after = (float(m.model.predict(batch)["order"].mean()) for m in (base, copy))
    assert before < 0.7 * observed
    assert abs(after - observed) < 0.6 * abs(before - observed)


def test_no_label_of_the_day_reaches_the_copy(registry, world, tmp_path):
    """Every order that comes after the moment is taken away, and all labels of the day are turned round: the weights
    stay to the bit. Orders of the retrieved days change them."""
    log = world / "log"
    first = promote(registry, log, TARGET, NOON)

    def rewritten(name: str, table: str, day: int, change) -> Path:
        out = tmp_path / name
        shutil.copytree(log, out)
        for file in table_files(out, table, day):
            pq.write_table(change(pq.read_table(file)), file)
        return out

    def turned(table: pa.Table) -> pa.Table:
        for name in ("click", "cart", "order", "refund"):
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.schema.field(name), pc.invert(table[name]))
        return table

    later = rewritten("later", "order", 0, lambda t: t.filter(pc.less_equal(t["time_ms"], NOON)))
    today = rewritten("today", "impression", DAY, turned)
    for other in (later, today):
        one, two = (weights(registry, v) for v in (first.version, promote(registry, other, TARGET, NOON).version))
        assert all(torch.equal(one[name], two[name]) for name in one)
    without = rewritten("without", "order", 0, lambda t: t.filter(pc.equal(pc.bit_wise_and(t["impression_id"], 1), 0)))
    changed = promote(registry, without, TARGET, NOON)
    assert changed.days != first.days or changed.orders < first.orders


def test_a_sick_copy_is_rolled_back(registry, world):
    promoted = promote(registry, world / "log", TARGET, NOON)
    file = registry.folder(PROMOTION, promoted.version) / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-64] + b"\0" * 64)
    served = feed(registry)
    served.models.refresh(DAY)
    slate = served.slate(1, moment(DAY))
    served.close()
    assert slate.models["conversion"] == "esmm 0001"
    assert slate.models["promotion"] == "none"
    assert "promotion" in slate.degraded
    assert "conversion" not in slate.degraded
    assert [e["what"] for e in registry.events(3)] == ["discarded", "rolled back", "failed"]
    assert registry.versions(PROMOTION) == []


def test_a_copy_goes_with_its_model(registry, world):
    promote(registry, world / "log", TARGET, NOON)
    served = feed(registry)
    served.models.refresh(DAY)
    registry.install(world / "esmm", "conversion")
    served.models.refresh(DAY)
    assert served.slate(1, moment(DAY)).models["conversion"] == "esmm 0002"
    assert "0001, and esmm 0002 serves" in registry.events(1)[0]["why"]
    # Another promotion's number, or none at all, does not get the copy either.
    promote(registry, world / "log", TARGET, NOON)
    served.models.refresh(DAY)
    assert served.models.copy(moment(DAY)) is not None
    assert served.models.copy(Moment(NOON, promotion=4)) is None
    assert served.models.copy(Moment(NOON)) is None
    served.close()


def test_what_cannot_have_a_copy_is_one_sentence(registry, world, tmp_path, monkeypatch):
    log = world / "log"
    with pytest.raises(DataError, match="no conversion model serves"):
        promote(Registry(tmp_path / "none", healthy), log, TARGET, NOON)
    with pytest.raises(DataError, match="no earlier promotion that is over for 7 days"):
        promote(registry, log, Target(DAY, DAY, 1, "first", (16, 17)), NOON)
    with pytest.raises(DataError, match="there is no log in"):
        promote(registry, tmp_path, TARGET, NOON)
    with monkeypatch.context() as patch:
        patch.setattr(promoting, "FEWEST_CLICKS", 100_000)
        with pytest.raises(DataError, match="too few to learn from"):
            promote(registry, log, TARGET, NOON)
    monkeypatch.setattr(promoting, "TOLERANCE", 0.5)
    with pytest.raises(DataError, match="the copy is not served: it predicts"):
        promote(registry, log, TARGET, NOON)
    assert registry.versions(PROMOTION) == []
