"""Every model on an imported log: it trains, or one sentence says what the log lacks; settings of a run."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from recommend.config import ConfigError, ModelConfig, TrainConfig, sort_changes
from recommend.data.oracle import write_truth
from recommend.data.schema import table_files
from recommend.errors import RecommendError
from recommend.imports.maps import LogMap
from recommend.imports.run import import_log
from recommend.models.base import Ranker
from recommend.models.registry import MODELS, model_config
from recommend.training.evaluation import evaluate_run
from recommend.training.runs import FEATURES, RUN, declared_features, labels_of, load_run, plan, train_run

LACKING = {
    "keep": "trained with published knowledge",
    "ecad": "lacks the columns refund",
    "hdr": "too few to learn from",
    "copr": "no ranking candidates",
    "rec4ad": "lacks the columns channel, is_ad",
    "mkt": "lacks the columns post_id",
    "keep_extractor": "lacks the columns cart",
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Impressions with labels, privileged signals and stock types."""
    root, rng, rows = tmp_path_factory.mktemp("imported"), np.random.default_rng(0), 600
    item = rng.integers(0, 40, rows)
    columns = {
        "who": rng.integers(0, 30, rows), "sku": item, "at": 1_600_000_000 + rng.integers(0, 4 * 1440, rows) * 60,
        "clicked": rng.random(rows) < 0.3, "paid": rng.random(rows) < 0.1, "dwell": rng.random(rows),
        "cat": item % 4, "one": item % 3 == 0,
    }  # fmt: skip
    pq.write_table(pa.table(columns), root / "log.parquet")
    log_map = {
        "user": "who",
        "item": "sku",
        "time": {"column": "at", "unit": "s"},
        "labels": {"click": "clicked", "order": "paid"},
        "target": {"category": "cat", "single": "one"},
        "privileged": {"dwell": "dwell"},
        "longest": 4,
    }
    import_log([root / "log.parquet"], LogMap.of(log_map), root / "log")
    return root / "log"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_or_says_what_is_lacking(log, tmp_path, name):
    def go():
        sizes = () if name == "mkt" else ("mlp=[8]", "attention=[8]")
        model = model_config(name, [*sizes, "embedding=4"])
        train = TrainConfig(threads=1, batch_rows=256)
        return train_run(log, plan(log, model, train, labels_of(log, name), 1), tmp_path / "run")

    if name in LACKING:
        with pytest.raises(RecommendError, match=LACKING[name]) as caught:
            go()
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run").exists(), "what cannot be trained leaves no folder"
    else:
        assert go().rows > 400


def test_labels_with_their_moments_train_ecad(tmp_path):
    """Clicks of which each has an order and a refund of its own, at their moments."""
    rng, rows, hour = np.random.default_rng(0), 800, 3600
    at = 1_600_000_000 + np.sort(rng.integers(0, 6 * 24 * hour, rows))
    paid, back = rng.random(rows) < 0.4, rng.random(rows) < 0.5
    order = at + rng.integers(60, 20 * hour, rows)
    columns = {
        "who": rng.integers(0, 30, rows), "sku": rng.integers(0, 40, rows), "at": at,
        "order": [int(t) if p else None for t, p in zip(order, paid, strict=True)],
        "refund": [int(t + hour) if p and b else None for t, p, b in zip(order, paid, back, strict=True)],
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    labels = {n: {"sql": f'"{n}" IS NOT NULL', "at": n} for n in ("order", "refund")}
    log_map = {
        "user": "who",
        "item": "sku",
        "time": {"column": "at", "unit": "s"},
        "labels": {**labels, "click": {"sql": "true"}},
        "history": ["all"],
    }
    import_log([tmp_path / "log.parquet"], LogMap.of(log_map), tmp_path / "log")
    settings = ["mlp=[8]", "attention=[8]", "embedding=4"]
    model = model_config("ecad", settings)
    train = TrainConfig(threads=1, batch_rows=128)
    run = plan(tmp_path / "log", model, train, labels_of(tmp_path / "log", "ecad"), 1)
    assert train_run(tmp_path / "log", run, tmp_path / "run").rows > 500
    results = evaluate_run(tmp_path / "run", tmp_path / "log")["measures"]
    assert {"order", "refund"} <= set(results)


def test_a_run_begins_at_the_base_rate(log, tmp_path, monkeypatch):
    """And trains the row of unknown ids: all of these days are known, so that only those read as unknown move it."""
    moved, began, plain = {}, [], Ranker.start_at

    def start_at(self, rates):
        plain(self, rates)
        began.append((rates, [m.detach().clone() for m in (row_0(self), self.top.layers[-1].bias)]))

    def row_0(model):
        return model.inputs.tables.tables["item_id"].weight[0]

    monkeypatch.setattr("recommend.layers.inputs.FEW", 0)
    monkeypatch.setattr(Ranker, "start_at", start_at)
    for share in (0.0, 0.5):
        model, out = model_config("dnn", ["mlp=[8]", "embedding=4", f"unknown_ids={share}"]), tmp_path / str(share)
        train_run(log, plan(log, model, TrainConfig(threads=1, batch_rows=64), ("click",), 1), out)
        trained, _, days = load_run(out, log)
        moved[share] = not torch.equal(began[-1][1][0], row_0(trained))
    files = table_files(log, "impression", *days.train)
    clicks = np.concatenate([np.asarray(pq.read_table(f)["click"]) for f in files])
    rates, (_, bias) = began[0]
    assert rates == pytest.approx({"click": clicks.mean()})
    assert float(bias.sigmoid()) == pytest.approx(clicks.mean())
    assert moved == {0.0: False, 0.5: True}


def test_without_a_clock_the_seed_orders_the_rows(log, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        "recommend.training.runs.train", lambda model, stream, *_, **__: read.append([b["user_id"] for b in stream])
    )
    steps = tmp_path / "steps"
    for file in table_files(log, "impression"):
        (steps / "impression" / file.parent.name).mkdir(parents=True)
        rows = pq.read_table(file).drop_columns("hour")
        pq.write_table(rows, steps / "impression" / file.parent.name / file.name)
    declared = declared_features(log)
    remaining = [f for f in declared.features if f.column != "hour" and f.kind != "count"]
    values = {**declared.model_dump(mode="json"), "features": [f.model_dump(mode="json") for f in remaining]}
    (steps / FEATURES).write_text(yaml.safe_dump(values), encoding="utf-8")
    for of, seed in ((log, 0), (steps, 0), (steps, 1), (steps, 0)):
        run = plan(of, model_config("dnn", ["mlp=[8]"]), TrainConfig(threads=1, seed=seed), ("click",), 1)
        train_run(of, run, tmp_path / f"{len(read)}")
    written, first, second, again = (torch.cat(rows).tolist() for rows in read)
    assert sorted(first) == sorted(written)
    assert first not in (written, second)
    assert first == again


def test_a_known_truth_stands_beside_the_measures(log, tmp_path):
    model = model_config("dnn", ["mlp=[8]", "embedding=4"])
    train_run(log, plan(log, model, TrainConfig(threads=1), labels_of(log, "dnn"), 2), tmp_path / "run")
    stored = json.loads((tmp_path / "run" / RUN).read_text()) | {"watch_days": [5, 5]}  # as earlier versions wrote it
    (tmp_path / "run" / RUN).write_text(json.dumps(stored))
    results = evaluate_run(tmp_path / "run", log)
    below = [n for n in results["measures"] if n.endswith(" of click")]
    assert [*results["measures"]] == ["click", *below]
    higher = [n for n in below if results["measures"][n]["auc"] > results["measures"]["click"]["auc"]]
    assert [f"{n} of click" for n in results["loses"]] == higher
    assert {"popularity by category of click", "boosted trees of click"} <= set(below)
    for file in table_files(log, "impression"):
        click = pq.read_table(file, columns=["click"])["click"].to_numpy(zero_copy_only=False)
        write_truth(log.parent, f"impression/{file.parent.name}", {"p_click_without_page": click * 0.5 + 0.1})
    results = evaluate_run(tmp_path / "run", log)["measures"]
    assert results["oracle of click"]["auc"] == 1 > results["click"]["auc"]


def test_settings_are_typed():
    config = ModelConfig().changed(["mlp=[32, 16]", "dropout=0.1", "softmax=true"])
    assert (config.mlp, config.dropout, config.softmax) == ((32, 16), 0.1, True)
    for wrong, message in (
        ("learning_rat=0.1", "no setting 'learning_rat'; did you mean 'learning_rate'"),
        ("batch_rows=many", "'batch_rows' cannot be 'many'"),
        ("batch_rows=0", "'batch_rows' cannot be 0: input should be greater than 0"),
        ("precision=fp16", "'precision' cannot be 'fp16': input should be 'fp32' or 'bf16'"),
        ("batch_rows", "write knob=value"),
    ):
        with pytest.raises(ConfigError, match=message):
            TrainConfig().changed([wrong])


def test_a_yaml_file_is_read_or_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: dnn\nembedding: 8\n")
    assert ModelConfig.read(path).embedding == 8
    path.write_text("just a text")
    with pytest.raises(ConfigError, match="name: value"):
        ModelConfig.read(path)
    with pytest.raises(ConfigError, match="cannot read"):
        ModelConfig.read(tmp_path / "none.yaml")


def test_settings_go_to_model_or_training():
    assert sort_changes(["mlp=[8]", "epochs=2"]) == (("mlp=[8]",), ("epochs=2",))
    for wrong, message in (
        ("epoch=2", "did you mean 'epochs'"),
        ("epochs", "write knob=value"),
        ("epochs=x", "cannot be"),
        ("seed=1", "no knob 'seed'"),
    ):
        with pytest.raises(ConfigError, match=message):
            sort_changes([wrong])
