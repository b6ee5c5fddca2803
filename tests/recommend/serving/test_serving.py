"""A trained run at work: scores in a file, over HTTP and from an exported program are what the model gives."""

from __future__ import annotations

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from fastapi.testclient import TestClient

from app.cli.main import main
from app.feed.scoring_server import MOST_ROWS, application
from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.ragged import Ragged
from recommend.data.schema import table_files
from recommend.features.counts import Counts
from recommend.imports.maps import LogMap
from recommend.imports.run import import_log
from recommend.serving.export import ExportFailed, Program, export
from recommend.serving.scorer import Scorer, score_log
from recommend.training.runs import FEATURES, labels_of, load_run, plan, train_run
from recommend.training.scoring import predictions

MAP = LogMap.of(
    {
        "user": "who",
        "item": "sku",
        "time": {"column": "at", "unit": "s"},
        "behaviour": {"column": "did", "values": {"v": "click", "b": "order"}},
        "target": {"category": "cat", "price": "price"},
        "longest": 4,
    }
)
MODELS = ("din", "esmm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An imported log with texts, and small runs on it."""
    root = tmp_path_factory.mktemp("serving")
    rng = np.random.default_rng(0)
    item = rng.integers(0, 40, 1_500)
    log = {
        "who": [f"u{u}" for u in rng.integers(0, 50, 1_500)],
        "sku": [f"s-{i}" for i in item],
        "at": (1_600_000_000 + rng.integers(0, 5 * 1440, 1_500) * 60).tolist(),
        "did": rng.choice(["v", "v", "v", "b"], 1_500).tolist(),
        "cat": [f"c{i % 4}" for i in item],
        "price": [float(i) for i in item],
    }
    pq.write_table(pa.table(log), root / "log.parquet")
    import_log([root / "log.parquet"], MAP, root / "log")
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


def expected(folder, name: str) -> dict[str, np.ndarray]:
    """What the model gives for the rows held back."""
    model, encode, split = load_run(folder / name, folder / "log")
    files = table_files(folder / "log", "impression", *split.test)
    columns = [*model.features.columns, "impression_id"]
    return predictions(model, ParquetStream(files, columns), encode, ["impression_id"])


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_a_log(folder, tmp_path, name):
    rows = score_log(Scorer(folder / name, folder / "log"), tmp_path / "scores.parquet")
    table, right = pq.read_table(tmp_path / "scores.parquet"), expected(folder, name)
    assert rows == table.num_rows == len(right["impression_id"])
    assert {"impression_id", "user_id", "item_id", "p_click"} <= set(table.column_names)
    for column, values in right.items():
        assert np.allclose(np.asarray(table[column]), values, atol=1e-6)


def test_what_cannot_be_scored_is_one_sentence_and_leaves_nothing(folder, tmp_path, capsys):
    scorer, out = Scorer(folder / "din", folder / "log"), tmp_path / "scores.parquet"
    with pytest.raises(DataError, match=r"no rows of the days 70\.\.71"):
        score_log(scorer, out, (70, 71))
    assert list(tmp_path.iterdir()) == []
    out.write_text("mine")
    with pytest.raises(ConfigError, match="there already"):
        score_log(scorer, out)
    command = ["recommend", "score", "--run", str(folder / "din"), "--data", str(folder / "log"), "--out", str(out)]
    assert main([*command, "--days", "3-1"]) == 2
    assert "write 7 or 7-9" in capsys.readouterr().err
    with pytest.raises(DataError, match="holds no training run"):
        Scorer(tmp_path, folder / "log")
    with pytest.raises(DataError, match="no log in"):
        Scorer(folder / "din", tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_one_sentence(folder):
    with pytest.raises(ConfigError, match="no CUDA device"):
        Scorer(folder / "din", folder / "log", device="cuda")


def sent(folder, name: str, count: int) -> list[dict]:
    """Rows of the days held back as somebody would send them: with the log's own texts."""
    model, _, split = load_run(folder / name, folder / "log")
    rows = pq.read_table(table_files(folder / "log", "impression", *split.test)[0]).slice(0, count).to_pylist()
    codes = {n: pq.read_table(folder / f"log/codes/{n}.parquet")["value"].to_pylist()
             for n in ("user_id", "item_id", "category")}  # fmt: skip
    of = {"history_item": "item_id", "history_category": "category"}
    bodies = []
    for coded in rows:
        read = [f.column for f in model.features.features if not f.derived and f.kind != "count"]
        row = {column: coded[column] for column in (*read, "time_ms")}
        row |= {column: values[coded[column]] for column, values in codes.items()}
        row |= {column: [codes[code_column][i] for i in coded[column]] for column, code_column in of.items()}
        bodies.append(row)
    return bodies


def test_the_server_gives_what_the_model_gives(folder):
    rows, right = sent(folder, "din", 20), expected(folder, "din")["p_click"]
    with TestClient(application(Scorer(folder / "din", folder / "log"))) as client:
        assert client.get("/healthz").json()["model"] == "din"
        answer = client.post("/score", json={"rows": rows})
        assert answer.status_code == 200
        assert np.allclose([s["p_click"] for s in answer.json()["scores"]], right[:20], atol=1e-5)
        unknown = {**rows[0], "user_id": "nobody", "item_id": None}
        assert 0 < client.post("/score", json={"rows": [unknown]}).json()["scores"][0]["p_click"] < 1
        for body, message in (
            ({"rows": []}, f"1 to {MOST_ROWS} rows"),
            ({"rows": [1]}, "must be a list"),
            ({"row": 1}, "as JSON"),
            ({"rows": [{"user_id": 1}]}, "a row lacks"),
            ({"rows": [{**rows[0], "price": "dear"}]}, "'price' holds something that is no number"),
            ({"rows": [{**rows[0], "hour": 2**70}]}, "'hour' holds something that is no id"),
            ({"rows": [{**rows[0], "history_item": 3}]}, "must be a list in every row"),
            ({"rows": [{**rows[0], "history_item": ["s-1"] * 99}]}, "must be equally long"),
        ):
            answer = client.post("/score", json=body)
            assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text
        assert client.post("/score", content=b"x" * (9 * 2**20)).status_code == 400


def test_requests_that_wait_are_scored_together(folder, monkeypatch):
    scorer, sizes = Scorer(folder / "din", folder / "log"), []
    read, all_read = itertools.count(1), threading.Event()
    rows, right = sent(folder, "din", 24), expected(folder, "din")["p_click"]
    plain, plain_batch = Scorer.__call__, Scorer.batch

    def batch(self, rows):
        made = plain_batch(self, rows)
        if next(read) == 12:
            all_read.set()
        return made

    def scored(self, batch):
        sizes.append(len(batch["user_id"]))
        assert all_read.wait(60)
        return plain(self, batch)

    monkeypatch.setattr(Scorer, "batch", batch)
    monkeypatch.setattr(Scorer, "__call__", scored)
    with TestClient(application(scorer)) as client, ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda i: client.post("/score", json={"rows": rows[2 * i : 2 * i + 2]}).json(), range(12))
        )
    assert np.allclose([s["p_click"] for f in answers for s in f["scores"]], right[:24], atol=1e-5)
    assert sum(sizes) == 24
    assert len(sizes) < 12


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_program_gives_what_the_model_gives(folder, tmp_path, name):
    """With rows of any number and histories of any length, from raw ids."""
    out = tmp_path / "model.pt2"
    facts = export(Scorer(folder / name, folder / "log"), out)
    assert json.loads((tmp_path / "model.pt2.json").read_text()) == facts
    program = torch.export.load(out).module()
    model, _, split = load_run(folder / name, folder / "log")
    files = table_files(folder / "log", "impression", *split.test)
    raw = Counts.read(folder / "log", model.features)(next(iter(ParquetStream(files, model.features.columns, 37))))
    arguments = []
    for declared in facts["inputs"]:
        column = raw[declared["name"]] if declared["name"] in raw else raw["history_item"].lengths
        arguments.append(column.values if isinstance(column, Ragged) else column)
    right = expected(folder, name)
    for output, answer in zip(facts["outputs"], program(*arguments), strict=True):
        assert np.allclose(answer.detach().numpy(), right[output["name"]][:37], atol=1e-5)


def test_the_steps_of_an_onnx_program_give_what_the_model_gives(folder):
    """ONNX has no search in a sorted vocabulary: ids are looked up by halving."""
    scorer, right = Scorer(folder / "din", folder / "log"), expected(folder, "din")
    program = Program(scorer, "onnx").eval()
    files = table_files(folder / "log", "impression", *scorer.days.test)
    raw = Counts.read(scorer.log, scorer.features)(next(iter(ParquetStream(files, scorer.features.columns, 50))))
    with torch.no_grad():
        answers = program(*program.arguments(raw))
    assert np.allclose(answers[0].numpy(), right["p_click"][:50], atol=1e-6)


def test_what_cannot_be_exported_is_one_sentence_and_leaves_nothing(folder, tmp_path, monkeypatch):
    def hostile(self, batch):
        return {"click": torch.ones(len(batch["user_id"])) if float(batch["price"].sum()) > 0 else batch["price"]}

    scorer = Scorer(folder / "din", folder / "log")
    monkeypatch.setattr(type(scorer.model), "forward", hostile)
    with pytest.raises(ExportFailed, match=r"^din cannot be exported: [^\n]+$"):
        export(scorer, tmp_path / "model.pt2")
    assert list(tmp_path.iterdir()) == []
