"""A run at work: scores in a file and from an exported program are the model's; ids are those of the log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from app.cli.main import main
from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.ragged import Batch, Ragged
from recommend.data.schema import table_files
from recommend.features.counts import Counts
from recommend.imports.maps import LogMap
from recommend.models.base import Ranker
from recommend.models.baselines.din import DIN
from recommend.training.export import export
from recommend.training.runs import FEATURES, labels_of, load_run, plan, read_run, train_run
from recommend.training.score import score_log
from recommend.training.scoring import predictions
from tests.recommend.support.imports import EVENTS, bring, events, parquet

pytestmark = pytest.mark.slow

MODELS = ("din", "esmm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An imported log with texts, and small runs on it."""
    root = tmp_path_factory.mktemp("serving")
    bring(parquet(root / "log.parquet", events(1_500, 50)), EVENTS, root / "log")
    declared = yaml.safe_load((root / "log" / FEATURES).read_text())
    price = next(f for f in declared["features"] if f["column"] == "price")
    price |= {"kind": "id", "buckets": 5}
    declared["features"].append({"column": "category x hour", "role": "context", "cross": ["category", "hour"]})
    (root / "log" / FEATURES).write_text(yaml.safe_dump(declared))
    for name in MODELS:
        config = ModelConfig(name=name, mlp=(8,), embedding=4, attention=(8,))
        train = TrainConfig(threads=1, batch_rows=256)
        train_run(root / "log", plan(root / "log", config, train, labels_of(root / "log", name), 1), root / name)
    return root


def expected(folder: Path, name: str) -> dict[str, np.ndarray]:
    """What the model gives for the rows held back."""
    model, encode, split = load_run(folder / name, folder / "log")
    files = table_files(folder / "log", "impression", *split.test)
    return predictions(model, ParquetStream(files, [*model.features.columns, "impression_id"]), encode,
                       ["impression_id"])  # fmt: skip


def raw(folder: Path, model: Ranker, days: tuple[int, int], count: int) -> Batch:
    """The first of these rows, with their counts."""
    files = table_files(folder / "log", "impression", *days)
    return Counts.read(folder / "log", model.features)(next(iter(ParquetStream(files, model.features.columns, count))))


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_a_log_are_the_models(folder, tmp_path, name):
    rows = score_log(folder / name, folder / "log", tmp_path / "scores.parquet")
    table, right = pq.read_table(tmp_path / "scores.parquet"), expected(folder, name)
    assert rows == table.num_rows == len(right["impression_id"])
    assert {"impression_id", "user_id", "item_id", "p_click"} <= set(table.column_names)
    for column, values in right.items():
        assert np.allclose(np.asarray(table[column]), values, atol=1e-6)


def test_what_cannot_be_scored_leaves_nothing(folder, tmp_path, capsys):
    run, log, out = folder / "din", folder / "log", tmp_path / "scores.parquet"
    with pytest.raises(DataError, match=r"no rows of the days 70\.\.71"):
        score_log(run, log, out, (70, 71))
    assert list(tmp_path.iterdir()) == []
    out.write_text("mine")
    with pytest.raises(ConfigError, match="there already"):
        score_log(run, log, out)
    command = ["recommend", "score", "--run", str(folder / "din"), "--data", str(folder / "log"), "--out", str(out)]
    assert main([*command, "--days", "3-1"]) == 2
    assert "write 7 or 7-9" in capsys.readouterr().err
    with pytest.raises(DataError, match="holds no training run"):
        score_log(tmp_path, log, tmp_path / "x")
    (tmp_path / "run.json").write_text('{"model": {"name": "mmoe"}}')
    with pytest.raises(DataError, match="a run of 'mmoe', which this version does not have"):
        score_log(tmp_path, log, tmp_path / "x")
    with pytest.raises(DataError, match="no log in"):
        score_log(run, tmp_path, tmp_path / "x")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no CUDA device"):
            score_log(run, log, tmp_path / "x", device="cuda")


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_program_is_the_model(folder, tmp_path, name):
    """With rows of any number and histories of any length, from raw ids."""
    out = tmp_path / "model.pt2"
    facts = export(folder / name, folder / "log", out)
    assert json.loads((tmp_path / "model.pt2.json").read_text()) == facts
    program = torch.export.load(out).module()
    model, _, split = load_run(folder / name, folder / "log")
    rows, arguments = raw(folder, model, split.test, 37), []
    for declared in facts["inputs"]:
        column = rows[declared["name"]] if declared["name"] in rows else rows["history_item"].lengths
        arguments.append(column.values if isinstance(column, Ragged) else column)
    right = expected(folder, name)
    for output, answer in zip(facts["outputs"], program(*arguments), strict=True):
        assert np.allclose(answer.detach().numpy(), right[output][:37], atol=1e-5)


def test_what_cannot_be_exported_leaves_nothing(folder, tmp_path, monkeypatch):
    def hostile(self, batch):
        return {"click": torch.ones(len(batch["user_id"])) if float(batch["price"].sum()) > 0 else batch["price"]}

    monkeypatch.setattr(DIN, "forward", hostile)
    with pytest.raises(DataError, match=r"^DIN cannot be exported: [^\n]+$"):
        export(folder / "din", folder / "log", tmp_path / "model.pt2")
    assert list(tmp_path.iterdir()) == []


CODES = LogMap.of(
    {"user": "u", "item": "i", "time": {"column": "t", "unit": "s"}, "target": {"cat": "n"}, "longest": 3}
)


def imported(root: Path, name: str, columns: dict, like: Path | None = None) -> Path:
    """An imported log."""
    bring(parquet(root / f"{name}.parquet", columns), CODES, root / name, like=like, now_ms=None)
    return root / name


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """A log whose users are numbers beside empty cells, whose items are texts, and a run on it."""
    root, rng = tmp_path_factory.mktemp("codes"), np.random.default_rng(0)
    columns = {
        "u": [float(u) for u in rng.integers(100, 120, 300)],
        "i": ["A1", *(str(i) for i in rng.integers(0, 40, 299))],
        "n": rng.integers(1000, 1010, 300).tolist(),
        "t": (1_700_000_000 + np.sort(rng.integers(0, 4 * 86_400, 300))).tolist(),
    }
    log = imported(root, "log", columns)
    run = plan(log, ModelConfig(name="dnn", mlp=(4,), embedding=2), TrainConfig(threads=1), ("click",), 1)
    train_run(log, run, root / "run")
    return root, columns


def test_a_log_with_other_codes_is_refused(coded, tmp_path):
    root, columns = coded
    more = {n: [*v, v[0]] for n, v in columns.items()}
    more["i"][-1], more["u"][-1] = "0", 1.0
    anew, alike = imported(root, "anew", more), imported(root, "alike", more, like=root / "log")
    with pytest.raises(DataError, match=r"codes of 'user_id' in .* are not those on which the run was trained.*--like"):
        score_log(root / "run", anew, tmp_path / "scores", (0, 3))
    score_log(root / "run", alike, tmp_path / "alike", (0, 3))
    older = read_run(root / "run").model_copy(update={"codes": None})
    (root / "run/run.json").write_text(json.dumps(json.loads(older.model_dump_json())))
    score_log(root / "run", anew, tmp_path / "anew", (0, 3))


def test_like_refuses_numbers_that_became_texts(coded):
    root, columns = coded
    texts = {**columns, "n": [f"c{n}" for n in columns["n"]]}
    with pytest.raises(DataError, match=r"'cat' is text here and numbers in .*import all files anew"):
        imported(root, "texts", texts, like=root / "log")
    with pytest.raises(DataError, match="'item_id' is numbers here and text in"):
        imported(root, "numbers", {**columns, "i": list(range(300))}, like=root / "log")


def test_scores_bring_the_ids_of_the_files(coded, tmp_path):
    root, columns = coded
    score_log(root / "run", root / "log", tmp_path / "scores.parquet", (0, 3))
    scores = pq.read_table(tmp_path / "scores.parquet")
    assert set(scores["item_id"].to_pylist()) <= set(columns["i"])
    assert set(scores["user_id"].to_pylist()) <= {str(u) for u in columns["u"]}
