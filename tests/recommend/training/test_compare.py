"""Models on the same rows of one log: what stands in the table is what the runs predict, differences are paired."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import scipy.stats
import torch
import yaml

from app.cli.main import main
from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import day_file, table_files
from recommend.metrics.ranks import auc
from recommend.models.registry import build_model
from recommend.training.compare import _holm, compare, rows
from recommend.training.runs import FEATURES, load_run
from recommend.training.scoring import predictions
from recommend.training.trainer import train
from tests.recommend import tiny

BELOW = ("history count", "popularity by category", "boosted trees")
SMALL = (("mlp=[8]", "embedding=4"), ("threads=1", "batch_rows=64", "learning_rate=0.02"))


@pytest.fixture
def log(tmp_path):
    """Three days, with the features that an import declares."""
    for day in range(3):
        data = {**tiny.columns(400, seed=day), "day": torch.full((400,), day)}
        tiny.write(day_file(tmp_path / "log", "impression", day), data)
    declared = tiny.FEATURES.model_copy(update={"min_count": 1}).model_dump(mode="json", exclude_defaults=True)
    (tmp_path / "log" / FEATURES).write_text(yaml.safe_dump(declared), encoding="utf-8")
    return tmp_path / "log"


def test_a_comparison_is_that_of_the_runs_and_trains_nothing_twice(log, tmp_path):
    comparison = compare(log, ["dnn", "din"], tmp_path / "out", SMALL, seeds=(0, 1))
    table: dict[str, list] = {}
    for name in ("dnn", "din"):
        for seed in (0, 1):
            model, encode, split = load_run(tmp_path / f"out/{name}-{seed}", log)
            asked = ParquetStream(table_files(log, "impression", *split.test), model.features.columns)
            p = predictions(model, asked, encode, ["click", "user_id"])
            table.setdefault(name, []).append(p["p_click"])
    y, user = p["click"], p["user_id"]
    means = {name: np.mean([auc(y, score) for score in scores]) for name, scores in table.items()}
    for name, mean in means.items():
        assert comparison["models"][name]["auc"]["value"] == pytest.approx(mean)
    over = comparison["models"]["din"]["auc over dnn"]
    assert over["value"] == pytest.approx(means["din"] - means["dnn"])
    # Every one of the 30 users is a group: leaving one out of both models at once is what pairs them.
    without = [
        np.mean(
            [
                auc(y[user != u], a[user != u]) - auc(y[user != u], b[user != u])
                for a, b in zip(*table.values(), strict=True)
            ]
        )
        for u in np.unique(user)
    ]
    error = np.sqrt(29 / 30 * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert (over["high"] - over["low"]) / 2 == pytest.approx(2.0452 * error, rel=1e-3)
    assert "auc over dnn" not in comparison["models"]["dnn"]
    lines = rows(comparison)
    assert [line.split(" |")[0] for line in lines[2:7]] == [f"| {n}" for n in (*table, *(f"*{n}*" for n in BELOW))]
    assert "of the test rows (users left out in turn) for the mean of 2 seeds" in lines[7]
    p = 2 * scipy.stats.t.sf(abs(over["value"]) / error, 29)
    assert comparison["holm"]["din"]["auc over dnn"] == pytest.approx(p, rel=1e-3)
    assert ("din (p" in lines[8]) == (p < 0.05)
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "out").rglob("run.json")}
    assert compare(log, ["dnn", "din"], tmp_path / "out", SMALL, seeds=(0, 1)) == comparison
    assert {f: f.stat().st_mtime_ns for f in before} == before


def test_what_a_model_has_to_beat_stands_beside_it_and_is_said_where_it_wins(log, tmp_path):
    """Users click here what their history holds: a count of it ranks well, and a hardly trained model does not."""
    weak = (SMALL[0], ("threads=1", "batch_rows=1024", "learning_rate=1e-6", "table_rate=1e-6"))
    comparison = compare(log, ["dnn", "din"], tmp_path / "out", weak)
    raw = next(iter(ParquetStream(table_files(log, "impression", 2), [*tiny.FEATURES.columns], 400)))
    past, category = raw["history_category"], raw["category"]
    same = past.values == category[past.rows]
    count = torch.zeros(len(category)).index_add(0, past.rows, same.float())
    auc_below = {n: comparison["baselines"][n]["auc"]["value"] for n in BELOW}
    assert auc_below["history count"] == pytest.approx(auc(raw["click"].numpy(), count.numpy()))
    assert auc_below["history count"] > 0.7
    assert all(comparison["baselines"]["history count"]["logloss"][n] is None for n in ("value", "low", "high"))
    over = comparison["models"]["din"]["auc over history count"]
    assert over["value"] == pytest.approx(comparison["models"]["din"]["auc"]["value"] - auc_below["history count"])
    assert over["high"] < 0
    assert any(line.startswith("**din loses to history count**") for line in rows(comparison))


def test_what_cannot_be_compared_is_one_sentence(log, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="no model 'bist'; did you mean 'bst'"):
        compare(log, ["dnn", "bist"], out)
    with pytest.raises(ConfigError, match="two models or more"):
        compare(log, ["dnn"], out)
    with pytest.raises(DataError, match=r"msnet reads .* the log has no 'single'"):
        compare(log, ["dnn", "msnet"], out, SMALL)
    with pytest.raises(DataError, match=r"keep_extractor reads '[a-z_]+', which the log does not have"):
        compare(log, ["dnn", "keep_extractor"], out, SMALL)
    for name, read in (("copr", "'rank_score' of 'candidate'"), ("rec4ad", "'is_ad' of 'impression'")):
        with pytest.raises(DataError, match=f"{name} reads {read}, which the log does not have"):
            compare(log, ["dnn", name], out, SMALL)
    with pytest.raises(DataError, match="keep is trained with published knowledge"):
        compare(log, ["dnn", "keep"], out, SMALL)
    with pytest.raises(DataError, match=r"mkt reads 'entity', which the log does not have"):
        compare(log, ["dnn", "mkt"], out, SMALL)
    with pytest.raises(ConfigError, match="hold back more days"):
        compare(log, ["dnn", "din"], out, SMALL, by="day")
    assert not out.exists(), "all of this is known before anything is trained"
    compare(log, ["dnn", "din"], out, SMALL)
    assert (
        main(["recommend", "compare", "--data", str(log), "--models", "dnn,din", "--out", str(out), "--set", "mlp=[8]"])
        == 2
    )
    assert "with other settings" in capsys.readouterr().err
    tiny.write(day_file(log, "impression", 0), {**tiny.columns(300), "day": torch.zeros(300, dtype=torch.int64)})
    with pytest.raises(ConfigError, match="another log, or with other settings"):
        compare(log, ["dnn", "din"], out, SMALL)


def test_models_of_different_labels_are_not_compared(log, tmp_path, monkeypatch):
    for file in table_files(log, "impression"):
        data = pq.read_table(file)
        pq.write_table(data.append_column("order", data["click"]).append_column("refund", data["click"]), file)
    with pytest.raises(ConfigError, match=r"of all rows and ecad predicts 'order' of rows with 'click'; .* apart"):
        compare(log, ["dnn", "ecad"], tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def test_few_groups_are_said(log, tmp_path):
    comparison = compare(log, ["dnn", "din"], tmp_path / "out", SMALL, test_days=2, by="day")
    first = comparison["models"]["dnn"]["auc"]
    assert first["groups"] == 2
    assert first["high"] - first["low"] > 12 * 2 * 0.001, "the t-quantile of one degree of freedom"
    assert rows(comparison)[-1] == "The intervals rest on 2 groups (days) only: take them for rough ones."


def test_positives_of_one_user_group_tell_nothing(log, tmp_path):
    file = table_files(log, "impression", 2, 2)[0]
    data = pq.read_table(file)
    mine = pc.and_(data["click"], pc.equal(data["user_id"], data["user_id"][data["click"].index(True).as_py()]))
    place = data.schema.get_field_index("click")
    pq.write_table(data.set_column(place, "click", mine.cast(data.schema.field("click").type)), file)
    comparison = compare(log, ["dnn", "din"], tmp_path / "out", SMALL)
    assert comparison["models"]["din"]["auc over dnn"]["low"] is None
    assert comparison["holm"]["din"]["auc over dnn"] == 1
    json.dumps(comparison, allow_nan=False)
    lines = "\n".join(rows(comparison))
    assert "nan" not in lines
    assert "(Holm, 5 %): none." in lines
    assert "the rows are all of one label" in lines


def test_the_command_writes_the_table(log, tmp_path, capsys):
    out = str(tmp_path / "out")
    settings = [part for knob in (*SMALL[0], *SMALL[1]) for part in ("--set", knob)]
    assert (
        main(
            ["recommend", "compare", "--data", str(log), "--models", "dnn,din", "--out", out, "--seeds", "1", *settings]
        )
        == 0
    )
    assert "| din |" in capsys.readouterr().out
    assert json.loads((tmp_path / "out/compare.json").read_text())["label"] == "click"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_one_sentence():
    model = build_model(tiny.FEATURES, tiny.encoded(50)[0], ModelConfig(mlp=(8,)))
    with pytest.raises(ConfigError, match="no CUDA device"):
        train(model, None, TrainConfig(device="cuda", threads=1))  # before anything is read


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["dnn", "din"])
def test_a_cuda_device_trains_what_the_processor_trains(name):
    from recommend.data.memory import MemoryStream

    sizes, data = tiny.encoded(400)
    predictions_by_device = {}
    for device in ("cpu", "cuda"):
        model = build_model(tiny.FEATURES, sizes, ModelConfig(name=name, mlp=(8,)))
        train(model, MemoryStream(data, 64), TrainConfig(device=device, threads=1))
        predictions_by_device[device] = model.predict(data)["click"]
    assert torch.allclose(predictions_by_device["cpu"], predictions_by_device["cuda"], atol=1e-3)


def test_differences_of_many_models_are_judged_together():
    """Four models, each of which alone would differ at 2 %."""
    half = 2.0
    error = half / 2.0227  # the t-quantile of 39 degrees of freedom
    t = scipy.stats.t.isf(0.01, 39)
    one = {"auc over a": {"value": t * error, "low": t * error - half, "high": t * error + half, "groups": 40}}
    clear = {"auc over a": {"value": 9.0, "low": 7.0, "high": 11.0, "groups": 40}}
    adjusted = _holm({"a": {}, "b": one, "c": clear, "d": one, "e": one})
    assert adjusted["b"]["auc over a"] == pytest.approx(0.06, rel=1e-3)
    assert adjusted["c"]["auc over a"] < 1e-6
    assert adjusted["e"]["auc over a"] == pytest.approx(0.06, rel=1e-3)
