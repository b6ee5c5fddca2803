"""KEEP: knowledge depends on its own key alone, the plug starts at zero, and nothing leaks, neither back nor ahead."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.knowledge import KnowledgeStore
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError
from recommend.data.schema import CHANNELS
from recommend.data.world import write_world
from recommend.data.world.write import LOG
from recommend.experiments.arms import FEATURES
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes import keep
from recommend.experiments.setups import keep_lab
from recommend.experiments.setups.keep_data import (
    SuperDomain,
    day_by_day,
    extract,
    list_items,
    looked_up,
    publish,
)
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Column, Ragged, select_batch, slice_batch
from recommend.losses.pointwise import bce
from recommend.metrics.ranks import auc
from recommend.models.base import label
from recommend.models.baselines.din import DIN
from recommend.models.keep import KEEP, KINDS, Extractor, knowledge_features
from recommend.training import checkpoint, runs
from recommend.training.knowledge import coordinates, started
from recommend.training.run_config import RunConfig
from recommend.training.trainer import train
from tests.recommend import tiny

DAY = 86_400_000
CONFIG = ModelConfig(embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1, tower=6)
TASKS = ("click", "order")
PLUGGED = FeatureMap(features=(*tiny.FEATURES.features, *knowledge_features(6)))
SHARED = FeatureMap(
    features=tuple(f for f in FEATURES.features if f.column != "item_age_h"), labels=("click", "cart", "order")
)
CUT = 4  # the tiny world's sub-domain begins on this day

Rows = dict[str, Column]


def make(cls: type, features: FeatureMap, sizes: dict[str, int], config: ModelConfig = CONFIG):
    torch.manual_seed(0)
    return cls(features, sizes, config).eval()


@pytest.fixture(scope="module")
def data() -> tuple[Encoders, Rows]:
    encoders = Encoders.fit(tiny.FEATURES, [tiny.columns(1_024)])
    return encoders, encoders(tiny.columns(1_024))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    knobs = {"impressions": 12_000, "users": 60, "days": 8, "new_items_per_day": 300, "many_items": 60}
    write_world(folder, scale="small", seed=3, knobs=knobs)
    return folder


@pytest.fixture(scope="module")
def domain(world: Path) -> SuperDomain:
    return SuperDomain.read(world, FEATURES, first=CUT, min_count=2)


@pytest.fixture
def lab(domain: SuperDomain, monkeypatch: pytest.MonkeyPatch) -> keep_lab.Lab:
    """The recipe's, on the tiny world's days: the plug on day 4, the refresh on day 6, the end on day 7."""
    for module in (keep_lab, keep):
        for name, day in {"FIRST": CUT, "REFRESH": 6, "LAST": 7}.items():
            monkeypatch.setattr(module, name, day, raising=False)
    return lab_of(domain)


def lab_of(domain: SuperDomain) -> keep_lab.Lab:
    small = ("embedding=4", "mlp=[8,4]", "attention=[4]", "tower=6")
    return keep_lab.Lab(domain, Setting("small", 0, Path(), {}, small))


@pytest.fixture(scope="module")
def extractor(domain: SuperDomain) -> Extractor:
    return make(Extractor, SHARED, domain.encoders.sizes())


def with_knowledge(rows: Rows, seed: int = 0) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    count = len(rows["user_id"])
    return {**rows, **{f"knowledge_{kind}": torch.randn(count, 6, generator=generator) for kind in KINDS}}


# Test 1: factorisation.


@pytest.mark.parametrize(
    ("tower", "own"),
    [
        ("user_vector", {"user_id", "history_item", "history_category"}),
        ("item_vector", {"item_id", "category", "price"}),
        ("pair_vector", {"user_id", "history_item", "history_category", "category"}),
    ],
)
def test_a_vector_depends_on_the_fields_of_its_own_key_alone(
    data: tuple[Encoders, Rows], tower: str, own: set[str]
) -> None:
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


def test_the_store_holds_what_serving_would_compute(domain: SuperDomain, extractor: Extractor, tmp_path: Path) -> None:
    """The first request of each user after publication sees the same history: its vectors equal the stored ones."""
    with KnowledgeStore(tmp_path) as store:
        publish(store, extractor, domain, CUT * DAY)
        list_items(store, extractor, domain, CUT * DAY, 8 * DAY)
        later = domain.where(CUT, 7)
        _, first = np.unique(domain.raw["user_id"][later], return_index=True)
        rows = later[np.sort(first)]
        rows = rows[domain.raw["item_id"][rows] >= 0]
        with store.snapshot() as snapshot:
            found = looked_up(snapshot, {name: values[rows] for name, values in domain.raw.items()})
    online = domain.rows(rows)
    with torch.no_grad():
        computed = {kind: getattr(extractor, f"{kind}_vector")(online) for kind in KINDS}
    items = torch.from_numpy(domain.raw["channel"][rows] != 3)  # posts have content and a category of their own
    assert len(rows) > 30
    seen = np.isin(domain.raw["user_id"][rows], domain.raw["user_id"][domain.where(0, CUT - 1)])
    assert bool(((found["knowledge_user"] != 0).any(1) == torch.from_numpy(seen)).all())
    torch.testing.assert_close(found["knowledge_user"][seen], computed["user"][seen], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found["knowledge_item"][items], computed["item"][items], atol=1e-5, rtol=1e-4)
    known = (found["knowledge_pair"] != 0).any(1)
    assert known.float().mean() > 0.5
    torch.testing.assert_close(found["knowledge_pair"][known], computed["pair"][known], atol=1e-5, rtol=1e-4)


def test_the_extractors_logit_is_the_joint_one_and_its_loss_sums_the_tasks(data: tuple[Encoders, Rows]) -> None:
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


# Test 2: an old checkpoint is inherited.


def test_an_old_checkpoint_gives_the_same_predictions_when_the_plug_is_put_in(data: tuple[Encoders, Rows]) -> None:
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


def test_concatenation_cannot_inherit_the_checkpoint(data: tuple[Encoders, Rows]) -> None:
    encoders, _ = data
    old = make(DIN, tiny.FEATURES, encoders.sizes())
    wider = make(KEEP, PLUGGED, encoders.sizes())
    wider.top = wider.mlp(wider.body_width + 18)
    with pytest.raises(RuntimeError, match=r"size mismatch for top\.layers\.0\.weight"):
        wider.inherit(old)
    with pytest.raises(RuntimeError, match="does not fit"):
        make(KEEP, PLUGGED, encoders.sizes()).inherit(make(Extractor, tiny.FEATURES, encoders.sizes()))


# Test 3: no leak back.


def test_training_the_ranker_leaves_the_extractor_as_it_is(domain: SuperDomain, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"batch_norm": True})
    extractor = make(Extractor, SHARED, domain.encoders.sizes(), config)
    train(extractor, MemoryStream(domain.window(0, CUT - 1), 512), TrainConfig(threads=1))
    before = {name: value.clone() for name, value in extractor.state_dict().items()}
    assert any("running_mean" in name for name in before)
    features = FeatureMap(features=(*FEATURES.features, *knowledge_features(6)))
    model = make(KEEP, features, domain.encoders.sizes())
    with KnowledgeStore(tmp_path) as store:
        publish(store, extractor.eval(), domain, CUT * DAY)

        def days() -> Iterator[tuple[Rows, Rows]]:
            for day in range(CUT, 8):
                list_items(store, extractor, domain, day * DAY, (day + 1) * DAY)
                index = domain.where(day, day, "ads")
                with store.snapshot() as snapshot:
                    found = looked_up(snapshot, {name: values[index] for name, values in domain.raw.items()})
                rows = {**domain.rows(index), **found}
                yield rows, rows

        started = {name: value.clone() for name, value in model.state_dict().items()}
        predicted = day_by_day(model, days(), TrainConfig(batch_rows=64))
    assert len(predicted) == len(domain.where(CUT, 7, "ads"))
    assert not torch.equal(model.plug.layers[-1].weight, started["plug.layers.2.weight"])
    assert all(torch.equal(value, before[name]) for name, value in extractor.state_dict().items())


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


# Test 4: time.


def altered(world: Path, to: Path) -> Path:
    """The same world until day 4 begins, and another from then on; ripe labels, which later events made, are others
    everywhere."""
    shutil.copytree(world, to)
    rng = np.random.default_rng(0)
    same = {"impression_id", "time_ms", "day", "listed_ms"}
    for file in (to / LOG).glob("*/day=*/*.parquet"):
        table = pq.read_table(file, partitioning=None)
        later = int(file.parent.name.removeprefix("day=")) >= CUT
        ripe = {"click", "cart", "order"} & set(table.schema.names)
        keys = {"item_id"} if file.parent.parent.name == "item" else set()
        moved = [n for n in table.schema.names if n not in same | keys and (later or n in ripe)]
        order = pa.array(rng.permutation(len(table)))
        for name in moved:
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(at), table[name].take(order))
        pq.write_table(table, file)
    return to


def test_later_events_have_no_part_in_what_a_labs_extractor_publishes(
    world: Path, lab: keep_lab.Lab, tmp_path: Path
) -> None:
    """To the bit, from the fitting of the vocabularies on; with a window that is longer the knowledge is another."""
    other = lab_of(SuperDomain.read(altered(world, tmp_path / "world"), FEATURES, first=CUT, min_count=2))
    longer = lab.pretrained(lab.new(Extractor, keep_lab.EXTRACTED), 0, CUT)
    assert not np.array_equal(other.domain.raw["user_id"], lab.domain.raw["user_id"])
    found, changed = {}, 0
    for name, of in {"as it was": lab, "altered": other}.items():
        with KnowledgeStore(tmp_path / name) as store:
            publish(store, of.extractor, of.domain, CUT * DAY)
            with store._env.begin() as transaction:
                found[name] = dict(transaction.cursor())
    assert len(found["altered"]) > 1_000
    assert found["altered"] == found["as it was"]
    for kind, (keys, vectors) in extract(longer, lab.domain, CUT * DAY).items():
        changed += int((vectors != extract(lab.extractor, lab.domain, CUT * DAY)[kind][1]).any(1).sum())
        assert len(keys) == len(vectors)
    assert changed > 1_000


def test_an_extractor_that_has_seen_later_events_cannot_publish(lab: keep_lab.Lab, tmp_path: Path) -> None:
    assert lab.extractor.until_ms == CUT * DAY
    assert lab.refreshed.until_ms == 6 * DAY
    with KnowledgeStore(tmp_path) as store:
        publish(store, lab.extractor, lab.domain, CUT * DAY)
        with pytest.raises(DataError, match=f"has learned events until {6 * DAY} ms"):
            publish(store, lab.refreshed, lab.domain, 6 * DAY - 1)
        with pytest.raises(DataError, match=f"cannot publish knowledge of events until {CUT * DAY} ms"):
            list_items(store, lab.refreshed, lab.domain, CUT * DAY, 5 * DAY)
        assert [v.until_ms for v in store.versions()] == [CUT * DAY]
        publish(store, lab.refreshed, lab.domain, 6 * DAY)
    leaky = keep._leaky(lab)  # goes round it, by writing to the store
    assert [len(leaky[day]["knowledge_user"]) for day in leaky] == [
        len(lab.domain.where(day, day, "ads")) for day in range(CUT, 8)
    ]


def test_a_run_does_not_go_on_from_one_that_has_learned_later_days(tmp_path: Path) -> None:
    """Its own last day is what its knowledge is published under."""

    def run(last: int) -> RunConfig:
        return RunConfig(
            model=ModelConfig(name="keep_extractor"),
            train=TrainConfig(),
            labels=TASKS,
            content=0,
            history=20,
            min_count=1,
            train_days=(0, last),
            test_days=(last + 1, last + 2),
        )

    (tmp_path / runs.RUN).write_text(run(last=9).model_dump_json(), encoding="utf-8")
    (tmp_path / checkpoint.NAME).write_bytes(b"weights")
    assert started(run(last=9), tmp_path).start == started(run(last=12), tmp_path).start == coordinates(tmp_path)
    with pytest.raises(ConfigError, match=r"has learned days until 9, .* may not end with day 8"):
        started(run(last=8), tmp_path)


def test_what_is_forgotten_is_measured_before_the_days_ads_are_learned(lab: keep_lab.Lab) -> None:
    """Other labels of the last day's ads change what the model is at the end, and not what it said of that day."""

    def measured(day: int) -> dict[str, float]:
        ads = (lab.domain.raw["day"] == day) & (lab.domain.raw["channel"] == CHANNELS.index("ads"))
        click = label(lab.domain.columns, "click")
        other = click.where(~torch.from_numpy(ads), ~click.bool() if click.dtype == torch.bool else 1 - click)
        of = lab_of(replace(lab.domain, columns={**lab.domain.columns, "click": other}))
        of.__dict__["whole"] = lab.whole
        return keep._fine_tuned(of)[1]

    p, as_it_was = keep._fine_tuned(lab)
    assert len(p) == len(lab.asked)
    last, before = measured(7), measured(6)
    assert last["auc_elsewhere"] == as_it_was["auc_elsewhere"] != before["auc_elsewhere"]
    assert last["auc_day14"] != as_it_was["auc_day14"]
    left, untouched = keep._fine_tuned(lab, learn=False)[1], lab.clicks_of(lab.whole)
    rows = lab.elsewhere(CUT, 7)
    click, said = lab.domain.raw["click"][rows], lab.scored(untouched, rows)
    assert left["auc_elsewhere"] == auc(click, said)  # days 4 to 7 are the last four here
    assert left["auc_day14"] == auc(click[lab.domain.raw["day"][rows] == CUT], said[lab.domain.raw["day"][rows] == CUT])


def test_labels_are_those_known_when_the_window_ends(domain: SuperDomain) -> None:
    """A cart or an order that comes later is not known yet, though the log's ripe label says it."""
    unripe = dict.fromkeys(TASKS, 0)
    for last in range(7):
        window, ripe = domain.window(0, last), domain.rows(domain.where(0, last))
        for task in TASKS:
            assert bool((label(window, task) <= label(ripe, task)).all())
            unripe[task] += int(label(ripe, task).sum()) - int(label(window, task).sum())
    assert unripe["order"] > 0
    assert int(label(window, "order").sum()) > 0


def test_a_request_of_before_the_publication_is_refused(
    domain: SuperDomain, extractor: Extractor, tmp_path: Path
) -> None:
    with KnowledgeStore(tmp_path) as store:
        publish(store, extractor, domain, CUT * DAY)
        rows = domain.where(CUT - 1, CUT, "ads")
        with store.snapshot() as snapshot, pytest.raises(DataError, match="published before it"):
            looked_up(snapshot, {name: values[rows] for name, values in domain.raw.items()})


# Test 5: storage.


def test_storage_is_users_and_items_and_active_pairs(domain: SuperDomain, extractor: Extractor) -> None:
    rows = {kind: len(keys) for kind, (keys, _) in extract(extractor, domain, CUT * DAY).items()}
    shown = domain.raw["time_ms"] < CUT * DAY
    assert rows["user"] == len(np.unique(domain.raw["user_id"][shown]))
    assert rows["item"] == int((domain.items["listed_ms"] < CUT * DAY).sum())
    assert rows["pair"] == len({*zip(domain.raw["user_id"][shown], domain.raw["category"][shown], strict=True)})
    assert rows["pair"] <= rows["user"] * 60
    assert sum(rows.values()) < 0.1 * rows["user"] * rows["item"]


# Test 6: knowledge of others is worth nothing; what is one's own is.


def test_an_extractors_knowledge_of_other_users_neither_helps_nor_hurts() -> None:
    """Each user likes some categories: what an extractor learned of the user says so, and that of another does not."""
    raw = tiny.columns(6_000)
    likes = torch.from_numpy(np.random.default_rng(50).random((30, 5)) < 0.5)
    rate = 0.15 + 0.5 * likes[label(raw, "user_id"), label(raw, "category")].float()
    raw["click"] = torch.rand(6_000, generator=torch.Generator().manual_seed(0)) < rate
    encoders = Encoders.fit(tiny.FEATURES, [raw])
    rows = encoders(raw)
    extractor = make(Extractor, tiny.FEATURES, encoders.sizes())
    train(
        extractor, MemoryStream(slice_batch(rows, 0, 4_500), 64), TrainConfig(epochs=4, learning_rate=0.005, threads=1)
    )
    extractor.eval()

    def known(of: Rows) -> Rows:
        with torch.no_grad():
            return {f"knowledge_{kind}": getattr(extractor, f"{kind}_vector")(of) for kind in KINDS}

    later = slice_batch(rows, 4_500, 6_000)
    shuffled = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    user = encoders.row("user_id", shuffled[label(raw, "user_id")[4_500:]])
    losses = {}
    for name, found in {"own": known(later), "other": known({**later, "user_id": user}), "none": {}}.items():
        model = make(KEEP if found else DIN, PLUGGED if found else tiny.FEATURES, encoders.sizes())
        learned, held = (slice_batch({**later, **found}, *part) for part in ((0, 1_000), (1_000, 1_500)))
        train(model, MemoryStream(learned, 64), TrainConfig(epochs=2, learning_rate=0.005, threads=1))
        model.eval()
        with torch.no_grad():
            losses[name] = float(model.loss(model(held), held))
    assert losses["own"] < losses["none"] - 0.03
    assert abs(losses["other"] - losses["none"]) < 0.015


# Test 7: missing keys.


def test_rows_without_any_known_key_are_scored_by_the_din_alone(data: tuple[Encoders, Rows]) -> None:
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


def test_users_of_whom_nothing_is_known_are_published_and_served(domain: SuperDomain, extractor: Extractor) -> None:
    rows = domain.behaviour(np.array([0, 59]), until_ms=-1)  # before the first click
    history = rows["history_item"]
    assert isinstance(history, Ragged)
    assert int(history.lengths.sum()) == 0
    with torch.no_grad():
        assert torch.isfinite(extractor.user_vector(rows)).all()
