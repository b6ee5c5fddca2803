"""Models on the same rows of one log: what stands in the table is what the runs predict, differences are paired."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import scipy.stats
import torch
import yaml

from app.cli.main import main
from recommend.config import ConfigError
from recommend.data.parquet import ParquetStream
from recommend.data.schema import day_file, table_files
from recommend.errors import RecommendError
from recommend.metrics.ranks import auc
from recommend.research.studies.statistics import holm
from recommend.training.compare import compare, rows
from recommend.training.runs import FEATURES, load_run
from recommend.training.scoring import predictions
from tests.recommend.support import tiny

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


def test_a_comparison_pairs_runs_and_trains_nothing_twice(log, tmp_path):
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
    pairs = list(zip(*table.values(), strict=True))
    rest = [user != u for u in np.unique(user)]
    without = [np.mean([auc(y[at], a[at]) - auc(y[at], b[at]) for a, b in pairs]) for at in rest]
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


def test_a_baseline_that_wins_is_named(log, tmp_path):
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
    for models, message in (
        ("dnn bist", "no model 'bist'; did you mean 'bst'"),
        ("dnn", "two models or more"),
        ("dnn msnet", r"msnet reads .* the log has no 'single'"),
        ("dnn keep_extractor", r"keep_extractor reads '[a-z_]+', which the log does not have"),
        ("dnn copr", "copr reads 'rank_score' of 'candidate', which the log does not have"),
        ("dnn rec4ad", "rec4ad reads 'is_ad' of 'impression', which the log does not have"),
        ("dnn keep", "keep is trained with published knowledge"),
        ("dnn mkt", "mkt reads 'entity', which the log does not have"),
    ):
        with pytest.raises(RecommendError, match=message):
            compare(log, models.split(), out, SMALL)
    assert not out.exists(), "all of this is known before anything is trained"
    compare(log, ["dnn", "din"], out, SMALL)
    asked = ["--data", str(log), "--models", "dnn,din", "--out", str(out)]
    assert main(["recommend", "compare", *asked, "--set", "mlp=[8]"]) == 2
    assert "with other settings" in capsys.readouterr().err
    tiny.write(day_file(log, "impression", 0), {**tiny.columns(300), "day": torch.zeros(300, dtype=torch.int64)})
    with pytest.raises(ConfigError, match="another log, or with other settings"):
        compare(log, ["dnn", "din"], out, SMALL)


def test_models_of_different_labels_are_not_compared(log, tmp_path):
    for file in table_files(log, "impression"):
        data = pq.read_table(file)
        pq.write_table(data.append_column("order", data["click"]).append_column("refund", data["click"]), file)
    with pytest.raises(ConfigError, match=r"of all rows and ecad predicts 'order' of rows with 'click'; .* apart"):
        compare(log, ["dnn", "ecad"], tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def of_users(log, many):
    """The log's rows as those of so many people."""
    for file in table_files(log, "impression"):
        data = pq.read_table(file)
        users = pa.array(np.arange(len(data)) % many)
        pq.write_table(data.set_column(data.schema.get_field_index("user_id"), "user_id", users), file)


def test_few_groups_are_said(log, tmp_path):
    of_users(log, 1)
    with pytest.raises(ConfigError, match="hold back more days"):
        compare(log, ["dnn", "din"], tmp_path / "out", SMALL)
    of_users(log, 2)
    comparison = compare(log, ["dnn", "din"], tmp_path / "out", SMALL)
    first = comparison["models"]["dnn"]["auc"]
    assert first["groups"] == 2
    assert first["high"] - first["low"] > 12 * 2 * 0.001, "the t-quantile of one degree of freedom"
    assert rows(comparison)[-1] == "The intervals rest on 2 groups (of users) only: take them for rough ones."


def test_positives_of_one_user_tell_nothing(log, tmp_path):
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


def test_the_command_judges_differences_together(log, tmp_path, capsys):
    settings = [part for knob in (*SMALL[0], *SMALL[1]) for part in ("--set", knob)]
    asked = ["--data", str(log), "--models", "dnn,din,two_tower", "--out", str(tmp_path / "out"), "--seeds", "1"]
    assert main(["recommend", "compare", *asked, *settings]) == 0
    assert "| din |" in capsys.readouterr().out
    comparison = json.loads((tmp_path / "out/compare.json").read_text())
    assert comparison["label"] == "click"
    for measure in ("auc over dnn", "logloss over dnn"):
        alone = []
        for name in ("din", "two_tower"):
            e = comparison["models"][name][measure]
            free = e["groups"] - 1
            t = abs(e["value"]) / ((e["high"] - e["low"]) / 2) * scipy.stats.t.ppf(0.975, free)
            alone.append(2 * scipy.stats.t.sf(t, free))
        together = [comparison["holm"][name][measure] for name in ("din", "two_tower")]
        assert together == pytest.approx(holm(alone), rel=1e-3)
        assert together != pytest.approx(alone, rel=1e-3)
