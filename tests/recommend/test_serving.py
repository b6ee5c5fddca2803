"""A run at work: scores in a file, over HTTP and from an exported program are the model's; ids are those of the log."""

from __future__ import annotations

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from fastapi.testclient import TestClient

from app.cli.main import main
from app.feed import scoring_server
from app.feed.scoring_server import MOST_ROWS, application
from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.ragged import Batch, Ragged
from recommend.data.schema import table_files
from recommend.features.counts import Counts
from recommend.imports.maps import LogMap
from recommend.models.base import Ranker
from recommend.serving.export import ExportFailed, Program, export
from recommend.serving.scorer import Scorer, score_log
from recommend.training.runs import FEATURES, labels_of, load_run, plan, read_run, train_run
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
    rows = score_log(Scorer(folder / name, folder / "log"), tmp_path / "scores.parquet")
    table, right = pq.read_table(tmp_path / "scores.parquet"), expected(folder, name)
    assert rows == table.num_rows == len(right["impression_id"])
    assert {"impression_id", "user_id", "item_id", "p_click"} <= set(table.column_names)
    for column, values in right.items():
        assert np.allclose(np.asarray(table[column]), values, atol=1e-6)


def test_what_cannot_be_scored_leaves_nothing(folder, tmp_path, capsys):
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
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no CUDA device"):
            Scorer(folder / "din", folder / "log", device="cuda")


def sent(folder: Path, name: str, count: int) -> list[dict]:
    """Rows of the days held back as somebody would send them: with the log's own texts."""
    model, _, split = load_run(folder / name, folder / "log")
    rows = pq.read_table(table_files(folder / "log", "impression", *split.test)[0]).slice(0, count).to_pylist()
    of = {"user_id": "user_id", "item_id": "item_id", "category": "category"}
    of |= {"history_item": "item_id", "history_category": "category"}
    texts = {n: pq.read_table(folder / f"log/codes/{n}.parquet")["value"].to_pylist() for n in set(of.values())}
    columns = [f.column for f in model.features.features if not f.derived and f.kind != "count"]

    def text(column: str, code: int | list[int]) -> str | list[str | None] | None:
        if isinstance(code, list):
            return [text(column, one) for one in code]
        return texts[of[column]][code] if code >= 0 else None

    return [{n: text(n, row[n]) if n in of else row[n] for n in (*columns, "time_ms")} for row in rows]


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
            ({"rows": [{**rows[0], "price": "nan"}]}, "'price' holds something that is no number"),
            ({"rows": [{**rows[0], "price": 1e300}]}, "'price' holds something that is no number"),
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


def test_a_request_too_many_must_come_again(folder, monkeypatch):
    plain, began, go_on = Scorer.__call__, threading.Event(), threading.Event()
    rows = sent(folder, "din", 1)

    def slow(self, batch):
        began.set()
        assert go_on.wait(60)
        return plain(self, batch)

    monkeypatch.setattr(Scorer, "__call__", slow)
    monkeypatch.setattr(scoring_server, "MOST_WAITING", 1)
    with TestClient(application(Scorer(folder / "din", folder / "log"))) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/score", json={"rows": rows})
        assert began.wait(30)
        assert client.post("/score", content=b"not even read").status_code == 503
        go_on.set()
        assert first.result().status_code == 200
        assert client.post("/score", json={"rows": rows}).status_code == 200


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_program_is_the_model(folder, tmp_path, name):
    """With rows of any number and histories of any length, from raw ids."""
    out = tmp_path / "model.pt2"
    facts = export(Scorer(folder / name, folder / "log"), out)
    assert json.loads((tmp_path / "model.pt2.json").read_text()) == facts
    program = torch.export.load(out).module()
    model, _, split = load_run(folder / name, folder / "log")
    rows, arguments = raw(folder, model, split.test, 37), []
    for declared in facts["inputs"]:
        column = rows[declared["name"]] if declared["name"] in rows else rows["history_item"].lengths
        arguments.append(column.values if isinstance(column, Ragged) else column)
    right = expected(folder, name)
    for output, answer in zip(facts["outputs"], program(*arguments), strict=True):
        assert np.allclose(answer.detach().numpy(), right[output["name"]][:37], atol=1e-5)


def test_steps_of_an_onnx_program_are_the_models(folder):
    """ONNX has no search in a sorted vocabulary: ids are looked up by halving."""
    scorer, right = Scorer(folder / "din", folder / "log"), expected(folder, "din")
    program = Program(scorer, "onnx").eval()
    with torch.no_grad():
        answers = program(*program.arguments(raw(folder, scorer.model, scorer.days.test, 50)))
    assert np.allclose(answers[0].numpy(), right["p_click"][:50], atol=1e-6)


def test_what_cannot_be_exported_leaves_nothing(folder, tmp_path, monkeypatch):
    def hostile(self, batch):
        return {"click": torch.ones(len(batch["user_id"])) if float(batch["price"].sum()) > 0 else batch["price"]}

    scorer = Scorer(folder / "din", folder / "log")
    monkeypatch.setattr(type(scorer.model), "forward", hostile)
    with pytest.raises(ExportFailed, match=r"^din cannot be exported: [^\n]+$"):
        export(scorer, tmp_path / "model.pt2")
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


def test_an_id_is_that_of_the_files(coded):
    root, _ = coded
    scorer = Scorer(root / "run", root / "log")
    users, items = (pq.read_table(root / f"log/codes/{n}.parquet")["value"].to_pylist() for n in ("user_id", "item_id"))
    row = {"user_id": "110.0", "item_id": "17", "cat": 1001, "hour": 3, "history_item": ["5", 7]}

    def read(**change):
        batch = scorer.batch([{**row, **change}])
        return {n: (c.values if isinstance(c, Ragged) else c).tolist() for n, c in batch.items()}

    plain = read()
    assert plain["item_id"] == [items.index("17")]
    assert plain["history_item"] == [items.index("5"), items.index("7")]
    for same in ({"item_id": 17}, {"item_id": 17.0}, {"user_id": 110}, {"user_id": "110"}, {"cat": "1001"},
                 {"hour": 3.0}):  # fmt: skip
        assert read(**same) == plain, same
    assert plain["user_id"] == [users.index("110.0")]
    assert read(item_id=2**70)["item_id"] == read(item_id=None)["item_id"] == [-1]
    for bad in ({"cat": "dear"}, {"cat": 1.5}, {"item_id": {}}, {"item_id": float("nan")}):
        with pytest.raises(DataError, match="holds something that is no id"):
            read(**bad)
    codes = {i["name"]: i.get("codes") for i in Program(scorer).inputs}
    assert codes["item_id"] == codes["history_item"] == "codes/item_id.parquet"
    assert codes["cat"] is None


def test_a_log_with_other_codes_is_refused(coded):
    root, columns = coded
    more = {n: [*v, v[0]] for n, v in columns.items()}
    more["i"][-1], more["u"][-1] = "0", 1.0
    anew, alike = imported(root, "anew", more), imported(root, "alike", more, like=root / "log")
    with pytest.raises(DataError, match=r"codes of 'user_id' in .* are not those on which the run was trained.*--like"):
        Scorer(root / "run", anew)
    Scorer(root / "run", alike)
    older = read_run(root / "run").model_copy(update={"codes": None})
    (root / "run/run.json").write_text(json.dumps(json.loads(older.model_dump_json())))
    Scorer(root / "run", anew)


def test_like_refuses_numbers_that_became_texts(coded):
    root, columns = coded
    texts = {**columns, "n": [f"c{n}" for n in columns["n"]]}
    with pytest.raises(DataError, match=r"'cat' is text here and numbers in .*import all files anew"):
        imported(root, "texts", texts, like=root / "log")
    with pytest.raises(DataError, match="'item_id' is numbers here and text in"):
        imported(root, "numbers", {**columns, "i": list(range(300))}, like=root / "log")


def test_scores_bring_the_ids_of_the_files(coded, tmp_path):
    root, columns = coded
    score_log(Scorer(root / "run", root / "log"), tmp_path / "scores.parquet", (0, 3))
    scores = pq.read_table(tmp_path / "scores.parquet")
    assert set(scores["item_id"].to_pylist()) <= set(columns["i"])
    assert set(scores["user_id"].to_pylist()) <= {str(u) for u in columns["u"]}
